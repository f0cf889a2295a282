"""The drills, each short: they run for real, judge what they saw, and are written down."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.drills import LiveStopDrill, drill_stop, drill_stop_live
from tidegate.app.drills.kill import _judge, drill_kill
from tidegate.app.drills.stop import AIM_MS, StopDrill, worst
from tidegate.ledger import LEDGER, DrillBody, Journal, JournalReader
from tidegate.model import RecordKind, SystemClock


def test_the_stop_drill_stops_a_loaded_street_and_lets_an_exit_pass() -> None:
    """How long it took is the drill's own verdict, and no assertion of a test on a busy machine."""
    body = asyncio.run(drill_stop(rounds=1))
    figures = body.figures
    assert figures["exits_landed"] == 1
    assert min(figures["signatures"], figures["denied"]) > 0
    assert figures["to_durable_p99_ms"] > 0


def test_the_kill_drill_kills_and_the_chain_finds_nothing_doubled_or_lost() -> None:
    body = drill_kill(schedules=3, seed=3)
    assert body.passed, body.detail
    assert body.figures["kills"] > 0
    assert (body.figures["intents"], body.figures["lost"], body.figures["doubled"]) == (9, 0, 0)


@pytest.mark.slow
def test_two_hundred_kill_schedules() -> None:
    body = drill_kill(schedules=200, seed=11)
    assert body.passed, body.detail


def test_the_kill_drills_judge_finds_what_is_doubled_and_what_is_lost(tmp_path: Path) -> None:
    Journal.open(tmp_path / LEDGER, clock=SystemClock()).close()
    lost, doubled = _judge(tmp_path / LEDGER, ["a", "b"], Counter({"a": 2}))
    assert len(lost) == 2
    assert doubled == ["a"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    return tmp_path / "home"


def test_reads_survive_two_of_three_endpoints_and_the_drill_is_written_down(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["drill", "rpc-failover", "--seconds", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["figures"]["died"], answer["figures"]["lost"]) == (2, 0)
    with JournalReader.open(home / LEDGER) as reader:
        (record,) = reader.records(kind=RecordKind.DRILL)
        assert DrillBody.from_body(record.body).figures == answer["figures"]


def test_a_restored_ledger_has_the_same_head_and_starts_stopped(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["drill", "restore", "--intents", "8", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert (figures["head_equal"], figures["starts_stopped"]) == (1, 1)
    assert figures["records"] > 0


def test_a_drill_beside_a_process_that_owns_the_ledger_says_that_it_was_not_written(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal.open(home / LEDGER, clock=SystemClock()):
        assert run(["drill", "rpc-failover", "--seconds", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recorded"].startswith("NO: ")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"to_last_signature_ms": [10, AIM_MS]},
        {"to_last_signature_ms": [10]},
        {"exits_landed": 1},
        {"denied": 0},
        {"signatures": 0},
    ],
    ids=str,
)
def test_the_stop_drill_holds_only_if_every_round_did(changes: dict[str, object]) -> None:
    good = {"to_last_signature_ms": [10, AIM_MS - 1], "exits_landed": 2, "denied": 1, "signatures": 1}
    drill = StopDrill(rounds=2, offered_per_s=50, **{**good, **changes})  # type: ignore[arg-type]
    assert drill.passed is (changes == {})


@pytest.mark.slow
def test_the_live_stop_drill_stops_a_canary_and_a_worker_that_knows_no_stop() -> None:
    """``tidegate run``, the signer and the command are processes; how long it took is the drill's verdict."""
    figures = asyncio.run(drill_stop_live(rounds=2)).figures
    assert figures["exits_signed"] == 2
    assert min(figures["run_signatures"], figures["rogue_signatures"]) > 0
    assert figures["to_frozen_p99_ms"] > 0
    assert figures["rogue_to_last_signature_p99_ms"] <= figures["to_frozen_p99_ms"], "the freeze ends it"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"run_to_last_ms": [10, AIM_MS]},
        {"rogue_to_last_ms": [10, AIM_MS]},
        {"rogue_to_last_ms": [10]},
        {"exits_signed": 1},
        {"run_signatures": 1},
        {"rogue_signatures": 0},
    ],
    ids=str,
)
def test_the_live_stop_drill_holds_only_if_every_round_did(changes: dict[str, object]) -> None:
    good = {
        "run_to_last_ms": [10, AIM_MS - 1],
        "rogue_to_last_ms": [10, AIM_MS - 1],
        "exits_signed": 2,
        "run_signatures": 2,
        "rogue_signatures": 2,
    }
    drill = LiveStopDrill(rounds=2, asked_per_s=50, **{**good, **changes})  # type: ignore[arg-type]
    assert drill.passed is (changes == {})


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 99, -1), ([5], 50, 5), ([3, 1, 2], 99, 3), ([3, 1, 2], 50, 2), (list(range(1, 201)), 99, 198)],
)
def test_a_percentile_of_few_is_the_worst(values: list[int], percent: int, expected: int) -> None:
    assert worst(values, percent) == expected
