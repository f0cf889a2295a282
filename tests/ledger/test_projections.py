"""Attempts and PnL: what they say, and that they are nothing but a fold of the records."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.ledger import (
    Body,
    BookingBody,
    Delta,
    IntentBody,
    Journal,
    OutcomeBody,
    SentBody,
    StandingBody,
    rebuild,
)
from tidegate.model import (
    ConfigError,
    ManualClock,
    OutcomeKind,
    Reason,
    RecordKind,
    Stage,
)

from .walks import WETH, a_plan, an_intent, decision, denied, landed, what_stands, write


def test_an_attempt_tells_the_whole_run(journal: Journal, clock: ManualClock) -> None:
    intent = an_intent(5)
    for body in landed(intent, nonce=9, gas_used=300_000):
        clock.set_ms(clock.now_ms() + 10)
        write(journal, intent, [body])
    (attempt,) = journal.attempts()
    start = 1_700_000_000_000
    assert attempt.intent_id == intent.id
    assert (attempt.desk, attempt.subject, attempt.chain_id) == ("atomic", "arb", 31337)
    assert attempt.stage is Stage.PAPER
    assert attempt.notional_usd_e6 == 3_000_000_005
    assert ",".join(attempt.states) == (
        "intent,limits,plan,simulation,authorisation,nonce,signature,sent,receipt,outcome,booking"
    )
    assert attempt.plan_digest == a_plan(intent).digest
    assert (attempt.transaction_hash, attempt.nonce) == ("0x" + f"{9:064x}", 9)
    assert (attempt.outcome, attempt.reason) == (OutcomeKind.LANDED, None)
    assert (attempt.block_number, attempt.gas_used) == (8, 300_000)
    assert attempt.gas_cost_wei == 300_000 * 2_000_000_000
    assert attempt.intent_at_ms == start + 10
    assert (attempt.sent_at_ms, attempt.settled_at_ms) == (start + 80, start + 100)


def test_a_refusal_keeps_its_reason(journal: Journal) -> None:
    intent = an_intent()
    write(journal, intent, denied(intent, Reason.LIMIT))
    (attempt,) = journal.attempts(intent_id=intent.id)
    assert (attempt.outcome, attempt.reason) == (OutcomeKind.DENIED, Reason.LIMIT)
    assert attempt.detail == "profit after costs is -3"
    assert (attempt.transaction_hash, attempt.sent_at_ms) == ("", None)


def test_open_attempts_are_those_that_may_still_land(journal: Journal) -> None:
    finished, sent, ambiguous = an_intent(1), an_intent(2), an_intent(3)
    write(journal, finished, landed(finished))
    write(journal, sent, landed(sent)[:8])
    write(journal, ambiguous, [*landed(ambiguous)[:8], OutcomeBody(kind=OutcomeKind.AMBIGUOUS)])
    assert [attempt.intent_id for attempt in journal.attempts(open_only=True)] == [sent.id, ambiguous.id]
    write(journal, ambiguous, [OutcomeBody(kind=OutcomeKind.DROPPED)])
    assert [attempt.intent_id for attempt in journal.attempts(open_only=True)] == [sent.id]


def test_profit_adds_up_per_desk_and_token_and_gas_stands_alone(journal: Journal) -> None:
    usdc = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
    bookings = [
        ("atomic", [Delta(WETH, "WETH", 18, 2**70), Delta(usdc, "USDC", 6, -5)], 100),
        ("atomic", [Delta(WETH, "WETH", 18, -3)], 50),
        ("other", [Delta(WETH, "WETH", 18, 7)], 0),
    ]
    for number, (desk, deltas, gas) in enumerate(bookings):
        intent = an_intent(number, desk=desk)
        booking = BookingBody(deltas=tuple(deltas), gas_cost_wei=gas, value_usd_e6=1_000 * (number + 1))
        write(journal, intent, [IntentBody(intent=intent, stage=Stage.PAPER), booking])
    lines = [
        (line.desk, line.entry, line.symbol, line.amount, line.cumulative)
        for line in journal.profit_and_loss()
    ]
    assert lines == [
        ("atomic", "delta", "WETH", 2**70, 2**70),
        ("atomic", "delta", "USDC", -5, -5),
        ("atomic", "gas", "ETH", -100, -100),
        ("atomic", "value", "USD", 1_000, 1_000),
        ("atomic", "delta", "WETH", -3, 2**70 - 3),
        ("atomic", "gas", "ETH", -50, -150),
        ("atomic", "value", "USD", 2_000, 3_000),
        ("other", "delta", "WETH", 7, 7),
        ("other", "value", "USD", 3_000, 3_000),
    ]


def test_a_reorg_is_booked_by_turning_the_signs(journal: Journal) -> None:
    intent = an_intent()
    write(journal, intent, landed(intent, profit=11))
    turned = BookingBody(
        deltas=(Delta(WETH, "WETH", 18, -11),), gas_cost_wei=-600_000_000_000_000, value_usd_e6=-31_000_000
    )
    write(journal, intent, [turned])
    assert {line.entry: line.cumulative for line in journal.profit_and_loss()} == {
        "delta": 0,
        "gas": 0,
        "value": 0,
    }


def test_records_without_an_intent_leave_the_projections_alone(journal: Journal) -> None:
    journal.append(RecordKind.DECISION, decision(an_intent(), acted=False), actor="atomic")
    journal.append(RecordKind.SENT, SentBody(hash="0x1"), actor="street", correlation_id="unknown")
    booking = BookingBody(deltas=(Delta(WETH, "WETH", 18, 1),), gas_cost_wei=1)
    journal.append(RecordKind.BOOKING, booking, actor="street", correlation_id="unknown")
    assert journal.attempts() == []
    assert journal.profit_and_loss() == []


def test_rebuild_names_the_rows_that_differ(path: Path, tmp_path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock) as journal:
        for number in (1, 2):
            write(journal, an_intent(number), landed(an_intent(number)))
        assert rebuild(journal, tmp_path / "equal.sqlite").is_equal
        with pytest.raises(ConfigError, match="exists"):
            rebuild(journal, tmp_path / "equal.sqlite")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE attempts SET gas_used = 1 WHERE intent_id = ?", (an_intent(2).id,))
        connection.execute("DELETE FROM pnl WHERE seq = 11 AND line = 0")
    connection.close()
    with Journal.open(path, clock=clock) as journal:
        report = rebuild(journal, tmp_path / "differs.sqlite")
    assert not report.is_equal
    assert report.differences == (f"attempts {an_intent(2).id}", "pnl 11 0")
    assert report.rows == {"attempts": 2, "pnl": 6, "positions": 2, "standing": 0}
    with Journal.open(tmp_path / "differs.sqlite", clock=clock) as copy:
        assert copy.verify().records == 22
        assert copy.attempts()[1].gas_used == 300_000


def prefixes(number: int) -> st.SearchStrategy[list[Body]]:
    """Runs that end anywhere: a kill, a refusal, an outcome that changes, a booking turned round."""
    intent = an_intent(number, desk=("atomic", "other")[number % 2])
    amounts = st.integers(min_value=-(2**255), max_value=2**255)
    full = st.builds(lambda profit: landed(intent, nonce=number, profit=profit), amounts)
    cut = st.tuples(full, st.integers(min_value=1, max_value=11)).map(lambda pair: pair[0][: pair[1]])
    changed = full.map(
        lambda run: [*run, OutcomeBody(kind=OutcomeKind.AMBIGUOUS), OutcomeBody(kind=OutcomeKind.DROPPED)]
    )
    return st.one_of(full, cut, changed, st.just(denied(intent)))


@st.composite
def scripts(draw: st.DrawFn) -> list[tuple[str, Body | None]]:
    """Interleave several runs, with commits (None) at arbitrary places between."""
    queues = [[(an_intent(n).id, body) for body in draw(prefixes(n))] for n in range(draw(st.integers(1, 5)))]
    names = draw(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans()), max_size=3))
    queues += [[("", body) for body in what_stands(name, is_over=is_over)] for name, is_over in names]
    script: list[tuple[str, Body | None]] = []
    while queues:
        queue = draw(st.sampled_from(queues))
        script.append(queue.pop(0))
        if draw(st.booleans()):
            script.append(("", None))
        queues = [left for left in queues if left]
    return script


def last_of_each_name(script: list[tuple[str, Body | None]]) -> set[tuple[str, str]]:
    """Return what stands at the end, found the slow way."""
    stands: dict[tuple[str, str], bool] = {}
    for _, body in script:
        if isinstance(body, StandingBody):
            stands |= {(body.TOPIC, name): body.stands for name in body.names}
    return {key for key, still in stands.items() if still}


@given(script=scripts())
@settings(deadline=None, derandomize=True, max_examples=20)
def test_a_rebuild_equals_the_live_tables(script: list[tuple[str, Body | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Journal.open(Path(folder) / "ledger.sqlite", clock=ManualClock(1)) as journal:
            for intent_id, body in script:
                if body is None:
                    journal.flush()
                else:
                    journal.append(body.KIND, body, actor="street", correlation_id=intent_id)
            report = rebuild(journal, Path(folder) / "copy.sqlite")
            intents = {intent_id for intent_id, _ in script if intent_id}
        assert report.differences == ()
        assert report.rows["attempts"] == len(intents)
        assert report.rows["standing"] == len(last_of_each_name(script))
        assert report.rows["pnl"] == sum(
            len(body.deltas) + (body.gas_cost_wei != 0) + 1
            for _, body in script
            if isinstance(body, BookingBody)
        )


def test_what_stands_is_the_newest_of_its_name_until_it_is_ended(journal: Journal) -> None:
    for name in ("one", "two"):
        for body in what_stands(name):
            journal.append(body.KIND, body, actor="x")
    assert [one.name for one in journal.standing("cursor")] == ["10:one", "10:two"]
    assert [one.name for one in journal.standing("stop")] == ["stop one", "stop two"]
    assert [one.body["level"] for one in journal.standing("breaker")] == [1, 1]
    (lease,) = journal.standing("lease")  # of one key on one chain there is one
    assert (lease.body["holder"], lease.kind, lease.at_ms) == ("two", RecordKind.LEASE, 1_700_000_000_000)
    for body in what_stands("one", is_over=True):
        journal.append(body.KIND, body, actor="x")
    assert [one.name for one in journal.standing("stop")] == ["stop two"]
    assert [one.name for one in journal.standing("halt")] == ["desk:two"]
    assert journal.standing("lease") == []
    assert [one.name for one in journal.standing("cursor")] == ["10:one", "10:two"]
