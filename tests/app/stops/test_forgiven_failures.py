"""A person's word that failures are understood: their count begins anew, latched or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.config import Config
from tidegate.app.running.safety import Safety, Splits, limit_table
from tidegate.app.stopping.lifting import take_notes
from tidegate.chain import devnet_network
from tidegate.ledger import LEDGER, Journal
from tidegate.model import Denied, Intent, NullRecorder, OutcomeKind, RecordKind, Stage, SystemClock
from tidegate.pipeline import HaltBook
from tidegate.risk import RunLimits

DEVNET = devnet_network(31337)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    monkeypatch.setattr("tidegate.app.cli.resume._WAIT_S", 0.0)
    return tmp_path / "home"


@pytest.fixture
def ledger(home: Path) -> Iterator[Journal]:
    with Journal.open(home / LEDGER, clock=SystemClock()) as journal:
        yield journal


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = run([*words, "--json"])
    return code, json.loads(capsys.readouterr().out.strip().splitlines()[-1])


@pytest.mark.parametrize("scope", ["desk:atomic", "chain:31337"])
def test_failures_are_forgiven_by_a_person_although_nothing_is_latched(
    home: Path,
    ledger: Journal,
    capsys: pytest.CaptureFixture[str],
    scope: str,
) -> None:
    words = ("resume", "--scope", scope, "--breaker", "failed_share", "--reason", "r", "--evidence", "e")
    code, answer = typed(capsys, *words)
    assert (code, answer["code"]) == (3, "nothing_stopped"), "no desk has run yet"
    safety = Safety.open(
        table=limit_table(Config(), Stage.PAPER, DEVNET, "devnet"),
        desk="atomic",
        network=DEVNET,
        journal=ledger,
        clock=SystemClock(),
        home=home,
        splits=Splits(SystemClock()),
        recorder=NullRecorder(),
    )
    now_s = SystemClock().now_ms() // 1_000
    for number in range(20):
        tried = Intent(f"{number}", "atomic", 31337, "arb", "gap", now_s + 99, 1, {}, venues=("v",))
        safety.limits.restore(tried, at_s=now_s)
        safety.limits.close(tried, kind=OutcomeKind.REVERTED, now_s=now_s)
    assert safety.limits.used("failed_share_bps", scope, now_s=now_s) == 10_000

    fresh = Intent("fresh", "atomic", 31337, "arb", "gap", now_s + 99, 1, {}, venues=("v",))
    with pytest.raises(Denied) as refused:
        safety.limits.reserve(fresh, RunLimits(), now_s=now_s)
    assert "tidegate resume --scope desk:atomic --breaker failed_share" in str(refused.value.fix)

    code, answer = typed(capsys, *words)
    assert (code, answer["code"]) == (20, "resume_noted")
    asyncio.run(take_notes(safety.stops.folder, breakers=safety.breakers, halts=HaltBook(ledger)))

    assert safety.limits.used("failed_share_bps", scope, now_s=now_s) == 0
    assert list(safety.stops.folder.notes()) == []
    (record,) = ledger.records(kind=RecordKind.RESUME)
    assert (record.body["scope"], record.body["breaker"]) == (scope, "failed_share")
