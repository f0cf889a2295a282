"""``tidegate signer`` and ``tidegate keys`` as they are typed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from tests.custody.process.ground import Ground, SignerProcess

from tidegate.app.cli import run_command as run


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerProcess]:
    with SignerProcess(Ground(tmp_path_factory.mktemp("signer"))) as process:
        yield process


def typed(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def fd_with(content: bytes) -> str:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return f"fd:{reading}"


def test_load_status_freeze_unfreeze_revoke(
    running: SignerProcess, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = ("--config", running.ground.config)
    capability = running.ground.capability()
    (tmp_path / "capability.json").write_bytes(running.ground.envelope(capability) + b"\n")
    assert typed(capsys, "signer", "load", tmp_path / "capability.json", *config) == (
        0,
        {"ok": True, "capability_id": capability.id, "replaced": ""},
    )
    code, status = typed(capsys, "signer", "status", *config)
    assert (code, status["ok"], status["is_frozen"]) == (0, True, False)
    assert [one["id"] for one in status["capabilities"]] == [capability.id]
    assert typed(capsys, "signer", "freeze", "--reason", "alarm", *config)[0] == 0
    code, status = typed(capsys, "signer", "status", *config)
    assert (code, status["freeze_reason"]) == (20, "alarm")
    assert typed(capsys, "signer", "unfreeze", "--reason", "looked at", *config)[0] == 0
    assert typed(capsys, "signer", "revoke", capability.id, "--reason", "over", *config)[0] == 0
    _, status = typed(capsys, "signer", "status", *config)
    assert [one["is_revoked"] for one in status["capabilities"]] == [True]


def test_refusals_have_their_exit_codes(
    running: SignerProcess, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = ("--config", running.ground.config)
    capability = running.ground.capability(expires_at=running.ground.capability().not_before + 5)
    (tmp_path / "old.json").write_bytes(running.ground.envelope(capability))
    code, said = typed(capsys, "signer", "load", tmp_path / "old.json", *config)
    assert (code, said["code"]) == (10, "capability_expired")
    (tmp_path / "none.json").write_text("")
    assert typed(capsys, "signer", "load", tmp_path / "none.json", *config)[0] == 3
    assert typed(capsys, "signer", "revoke", "not-an-id", "--reason", "r", *config)[0] == 3
    code, said = typed(capsys, "signer", "unfreeze", "--reason", "r", "--socket", running.ground.socket)
    assert (code, said["code"]) == (10, "administrator_only")
    code, said = typed(capsys, "signer", "freeze", "--reason", "r", "--no-exit", *config)
    assert code == 10  # two people's orders are missing
    code, said = typed(capsys, "signer", "status", "--socket", tmp_path / "nobody.sock")
    assert (code, said["code"]) == (12, "signer_unreached")


def test_people_read_the_status(running: SignerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    run(["signer", "status", "--config", str(running.ground.config)])
    assert f"key operator: {running.ground.address}, throw-away" in capsys.readouterr().out


def test_init_prints_the_command_that_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    code, made = typed(capsys, "signer", "init")
    assert code == 0
    assert made["next"] == f"tidegate signer run 3< {tmp_path / 'signer' / 'operator.password'}"
    assert typed(capsys, "signer", "init")[0] == 3
    assert typed(capsys, "signer", "init", "--show")[1]["text"].startswith("# The signer holds keys")


def test_keys_new_list_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    password = b"correct horse battery\n"
    code, made = typed(capsys, "keys", "new", "toy", "--throw-away", "--password", fd_with(password))
    assert code == 0
    assert (made["name"], made["kind"], made["curve"]) == ("toy", "throw_away", "secp256k1")
    code, solana = typed(
        capsys, "keys", "new", "sol", "--curve", "ed25519", "--throw-away", "--password", fd_with(password)
    )
    assert (code, solana["curve"]) == (0, "ed25519")
    code, listed = typed(capsys, "keys", "list")
    assert [row["name"] for row in listed["keys"]] == ["sol", "toy"]
    assert typed(capsys, "keys", "check")[0] == 0
    code, checked = typed(capsys, "keys", "check", "toy", "--password", fd_with(password))
    assert (code, checked["keys"][0]["opened"]) == (0, True)
    code, said = typed(capsys, "keys", "check", "toy", "--password", fd_with(b"wrong"))
    assert (code, said["code"]) == (13, "wrong_password")
    (tmp_path / "keys" / "toy.json").chmod(0o644)
    code, checked = typed(capsys, "keys", "check")
    assert code == 1
    assert "chmod 600" in checked["keys"][1]["problem"]


def test_keys_import_what_other_tools_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    account = Account.create()
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps(Account.encrypt(account.key, "theirs", iterations=16)))
    theirs.chmod(0o600)
    ours = b"a password of our own"
    code, made = typed(
        capsys,
        *("keys", "import", "a", "--throw-away", "--keystore", theirs),
        *("--keystore-password", fd_with(b"theirs"), "--password", fd_with(ours)),
    )
    assert (code, made["address"]) == (0, account.address)
    code, made = typed(
        capsys,
        *("keys", "import", "b", "--throw-away", "--hex-from", fd_with(account.key.hex().encode())),
        *("--password", fd_with(ours)),
    )
    assert (code, made["address"]) == (0, account.address)
    written = json.loads((tmp_path / "keys" / "b.json").read_text())
    assert bytes(Account.decrypt(written, ours.decode())) == bytes(account.key)
    code, said = typed(capsys, "keys", "import", "c", "--password", fd_with(ours))
    assert (code, said["error"]) == (2, "UsageError")


def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    code, said = typed(capsys, "keys", "new", "k", "--password", "correct-horse")
    assert (code, said["code"]) == (3, "password_source")
    assert "correct-horse" not in json.dumps(said)
    assert not (tmp_path / "keys").exists()


def test_a_live_key_with_a_light_derivation_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tidegate.custody.keys import KeyFile, KeyKind, Password

    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    KeyFile.make("weak", Password(b"long enough, this"), kind=KeyKind.LIVE, scrypt_n=16).write(
        tmp_path / "keys"
    )
    code, checked = typed(capsys, "keys", "check")
    assert code == 1
    assert "light derivation" in checked["keys"][0]["problem"]


def test_the_signer_s_process_imports_neither_desks_nor_pipeline() -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, tidegate.app.cli.signer, tidegate.app.signer;"
            "print(*sorted({name.split('.')[1] for name in sys.modules if name.startswith('tidegate.')}))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"desks", "pipeline", "risk", "gate", "watch"} & set(done.stdout.split())
