"""``tidegate stop`` and ``tidegate resume``: typed, then seen by another process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as run
from tidegate.app.doctor import look_at_state
from tidegate.app.stopping.lifting import note_for, take_notes
from tidegate.ledger import LEDGER, HaltBody, Journal, ReconciliationBody, place_of
from tidegate.ledger.states import Counted
from tidegate.model import Address, Operation, Stage, SystemClock
from tidegate.pipeline import HaltBook
from tidegate.risk import Breaker, BreakerBook, InputBoard, Level, Place, StopBook

HERE = Place("atomic", 10)
DRAWDOWN = Breaker(
    name="drawdown",
    scope="desk:atomic",
    input="drawdown_bps",
    levels=(Level(1_000),),
    clear=900,
    min_hold_s=0,
    cooldown_s=0,
    max_input_age_s=1_000,
    latched_from=1,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def ledger(home: Path) -> Iterator[Journal]:
    """A process that owns the ledger."""
    with Journal.open(home / LEDGER, clock=SystemClock()) as journal:
        yield journal


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = run([*words, "--json"])
    return code, json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code, answer = typed(capsys, "stop", "--list")
    assert code == 0
    return answer


def test_a_typed_stop_is_in_force_for_a_process_that_owns_the_ledger(
    home: Path, ledger: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    book = StopBook.open(home, clock=SystemClock(), journal=ledger)
    code, answer = typed(capsys, "stop", "--scope", "desk:atomic,chain:10", "--reason", "gas", "--by", "ann")
    assert (code, answer["stop"]["scope"], answer["stop"]["who"]) == (0, "desk:atomic,chain:10", ["ann"])
    stop = book.blocking(HERE, Operation.OPEN)
    assert stop is not None
    assert (stop.reason, stop.who, stop.set_by, stop.until_ms) == ("gas", ("ann",), "person", None)
    assert book.blocking(HERE, Operation.CLOSE) is None


def test_a_stop_before_anything_ever_ran_is_in_force_at_the_first_start(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(capsys, "stop", "--reason", "not yet")
    with Journal.open(home / LEDGER, clock=SystemClock()) as journal:
        book = StopBook.open(home, clock=SystemClock(), journal=journal)
        assert book.blocking(HERE, Operation.OPEN) is not None


def test_a_stop_is_journaled_by_the_command_while_nobody_owns_the_ledger(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Journal.open(home / LEDGER, clock=SystemClock()).close()
    _, answer = typed(capsys, "stop", "--reason", "gas")
    assert answer["journal"] == "written"
    (home / "stop.d" / answer["stop"]["name"]).unlink()
    assert [stop["reason"] for stop in listed(capsys)["stops"]] == ["gas"]


def test_what_is_stopped_is_listed_until_it_is_resumed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(capsys, "stop", "--scope", "chain:10", "--reason", "reorgs", "--for", "30m", "--by", "ann")
    (stop,) = listed(capsys)["stops"]
    assert (stop["scope"], stop["reason"], stop["needed"]) == ("chain:10", "reorgs", 1)
    assert stop["until_ms"] - stop["at_ms"] == 1_800_000
    code, answer = typed(
        capsys, "resume", "--scope", "chain:10", "--reason", "calm", "--evidence", "status page"
    )
    assert (code, len(answer["ended"])) == (0, 1)
    assert listed(capsys)["stops"] == []


def test_a_file_dropped_by_hand_is_listed_and_resumed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "stop.d").mkdir(parents=True)
    (home / "stop.d" / "HALT").touch()
    assert [stop["scope"] for stop in listed(capsys)["stops"]] == ["global"]
    code, _ = typed(capsys, "resume", "--scope", "global", "--reason", "r", "--evidence", "e")
    assert code == 0
    assert listed(capsys)["stops"] == []


def test_a_stop_without_a_reason_is_a_usage_error_and_stops_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = typed(capsys, "stop", "--scope", "global")
    assert (code, answer["code"]) == (2, "usage")
    assert listed(capsys)["stops"] == []


@pytest.mark.parametrize("missing", ["--reason", "--evidence"])
def test_to_resume_one_must_say_why_and_on_what_evidence(
    home: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    typed(capsys, "stop", "--reason", "gas")
    words = {"--reason": "calm", "--evidence": "ticket"}
    del words[missing]
    code, _ = typed(capsys, "resume", "--scope", "global", *(word for pair in words.items() for word in pair))
    assert code == 2
    assert len(listed(capsys)["stops"]) == 1


@pytest.mark.parametrize("words", [("--scope", "planet:mars"), ("--for", "soon")])
def test_what_can_not_be_read_stops_nothing_and_says_so(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, _ = typed(capsys, "stop", "--reason", "gas", *words)
    assert code in (2, 3)
    assert listed(capsys)["stops"] == []


def test_to_forbid_exits_and_to_allow_them_again_takes_two_people(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = typed(capsys, "stop", "--no-exits", "--reason", "theft", "--by", "ann", "--by", "ANN")
    assert (code, answer["code"]) == (10, "second_person_needed")
    code, answer = typed(capsys, "stop", "--no-exits", "--reason", "theft", "--by", "ann", "--by", "bob")
    assert (code, answer["allow_exit"]) == (0, False)
    resume = ("resume", "--scope", "global", "--reason", "r", "--evidence", "e")
    for who in ("ann", "ann"):
        code, answer = typed(capsys, *resume, "--by", who)
        assert (code, answer["code"]) == (20, "second_person_needed")
    assert listed(capsys)["stops"][0]["agreed"] == ["ann"]
    code, _ = typed(capsys, *resume, "--by", "carol")
    assert code == 0


def test_to_resume_what_is_not_stopped_names_what_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed(capsys, "stop", "--scope", "chain:10", "--reason", "gas")
    code, answer = typed(capsys, "resume", "--scope", "global", "--reason", "r", "--evidence", "e")
    assert (code, answer["code"], answer["allowed"]) == (3, "nothing_stopped", "chain:10")


def test_a_latched_breaker_is_resumed_from_another_process(
    home: Path, ledger: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.app.cli.resume._WAIT_S", 0.0)
    board = InputBoard(SystemClock())
    board.write("drawdown_bps", "desk:atomic", 2_000)
    book = BreakerBook.open([DRAWDOWN], inputs=board, clock=SystemClock(), journal=ledger)
    assert listed(capsys)["breakers"] == [
        {"scope": "desk:atomic", "breaker": "drawdown", "level": 1, "latched": True, "code": "tripped"}
    ]
    words = ("resume", "--scope", "desk:atomic", "--breaker", "drawdown", "--reason", "r", "--evidence", "e")
    code, answer = typed(capsys, *words)
    assert (code, answer["code"]) == (20, "resume_noted")
    board.write("drawdown_bps", "desk:atomic", 0)
    stops = StopBook.open(home, clock=SystemClock(), journal=ledger)
    asyncio.run(take_notes(stops.folder, breakers=book, halts=HaltBook(ledger)))
    assert book.state("desk:atomic", "drawdown").level == 0
    code, answer = typed(capsys, *words)
    assert (code, answer["code"]) == (3, "nothing_stopped")


def test_a_halt_is_lifted_by_a_person_from_another_process(
    home: Path, ledger: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.app.cli.resume._WAIT_S", 0.0)
    halts = HaltBook(ledger)
    halts.halt("desk:atomic", "balances differ")
    assert [halt["scope"] for halt in listed(capsys)["halts"]] == ["desk:atomic"]
    typed(
        capsys,
        "resume",
        "--scope",
        "desk:atomic",
        "--reason",
        "found",
        "--evidence",
        "ticket 9",
        "--by",
        "ann",
    )
    board = InputBoard(SystemClock())
    stops = StopBook.open(home, clock=SystemClock(), journal=ledger)
    breakers = BreakerBook.open([], inputs=board, clock=SystemClock(), journal=ledger)
    asyncio.run(take_notes(stops.folder, breakers=breakers, halts=halts))
    assert halts.in_force() == ()
    *_, last = ledger.records(kind=HaltBody.KIND)
    assert (last.body["who"], last.body["detail"]) == ("ann", "found (evidence: ticket 9)")


def test_the_halt_of_a_key_is_lifted_by_the_sender_that_owns_it(home: Path, ledger: Journal) -> None:
    class Key:
        scope = "key:10:0xaa"
        lifted: tuple[str, str] | None = None

        async def lift(self, *, who: str, why: str) -> None:
            self.lifted = (who, why)

    key, stops = Key(), StopBook.open(home, clock=SystemClock(), journal=ledger)
    for scope in ("key:10:0xaa", "key:10:0xbb"):
        note = note_for(scope=scope, halt=scope, who="ann", reason="r", evidence="e", at_ms=1)
        stops.folder.write_note(note)
    breakers = BreakerBook.open([], inputs=InputBoard(SystemClock()), clock=SystemClock(), journal=ledger)
    asyncio.run(take_notes(stops.folder, breakers=breakers, halts=HaltBook(ledger), keys=(key,)))
    assert key.lifted == ("ann", "r (evidence: e)")
    assert [note.halt for _, note in stops.folder.notes()] == ["key:10:0xbb"]


def test_on_chain_without_a_chain_that_can_be_reached_is_blocked_and_the_stop_stands(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = typed(capsys, "stop", "--reason", "theft", "--on-chain")
    assert (code, answer["ok"], answer["on_chain"]) == (10, False, [])
    assert len(listed(capsys)["stops"]) == 1


@pytest.mark.parametrize("left", ["signer.sock", "signer.toml"])
def test_a_signer_that_does_not_answer_is_said_to_be_not_frozen_and_the_stop_stands(
    home: Path, capsys: pytest.CaptureFixture[str], left: str
) -> None:
    """One that was killed leaves its socket, one that ended its settings: neither is "none"."""
    (home / "signer").mkdir(parents=True)
    (home / "signer" / left).touch()
    code, answer = typed(capsys, "stop", "--reason", "theft")
    assert (code, answer["ok"], answer["signer"]["state"]) == (12, False, "not reached")
    assert "tidegate signer run" in answer["signer"]["next"]
    assert "tidegate signer freeze" in answer["signer"]["next"]
    assert len(listed(capsys)["stops"]) == 1
    assert run(["stop", "--reason", "theft"]) == 12
    assert "NOT FROZEN" in capsys.readouterr().out


def test_a_signer_that_the_configuration_names_is_the_one_that_is_asked(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.toml").write_text('[signer]\nsocket = "/nowhere/signer.sock"\n')
    code, answer = typed(capsys, "stop", "--reason", "theft", "--config", str(tmp_path / "other.toml"))
    assert (code, answer["signer"]["state"]) == (12, "not reached")
    assert "/nowhere/signer.sock" in answer["signer"]["detail"]


def test_without_any_signer_a_global_stop_says_so_and_is_done(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = typed(capsys, "stop", "--reason", "theft")
    assert (code, answer["signer"]["state"]) == (0, "none")


def test_a_stop_of_one_desk_leaves_the_signer_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "signer").mkdir(parents=True)
    (home / "signer" / "signer.sock").touch()
    code, answer = typed(capsys, "stop", "--scope", "desk:atomic", "--reason", "gas")
    assert (code, answer["signer"]["state"]) == (0, "not asked")


def test_people_read_what_is_stopped_and_how_it_ends(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["stop", "--scope", "desk:atomic", "--reason", "gas is wild", "--by", "ann"])
    printed = capsys.readouterr().out
    assert "stopped: desk:atomic, by ann: gas is wild" in printed
    assert "tidegate resume --scope desk:atomic" in printed
    run(["stop", "--list"])
    assert "stop     desk:atomic: gas is wild (ann, " in capsys.readouterr().out


def test_books_that_differ_are_listed_with_their_way_out_until_a_person_explains_them(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account, token = Address("0x" + "a1" * 20), Address("0x" + "b2" * 20)
    counted = Counted(
        account=account, token=token, symbol="WETH", decimals=18, booked=10**18, found=3 * 10**18
    )
    body = ReconciliationBody(
        stage=Stage.CANARY,
        desk="atomic",
        chain_id=10,
        block_number=7,
        block_hash="0x" + "00" * 32,
        verdict="different",
        counted=(counted,),
    )
    with Journal.open(home / LEDGER, clock=SystemClock()) as journal:
        seq = journal.append(body.KIND, body, actor="reconciliation").seq
    (found,) = listed(capsys)["differences"]
    assert (found["seq"], found["desk"], found["chain_id"], found["stage"]) == (seq, "atomic", 10, "canary")
    assert found["found"] == f"WETH of {account}: chain 3, books 1"
    assert run(["stop", "--list"]) == 0
    shown = capsys.readouterr().out
    assert f"tidegate journal explain {seq} --reason" in shown
    assert "nothing is stopped" not in shown
    state = {one.check: one for one in look_at_state(home, place_of(home / LEDGER), SystemClock())}
    assert not state["books"].ok
    assert f"tidegate journal explain {seq}" in state["books"].fix
    typed(capsys, "journal", "explain", str(seq), "--reason", "the treasury sent it", "--person", "ann")
    assert listed(capsys)["differences"] == []
    assert all(one.ok for one in look_at_state(home, place_of(home / LEDGER), SystemClock()))
