"""``tidegate stop --on-chain`` on a devnet that is up: the guardian's key pauses the executor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.deploying import PAUSED, Announcements
from tidegate.app.deploying.announced import act_id
from tidegate.app.devnet import (
    devnet_address,
    node_records,
    parse_chains,
    read_book,
    start_nodes,
    stop_nodes,
)
from tidegate.chain import Connection, encode_call

GUARDIAN = devnet_address("guardian")
CHAINS = {"calm": 31411, "brisk": 31413}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    folder = tmp_path / "home" / "devnet"
    start_nodes(folder, parse_chains(",".join(f"{name}:{chain_id}:1" for name, chain_id in CHAINS.items())))
    yield tmp_path / "home"
    stop_nodes(folder)


def stop(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = run(["stop", "--reason", "theft", "--on-chain", *words, "--json"])
    return code, json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def paused(home: Path, chain: str) -> dict[str, bool]:
    """Return of every executor of a chain's book whether the chain says that it is paused."""
    record, book = node_records(home / "devnet")[chain], read_book(home / "devnet", chain)
    node = Connection(record.url, name="test")
    found = {}
    for name, entry in book.contracts.items():
        if name.startswith("executor."):
            call = {"to": entry.address, "data": "0x" + encode_call("paused()").hex()}
            found[name] = int(node.request("eth_call", call, "latest"), 16) == 1
    assert found
    return found


def is_paused(home: Path, chain: str = "calm") -> bool:
    return all(paused(home, chain).values())


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out.strip().splitlines()[-1]))


def test_on_chain_pauses_every_executor_in_scope_and_none_beyond(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = stop(capsys, "--scope", f"chain:{CHAINS['brisk']}")
    assert (code, {one["chain"] for one in answer["on_chain"]}) == (0, {"brisk"})
    assert is_paused(home, "brisk")
    assert not any(paused(home, "calm").values())
    code, answer = stop(capsys)
    assert code == 0
    assert {(one["chain"], one["contract"], one["state"]) for one in answer["on_chain"]} == {
        *(("brisk", name, "paused before") for name in paused(home, "brisk")),
        *(("calm", name, "paused") for name in paused(home, "calm")),
    }
    assert is_paused(home, "calm")


def test_without_the_guardian_s_key_the_safe_s_ready_pack_pauses_as_the_command_says(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(capsys, "safe", "packs", "--chain", "calm")
    code, answer = stop(capsys, "--scope", f"chain:{CHAINS['calm']}", "--guardian", "nobody")
    assert (code, {one["state"] for one in answer["on_chain"]}) == (10, {"pack ready"})
    for one in answer["on_chain"]:
        pack = home / "packs" / "calm" / f"{one['contract'].partition('.')[2]}-pause.json"
        assert f"tidegate safe execute {pack}" in one["next"]
    assert not is_paused(home)
    for owner in ("owner1", "owner3", "owner5"):
        typed(capsys, "safe", "sign", str(pack), "--chain", "calm", "--key", owner)
    typed(capsys, "safe", "execute", str(pack), "--chain", "calm", "--key", "operator")
    assert paused(home, "calm")[one["contract"]]
    assert not any(paused(home, "brisk").values())
    again = stop(capsys, "--scope", f"chain:{CHAINS['calm']}", "--guardian", "nobody")[1]["on_chain"]
    assert "paused before" in {found["state"] for found in again}


def test_on_chain_pauses_by_the_guardians_key_or_says_exactly_what_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ("--scope", "chain:31411")
    code, answer = stop(capsys, *here, "--guardian", "nobody")
    (missing,) = answer["on_chain"]
    assert (code, missing["state"]) == (10, "not paused")
    assert "there is no key nobody, and there is no pack at" in missing["detail"]
    assert "tidegate safe packs --chain calm" in missing["next"]

    pack = home / "packs" / "calm" / "main1-pause.json"
    assert run(["safe", "packs", "--chain", "calm", "--json"]) == 0
    capsys.readouterr()
    code, answer = stop(capsys, *here, "--guardian", "nobody")
    assert (code, answer["on_chain"][0]["state"]) == (10, "pack ready")
    assert f"tidegate safe sign {pack}" in answer["on_chain"][0]["next"]
    pack.write_bytes(b"{}")
    assert stop(capsys, *here, "--guardian", "nobody")[1]["on_chain"][0]["state"] == "pack damaged"
    assert not is_paused(home)

    code, answer = stop(capsys, "--scope", "chain:1")
    assert (code, answer["on_chain"]) == (10, [])
    assert not is_paused(home)

    code, answer = stop(capsys, "--scope", "desk:liquidation,chain:31411")
    assert (code, answer["on_chain"]) == (10, []), "main1 is the atomic desk's"
    assert not is_paused(home)

    code, answer = stop(capsys, "--scope", "desk:atomic,chain:31411")
    assert (code, [one["state"] for one in answer["on_chain"]]) == (0, ["paused"])
    assert is_paused(home)
    code, answer = stop(capsys, *here)
    assert (code, answer["on_chain"][0]["state"]) == (0, "paused before")
    pauses = act_id(read_book(home / "devnet", "calm").executor("main1").address, PAUSED, GUARDIAN, 1)
    assert Announcements(home, "calm", "main1").ids() == {pauses}, "announced once, as what it was"
