"""Two people, two machines, two real signers: orders made, handed over, combined, and refused."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.custody.process.ground import Ground, SignerProcess

from tidegate.app.cli import run_command as run
from tidegate.custody import Order, OrderKind, sign_order
from tidegate.custody.capability import Purpose
from tidegate.custody.keys import EdKey, KeyFile, Password

PASSWORD = b"a sentence of ours"
Typed = Callable[..., tuple[int, dict[str, Any]]]


@dataclass
class Street:
    """Ann's and Bob's machines, the project's signer, and another one that pins the same people."""

    folder: Path
    signer: SignerProcess
    other: SignerProcess

    def machine(self, name: str) -> Path:
        return self.folder / name

    def key(self, name: str) -> EdKey:
        opened = KeyFile.read(self.machine(name) / "keys" / f"{name}.json").open(Password(PASSWORD))
        assert isinstance(opened, EdKey)
        return opened


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder = tmp_path_factory.mktemp("street")
    people = {}
    for name in ("ann", "bob", "stranger"):
        keys = str(folder / name / "keys")
        new = ["keys", "new", name, "--curve", "ed25519", "--throw-away", "--folder", keys]
        assert run([*new, "--password", fd_with(PASSWORD), "--json"]) == 0
        opened = KeyFile.read(folder / name / "keys" / f"{name}.json").open(Password(PASSWORD))
        if name != "stranger":
            people[name] = opened
    ground = Ground(folder / "home" / "signer", people=people)  # type: ignore[arg-type]
    elsewhere = Ground(folder / "elsewhere" / "signer", people=people)  # type: ignore[arg-type]
    with SignerProcess(ground) as signer, SignerProcess(elsewhere) as other:
        yield Street(folder, signer, other)


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    def type_it(*words: Any) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run([*map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return type_it


@pytest.fixture
def ordered(street: Street, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a person order on the person's own machine; the file is what is handed over."""

    def order(kind: str, name: str, *words: Any, of: SignerProcess = street.signer) -> Path:
        monkeypatch.setenv("TIDEGATE_HOME", str(street.machine(name)))
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        code, said = typed(
            *("signer", "order", kind, "--as", name, "--signer", of.ground.address),
            # The same order in the same second is the same order, and is used up once.
            *("--reason", f"theft, {tmp_path.name}, {file.name}"),
            *("--password", fd_with(PASSWORD), "--output", file, *words),
        )
        assert (code, said["file"], said["signer"]) == (0, str(file), of.ground.address), said
        return file

    return order


def fd_with(content: bytes) -> str:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return f"fd:{reading}"


def at(signer: SignerProcess) -> tuple[str, str]:
    return "--config", str(signer.ground.config)


def both(*files: Path) -> list[str]:
    return [word for file in files for word in ("--approval", str(file))]


def freeze(typed: Typed, signer: SignerProcess, *files: Path) -> tuple[int, str]:
    code, said = typed("signer", "freeze", "--no-exit", "--reason", "r", *both(*files), *at(signer))
    return code, said.get("code", "")


def unfreeze(typed: Typed, signer: SignerProcess, *files: Path) -> tuple[int, str]:
    code, said = typed("signer", "unfreeze", "--reason", "r", *both(*files), *at(signer))
    return code, said.get("code", "")


REFUSED = (10, "two_people")


def test_two_people_at_two_machines_freeze_exits_and_unfreeze_them(
    street: Street, typed: Typed, ordered: Any
) -> None:
    hard = [ordered("freeze_exits", name) for name in ("ann", "bob")]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in hard)
    assert freeze(typed, street.signer, *hard) == (0, "")
    code, status = typed("signer", "status", *at(street.signer))
    assert (code, status["allows_exit"]) == (20, False)
    assert unfreeze(typed, street.signer) == REFUSED, "an administrator alone does not end it"
    over = [ordered("unfreeze", name) for name in ("ann", "bob")]
    assert unfreeze(typed, street.signer, *over) == (0, "")
    assert freeze(typed, street.signer, *hard) == REFUSED, "an order is good once"
    assert typed("signer", "status", *at(street.signer))[0] == 0


def test_orders_that_are_not_two_fresh_ones_of_two_people_to_this_signer_are_refused(
    street: Street, typed: Typed, ordered: Any, tmp_path: Path
) -> None:
    ann, bob = (ordered("freeze_exits", name) for name in ("ann", "bob"))
    again = ordered("freeze_exits", "ann", "--reason", "theft, said twice")
    stranger = ordered("freeze_exits", "stranger")
    elsewhere = ordered("freeze_exits", "bob", of=street.other)
    thaw = ordered("unfreeze", "bob")
    old = tmp_path / "old.json"
    hour_ago = Order(
        kind=OrderKind.FREEZE_EXITS,
        signer=street.signer.ground.address,
        subject="",
        reason="theft",
        at_s=int(time.time()) - 3_600,
    )
    old.write_bytes(sign_order(hour_ago, street.key("bob")))
    for other in (again, stranger, elsewhere, thaw, old):
        assert freeze(typed, street.signer, ann, other) == REFUSED, other
    assert freeze(typed, street.other, ann, bob) == REFUSED, "what this signer is told binds no other"
    assert typed("signer", "status", *at(street.signer))[1]["is_frozen"] is False


def test_an_exit_capability_is_revoked_by_two_orders_that_name_it(
    street: Street, typed: Typed, ordered: Any, tmp_path: Path
) -> None:
    exits = street.signer.ground.capability(purpose=Purpose.EXIT)
    file = tmp_path / "exits.json"
    file.write_bytes(street.signer.ground.envelope(exits))
    assert typed("signer", "load", file, *at(street.signer))[0] == 0
    gone = ("signer", "revoke", exits.id, "--reason", "gone", *at(street.signer))
    ann, other = (ordered("revoke", "ann", "--capability", one) for one in (exits.id, "ab" * 32))
    bob = ordered("revoke", "bob", "--capability", exits.id)
    assert typed(*gone, *both(other, bob))[0] == 10
    assert typed(*gone, *both(ann, bob))[0] == 0


def test_a_stop_without_exits_hands_the_two_orders_to_the_signer(
    street: Street, typed: Typed, ordered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [ordered("freeze_exits", name) for name in ("ann", "bob")]
    over = [ordered("unfreeze", name) for name in ("ann", "bob")]
    monkeypatch.setenv("TIDEGATE_HOME", str(street.folder / "home"))
    monkeypatch.chdir(street.folder)
    hard = ("stop", "--no-exits", "--by", "ann", "--by", "bob", "--reason", "theft")
    code, said = typed(*hard, *both(orders[0]))
    assert (code, said["signer"]["state"]) == (10, "frozen, but it signs exits")
    code, status = typed("signer", "status", *at(street.signer))
    assert (code, status["allows_exit"]) == (20, True), "what needs nobody's order is frozen all the same"
    code, said = typed(*hard, *both(*orders))
    assert (code, said["signer"]["state"]) == (0, "frozen"), said
    assert typed("signer", "status", *at(street.signer))[1]["allows_exit"] is False
    for name, code in (("ann", 20), ("carol", 0)):
        resume = ("resume", "--scope", "global", "--reason", "over", "--evidence", "ticket", "--by", name)
        assert typed(*resume)[0] == code
    assert unfreeze(typed, street.signer, *over) == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("revoke", "--capability", "not an id"), 2, "usage"),
        (("unfreeze", "--capability", "ab" * 32), 2, "usage"),
        (("unfreeze", "--reason", " "), 2, "usage"),
        (("unfreeze", "--signer", "0x12"), 3, None),
        (("unfreeze", "--as", "operator", "--folder", "HOME"), 3, "key_curve"),
        (("unfreeze", "--as", "nobody"), 3, "key_file"),
        (("unfreeze", "--password", "a sentence of ours"), 3, "password_source"),
        (("unfreeze", "--output", "TAKEN"), 3, "order_exists"),
    ],
)
def test_what_is_no_order_is_refused_before_a_key_is_opened(
    street: Street,
    typed: Typed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    error: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(street.machine("ann")))
    (tmp_path / "TAKEN").write_text("an order of before")
    given = {"--as": "ann", "--signer": street.signer.ground.address, "--reason": "theft"}
    given |= dict(zip(words[1::2], words[2::2], strict=True))
    if "--folder" in given:
        given["--folder"] = str(street.signer.ground.folder / "keys")
    found, said = typed("signer", "order", words[0], *(word for pair in given.items() for word in pair))
    assert found == code, said
    assert error is None or said["code"] == error, said
    assert "a sentence of ours" not in json.dumps(said)
    assert [file.name for file in tmp_path.iterdir()] == ["TAKEN"]


@pytest.mark.parametrize("address", ["0OIl", "2" * 20])
def test_a_key_file_whose_public_key_is_none_is_listed_with_what_is_wrong(
    typed: Typed, tmp_path: Path, address: str
) -> None:
    new = ("keys", "new", "eve", "--curve", "ed25519", "--throw-away", "--folder", tmp_path)
    code, made = typed(*new, "--password", fd_with(PASSWORD))
    assert code == 0
    assert bytes.fromhex(made["public_key"]) == KeyFile.read(tmp_path / "eve.json").public_key
    file = tmp_path / "eve.json"
    file.write_text(file.read_text().replace(made["address"], address))
    code, listed = typed("keys", "check", "--folder", tmp_path)
    assert (code, "public_key" in listed["keys"][0]) == (1, False)
    assert "was changed" in listed["keys"][0]["problem"]
