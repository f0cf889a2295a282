"""``tidegate run``: paper through pool, sender, stops and books; bounds, signals, recordings."""

import json
import signal
import subprocess
import sys
from collections import deque
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tidegate.app import cli
from tidegate.app.cli.run import _View
from tidegate.app.config import FILE_NAME, STRATEGY, TEXT
from tidegate.app.progress import Ended, Progress
from tidegate.desks.atomic import template_text
from tidegate.ledger import (
    JournalReader,
    OutcomeBody,
    ReceiptBody,
    ReconciliationBody,
    Record,
    SimulationBody,
)
from tidegate.model import ConfigError, OutcomeKind, RecordKind, Stage
from tidegate.risk import StopFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / STRATEGY).parent.mkdir()
    (tmp_path / FILE_NAME).write_text(TEXT, encoding="utf-8")
    (tmp_path / STRATEGY).write_text(template_text("flash-arb"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def one(*words: str, code: int = 0) -> dict[str, Any]:
        assert cli.run_command(["run", *words, "--json"]) == code
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return one


def journal(folder: Path) -> list[Record]:
    with JournalReader.open(folder / "home" / "ledger.sqlite") as reader:
        return list(reader.records())


def of_kind(records: list[Record], body: Any) -> list[Any]:
    return [body.from_body(record.body) for record in records if record.kind is body.KIND]


def test_a_run_ends_after_its_blocks_and_its_journal_begins_and_ends_with_it(folder, run):
    summary = run("--blocks", "6")
    assert (summary["stage"], summary["ended"], summary["blocks"]) == ("paper", "all blocks", 6)
    records = journal(folder)
    assert sum(record.kind is RecordKind.DECISION for record in records) == 6
    assert records[-2].kind is RecordKind.SUMMARY or records[-1].kind is RecordKind.SUMMARY
    (session,) = [record.body for record in records if record.kind is RecordKind.SESSION]
    assert (session["stage"], session["run"]["chain_id"]) == ("paper", 31337)


def test_a_second_run_begins_anew_in_the_same_ledger_and_nothing_of_the_first_is_repeated(folder, run):
    first, second = run("--blocks", "8"), run("--blocks", "8")
    assert second["strategies"] == first["strategies"], (
        "the same market, and no intent counted as walked before"
    )
    assert "not_reconciled" not in second["refusals"], "the books begin with what the new world holds"
    verdicts = [one.verdict for one in of_kind(journal(folder), ReconciliationBody)]
    assert verdicts.count("opened") == 2
    assert "different" not in verdicts


def test_books_stay_equal_to_the_chain_when_gas_is_paid(folder, run):
    summary = run("--blocks", "6", "--set", "run.reconcile_every_blocks=1")
    assert summary["strategies"]["v2-v3-arb"]["gas_used"] > 0
    assert "not_reconciled" not in summary["refusals"]
    compared = of_kind(journal(folder), ReconciliationBody)
    assert {one.verdict for one in compared} == {"opened", "equal"}
    opened = {
        (item.account, item.token) for one in compared if one.verdict == "opened" for item in one.counted
    }
    with JournalReader.open(folder / "home" / "ledger.sqlite") as reader:
        booked = {(line.account, line.token) for line in reader.profit_and_loss() if line.entry != "value"}
    assert booked
    assert booked <= opened, "what a booking names was counted before the first one"


def test_once_lets_each_strategy_look_by_hand_and_ends(folder, run):
    summary = run("--once")
    assert summary["ended"] == "looked once"
    assert summary["strategies"]["v2-v3-arb"]["decisions"] == 1


def test_a_run_ends_when_its_time_is_over(folder, run):
    assert run("--for", "1s", "--pace", "0.1")["ended"] == "time is over"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--for", "10x"], 2),
        (["--stage", "backtest"], 3),
        (["--set", "run.desk=other"], 3),
        (["--blocks", "0"], 2),
        (["--record", "."], 3),
        (["--ledger", "."], 3),
        (["--ledger", "mysql://host/ledger"], 3),
    ],
)
def test_what_can_not_run_is_refused_by_name(folder, run, words, code):
    run(*words, code=code)
    assert not (folder / "home" / "ledger.sqlite").exists()


def test_the_ledger_is_that_of_the_configuration_that_was_named(folder, run):
    place = folder / "elsewhere"
    place.write_text("ledgers/named.sqlite", encoding="utf-8")
    place.chmod(0o600)
    run("--once", "--set", f"ledger.url='file:{place}'")
    assert (folder / "ledgers" / "named.sqlite").exists()
    assert not (folder / "home" / "ledger.sqlite").exists()


def test_a_desk_without_strategies_is_refused(folder, run):
    found = run("--set", "desk.atomic.strategies=[]", code=ConfigError.exit_code)
    assert "no strategy" in found["message"]


def test_a_stop_that_was_dropped_denies_every_intent(folder, run):
    StopFolder(folder / "home")
    (folder / "home" / "stop.d" / "enough").touch()
    summary = run("--once")
    assert summary["refusals"] == {"stopped": 1}
    records = journal(folder)
    assert RecordKind.STOP in {record.kind for record in records}
    assert RecordKind.SIGNATURE not in {record.kind for record in records}


def test_the_inclusion_delay_is_what_transactions_wait(folder, run):
    run("--once", "--set", "paper.inclusion_delay_blocks=2")
    records = journal(folder)
    (simulated,), (receipt,) = of_kind(records, SimulationBody), of_kind(records, ReceiptBody)
    assert receipt.block_number == simulated.block_number + 3


def test_what_the_node_loses_is_sent_again_by_recorded_bytes_of_one_nonce_alone(folder, run):
    run("--once", "--set", "paper.failure_share=1.0")
    records = journal(folder)
    kinds = [record.kind for record in records]
    assert kinds.count(RecordKind.SIGNATURE) == 1
    assert RecordKind.RECEIPT not in kinds
    sent = [record.body for record in records if record.kind in (RecordKind.SENT, RecordKind.AMBIGUOUS)]
    assert len(sent) >= 2
    signed = [
        record.body for record in records if record.kind in (RecordKind.SIGNATURE, RecordKind.REPLACEMENT)
    ]
    assert {body["hash"] for body in sent} <= {body["hash"] for body in signed}
    assert len({body["nonce"] for body in signed}) == 1


def test_what_is_left_open_on_a_paper_node_is_dropped_at_the_next_start(folder, run):
    assert run("--once", "--set", "paper.failure_share=1.0")["open"] == 1
    run("--blocks", "1")
    (first, *_) = of_kind(journal(folder), OutcomeBody)
    assert first.kind is OutcomeKind.DROPPED
    assert "world" in first.detail


def test_a_run_that_is_recorded_can_be_backtested(folder, run, capsys):
    summary = run("--blocks", "8", "--record", "tape")
    assert cli.run_command(["backtest", "atomic", "--tape", "tape", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["strategies"]["v2-v3-arb"]["decisions"] >= summary["blocks"]


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_finishes_what_is_in_hand_and_says_so(folder, asked):
    words = [sys.executable, "-m", "tidegate", "run", "--pace", "0.05"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "v2-v3-arb" in process.stdout.readline(), "a first outcome"
        process.send_signal(asked)
        answer, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    assert "ended: asked to stop" in answer
    kinds = [record.kind for record in journal(folder)]
    assert RecordKind.SUMMARY in kinds
    assert RecordKind.LEASE in kinds


def test_people_see_a_line_for_each_outcome_and_what_became_of_it_all(folder, capsys):
    assert cli.run_command(["run", "--once"]) == 0
    shown = capsys.readouterr().out
    assert "paper on devnet: 0 blocks, ended: looked once" in shown
    assert "v2-v3-arb" in shown


def test_every_stage_but_backtest_may_be_named(folder, run):
    """Those that need more say what: a chain that is up, or a signer."""
    for stage in (Stage.SHADOW, Stage.CANARY, Stage.PRODUCTION):
        found = run("--stage", stage.value, "--set", "chains.devnet.endpoints=[]", code=3)
        assert "devnet" in found["message"]


def test_what_is_in_the_way_is_said_once_with_its_next_step_and_again_at_the_end(folder, capsys):
    StopFolder(folder / "home")
    (folder / "home" / "stop.d" / "enough").touch()
    assert cli.run_command(["run", "--blocks", "4"]) == 0
    (first, last) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("in the way")]
    assert "stopped: " in first
    assert "next: tidegate " in first
    assert "next: tidegate " in last


def test_a_limit_without_room_is_named_where_it_denies(folder, capsys):
    assert cli.run_command(["run", "--once", "--set", "limits.notional_per_transaction_usd=1"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("in the way")]
    assert len(told) == 2
    assert all("limit: notional_per_transaction of " in line for line in told)
    assert all("raise it under `limits`" in line for line in told)


def test_an_outcome_is_cut_on_a_terminal_and_never_in_a_file():
    why = "step buy: Error(message=" + "long " * 40 + "end)"
    progress = Progress(recent=deque([Ended(7, "v2-v3-arb", OutcomeKind.REVERTED, "-0.97 USD", why)]))
    progress.account("v2-v3-arb").outcomes[OutcomeKind.REVERTED] = 1
    for is_terminal in (False, True):
        out = StringIO()
        console = Console(file=out, width=80, force_terminal=is_terminal, color_system=None)
        _View(console, console).watch(progress)
        (line,) = out.getvalue().splitlines()
        assert line.endswith("end)") is not is_terminal
