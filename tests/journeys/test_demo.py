"""The demo as a user lives it: the same seed, the same run; killed anywhere, it goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tidegate.app.demo import Options, Progress, Result, run_demo
from tidegate.ledger import JournalReader
from tidegate.model import ConfigError, RecordKind

BLOCKS = 20


def demo(home: Path, *, stop_at: int | None = None, **changes: object) -> Result:
    options = Options(home=home, **{"blocks": BLOCKS, **changes})  # type: ignore[arg-type]

    async def run() -> Result:
        stop = asyncio.Event()

        def watch(progress: Progress) -> None:
            if stop_at is not None and progress.blocks >= stop_at:
                stop.set()

        return await run_demo(options, watch, stop)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return demo(tmp_path_factory.mktemp("demo"))


def test_the_desk_lands_flash_arbitrage_and_the_leveraged_loop(whole: Result) -> None:
    strategies = whole.summary["strategies"]
    assert whole.summary["blocks"] == BLOCKS
    assert whole.summary["ended"] == "all blocks"
    assert strategies["v2-v3-arb"]["landed"] + strategies["v3-v2-arb"]["landed"] >= 1
    for loop in ("leverage-open", "leverage-close"):
        assert (strategies[loop]["intents"], strategies[loop]["landed"]) == (1, 1)
    assert whole.summary["open_positions"] == []
    arbitrage = strategies["v2-v3-arb"]["value_after_gas_usd_e6"]
    assert arbitrage + strategies["v3-v2-arb"]["value_after_gas_usd_e6"] > 0


def test_ended_between_opening_and_closing_the_position_stands_at_its_value(tmp_path: Path) -> None:
    result = demo(tmp_path, stop_at=6)
    assert result.summary["strategies"]["leverage-open"]["landed"] == 1
    (position,) = result.summary["open_positions"]
    worth, holds, owes = (position[f"{name}_usd_e6"] for name in ("value", "collateral", "debt"))
    assert worth == holds - owes
    assert 0 < owes < holds
    spent = -result.summary["strategies"]["leverage-open"]["value_after_gas_usd_e6"]
    assert 0.95 * spent < worth < 1.05 * spent, "what went in is still there"


def test_every_step_of_a_landed_run_is_in_the_journal(whole: Result) -> None:
    with JournalReader.open(whole.ledger) as reader:
        landed = [
            one for one in reader.attempts() if one.outcome is not None and one.outcome.value == "landed"
        ]
        assert landed
        for attempt in landed:
            to_the_outcome = (
                *("intent", "limits", "plan", "guards", "simulation", "bounds", "authorisation"),
                *("nonce", "signature", "sent", "receipt", "guards", "booking", "outcome"),
            )
            settled = attempt.states[len(to_the_outcome) :]
            assert attempt.states[: len(to_the_outcome)] == to_the_outcome
            assert settled == ("confirmed", "finalised")[: len(settled)]
        assert reader.verify().head_hash == whole.summary["journal"]["head"]


def test_the_same_seed_gives_the_same_summary_and_journal_head(whole: Result, tmp_path: Path) -> None:
    assert demo(tmp_path).summary == whole.summary


def test_another_seed_gives_another_run(whole: Result, tmp_path: Path) -> None:
    other = demo(tmp_path, seed=8, blocks=5)
    assert other.summary["journal"]["head"] != whole.summary["journal"]["head"]


def test_the_report_opens_without_a_network(whole: Result) -> None:
    page = whole.report.read_text(encoding="utf-8")
    assert "<svg" in page
    assert whole.summary["journal"]["head"][:12] in page
    for loads in ('src="', "@import", "url(", "<script", "<link"):
        assert loads not in page


def test_asked_to_stop_it_ends_whole(tmp_path: Path) -> None:
    result = demo(tmp_path, stop_at=3)
    assert 3 <= result.summary["blocks"] < BLOCKS
    assert result.summary["ended"] == "asked to stop"
    with JournalReader.open(result.ledger) as reader:
        assert [record.kind for record in reader.last_records(1)] == [RecordKind.SUMMARY]
        assert reader.attempts(open_only=True) == []


def killed_at(home: Path, records: int) -> None:
    """Start the demo as a user does and kill it as soon as that many records are on disk."""
    environment = {**os.environ, "TIDEGATE_HOME": str(home)}
    command = [sys.executable, "-m", "tidegate", "demo", "--once", "--json", "--blocks", str(BLOCKS)]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ledger = home / "demo" / "run-0001" / "ledger.sqlite"
    while child.poll() is None and _on_disk(ledger) < records:
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    out, err = child.communicate()
    assert child.returncode == -signal.SIGKILL, (out, err)


def _on_disk(ledger: Path) -> int:
    if not ledger.exists():
        return 0
    try:
        with JournalReader.open(ledger) as reader:
            return reader.head()[0]
    except Exception:  # noqa: BLE001 - it is being created at this very moment
        return 0


def check_continued(home: Path) -> None:
    result = demo(home / "demo")
    assert result.ledger.parent.name == "run-0001", "it must go on with the run that was cut off"
    assert result.summary["blocks"] == BLOCKS
    with JournalReader.open(result.ledger) as reader:
        assert reader.verify().head_hash == result.summary["journal"]["head"]
        assert reader.attempts(open_only=True) == []
        for attempt in reader.attempts():
            count = Counter(record.kind for record in reader.records(correlation_id=attempt.intent_id))
            assert (count[RecordKind.INTENT], count[RecordKind.OUTCOME]) == (1, 1), attempt
            for kind in (RecordKind.NONCE, RecordKind.SIGNATURE, RecordKind.RECEIPT, RecordKind.BOOKING):
                assert count[kind] <= 1, attempt
        decisions = [record.body for record in reader.records(kind=RecordKind.DECISION)]
        decided = Counter((body["subject"], body["block"]) for body in decisions)
        assert set(decided.values()) == {1}
        blocks = [record.body["block"] for record in reader.records(kind=RecordKind.EVENT)]
        assert blocks == list(range(blocks[0], blocks[0] + len(blocks)))


@pytest.mark.parametrize("records", [2, 40])
def test_killed_it_goes_on_from_the_journal_without_running_an_intent_twice(
    tmp_path: Path, records: int
) -> None:
    killed_at(tmp_path, records)
    check_continued(tmp_path)


def test_ctrl_c_reaches_the_whole_group_and_the_demo_still_ends_whole(tmp_path: Path) -> None:
    environment = {**os.environ, "TIDEGATE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "tidegate", "demo", "--once", "--json", "--blocks", "500"]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True)
    ledger = tmp_path / "demo" / "run-0001" / "ledger.sqlite"
    while child.poll() is None and _on_disk(ledger) < 30:
        time.sleep(0.002)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to everyone in the group
    out, _ = child.communicate()
    assert child.returncode == 0
    summary = json.loads(out.splitlines()[-1])
    assert summary["ended"] == "asked to stop"
    with JournalReader.open(ledger) as reader:
        assert reader.verify().head_hash == summary["journal"]["head"]
        assert reader.attempts(open_only=True) == []
        reasons = {record.body["reason"] for record in reader.records(kind=RecordKind.DECISION)}
        assert reasons <= {None, "no_opportunity", "unprofitable", "in_flight", "cooldown"}


@pytest.mark.slow
@pytest.mark.parametrize("records", range(3, 130, 5))
def test_killed_anywhere_it_goes_on(tmp_path: Path, records: int) -> None:
    killed_at(tmp_path, records)
    check_continued(tmp_path)


def test_an_unfinished_run_with_other_settings_is_not_continued_silently(tmp_path: Path) -> None:
    killed_at(tmp_path, 2)
    with pytest.raises(ConfigError, match="an unfinished demo lies in") as caught:
        demo(tmp_path / "demo", seed=8)
    assert caught.value.fix is not None
    assert "--fresh" in caught.value.fix
    assert demo(tmp_path / "demo", seed=8, blocks=2, fresh=True).ledger.parent.name == "run-0002"


def test_the_command_prints_the_summary_as_its_last_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tidegate", "demo", "--once", "--json", "--blocks", "3", "--seed", "1"]
    environment = {**os.environ, "TIDEGATE_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["seed"], summary["blocks"]) == (1, 3)
