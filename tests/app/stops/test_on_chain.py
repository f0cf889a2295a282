"""``tidegate stop --on-chain`` on a devnet that is up: the guardian's key pauses the executor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.devnet import node_records, parse_chains, read_book, start_nodes, stop_nodes
from tidegate.chain import Connection, encode_call

CHAIN = "calm:31411:1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    folder = tmp_path / "home" / "devnet"
    start_nodes(folder, parse_chains(CHAIN))
    yield tmp_path / "home"
    stop_nodes(folder)


def stop(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = run(["stop", "--reason", "theft", "--on-chain", *words, "--json"])
    return code, json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def is_paused(home: Path) -> bool:
    record = node_records(home / "devnet")["calm"]
    executor = read_book(home / "devnet", "calm").entry("executor.main1").address
    call = {"to": executor, "data": "0x" + encode_call("paused()").hex()}
    return int(Connection(record.url, name="test").request("eth_call", call, "latest"), 16) == 1


def test_on_chain_pauses_by_the_guardians_key_or_says_exactly_what_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = stop(capsys, "--guardian", "nobody")
    (missing,) = answer["on_chain"]
    assert (code, missing["state"]) == (10, "not paused")
    assert "there is no key nobody, and there is no pack at" in missing["detail"]
    assert "tidegate safe packs --chain calm" in missing["next"]

    pack = home / "packs" / "calm" / "main1-pause.json"
    assert run(["safe", "packs", "--chain", "calm", "--json"]) == 0
    capsys.readouterr()
    code, answer = stop(capsys, "--guardian", "nobody")
    assert (code, answer["on_chain"][0]["state"]) == (10, "pack ready")
    assert f"tidegate safe sign {pack}" in answer["on_chain"][0]["next"]
    pack.write_bytes(b"{}")
    assert stop(capsys, "--guardian", "nobody")[1]["on_chain"][0]["state"] == "pack damaged"
    assert not is_paused(home)

    code, answer = stop(capsys, "--scope", "chain:1")
    assert (code, answer["on_chain"]) == (10, [])
    assert not is_paused(home)

    code, answer = stop(capsys, "--scope", "desk:atomic,chain:31411")
    assert (code, [one["state"] for one in answer["on_chain"]]) == (0, ["paused"])
    assert is_paused(home)
    code, answer = stop(capsys)
    assert (code, answer["on_chain"][0]["state"]) == (0, "paused before")
