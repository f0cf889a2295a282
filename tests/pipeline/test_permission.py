"""Stops, breakers and halts are seen by every step of the street."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, intent
from tests.pipeline.harness import key_of_tests, kinds, street_of

from tidegate.ledger import Journal
from tidegate.model import (
    Denied,
    ManualClock,
    Operation,
    OutcomeKind,
    Reason,
    RecordKind,
    SignedTransaction,
    UnsignedTransaction,
)
from tidegate.pipeline import Permission, Run, Street, recover
from tidegate.risk import Place


class Stop:
    def as_denied(self) -> Denied:
        return Denied(Reason.STOPPED, "a stop is in force")


class Switch:
    """Stops and breakers that the test switches; what they are asked is counted."""

    def __init__(self, from_question: int = 1, *, exits_too: bool = False) -> None:
        self.asked = 0
        self._from, self._exits_too = from_question, exits_too

    def blocking(self, place: Place, operation: Operation) -> Stop | None:
        self.asked += 1
        is_on = self.asked >= self._from and (self._exits_too or not operation.is_exit)
        return Stop() if is_on else None

    masked = blocking


class Blind:
    def blocking(self, place: Place, operation: Operation) -> Stop | None:
        raise OSError("stop.d can not be read")


def walk(street: Street, operation: Operation = Operation.OPEN) -> tuple[OutcomeKind, Reason | None] | None:
    outcome = asyncio.run(street.submit(intent(operation=operation)))
    return None if outcome is None else (outcome.kind, outcome.reason)


def test_a_stop_is_looked_at_at_acceptance_authorisation_and_right_before_the_signature(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    switch = Switch(from_question=99)
    assert walk(street_of(journal, chain, desk, stops=(switch,))) is None
    assert switch.asked >= 5


@pytest.mark.parametrize(
    ("question", "rests_on"),
    [
        (1, RecordKind.INTENT),
        (2, RecordKind.BOUNDS),
        (3, RecordKind.AUTHORISATION),
        (4, RecordKind.AUTHORISATION),
        (5, RecordKind.NONCE),
    ],
)
@pytest.mark.parametrize("kind", ["stops", "breakers"])
def test_a_stop_or_breaker_that_comes_later_denies_what_was_accepted_before_it(
    journal: Journal, chain: FakeChain, desk: FakeDesk, question: int, rests_on: RecordKind, kind: str
) -> None:
    street = street_of(journal, chain, desk, **{kind: (Switch(question),)})
    assert walk(street) == (OutcomeKind.DENIED, Reason.STOPPED)
    assert kinds(journal)[-2:] == [rests_on, RecordKind.OUTCOME]
    assert chain.sends == 0


def test_a_stop_never_blocks_an_exit_unless_it_says_so(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    assert walk(street_of(journal, chain, desk, stops=(Switch(),)), Operation.CLOSE) is None


def test_a_stop_of_two_people_blocks_an_exit(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    street = street_of(journal, chain, desk, stops=(Switch(exits_too=True),))
    assert walk(street, Operation.CLOSE) == (OutcomeKind.DENIED, Reason.STOPPED)


def test_stops_that_can_not_be_read_stop_everything_but_exits(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    assert Permission((Blind(),)).refusal(intent(), Operation.CLOSE) is None
    refusal = Permission((Blind(),)).refusal(intent(), Operation.OPEN)
    assert refusal is not None
    assert "can not be known" in refusal.message
    assert walk(street_of(journal, chain, desk, stops=(Blind(),))) == (OutcomeKind.DENIED, Reason.STOPPED)


class ForgingSigner:
    """A wire between us and the key that changes what is asked for."""

    capability_id = ""

    def __init__(self, honest: int = 0) -> None:
        self._key, self._honest = key_of_tests(), honest
        self.address = self._key.address

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        self._honest -= 1
        digest = plan_digest if self._honest >= 0 else "00" * 32
        return self._key.sign_now(transaction, intent_id=intent_id, plan_digest=digest)


def test_bytes_changed_between_plan_and_signature_halt_the_desk_until_a_person_lifts_it(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    forged = street_of(journal, chain, desk, signer=ForgingSigner())
    assert walk(forged) == (OutcomeKind.DENIED, Reason.PLAN_DIGEST_MISMATCH)
    assert chain.sends == 0, "nothing is signed"
    again = street_of(journal, chain, desk, max_in_flight=9)  # a restart: the halt is in the ledger
    refused = asyncio.run(again.submit(intent("two")))
    assert refused is not None
    assert refused.reason is Reason.HALTED
    assert asyncio.run(again.submit(intent("exit", operation=Operation.WITHDRAW))) is None
    again.halts.lift("desk:fake", who="ada", why="the wire was replaced")
    assert asyncio.run(again.submit(intent("three"))) is None
    assert again.halts.in_force() == ()


@pytest.mark.parametrize("is_over", [False, True], ids=["a replacement", "a cancel"])
def test_bytes_changed_in_what_is_signed_later_under_the_nonce_halt_the_desk_too(
    journal: Journal, chain: FakeChain, desk: FakeDesk, is_over: bool
) -> None:
    street = street_of(journal, chain, desk, signer=ForgingSigner(honest=1), max_in_flight=9)
    assert walk(street) is None
    (run,) = street.open_runs
    assert run.tracked is not None
    run.tracked.work = msgspec.structs.replace(run.tracked.work, gas_budget_wei=10**18)  # room to raise
    for _ in range(2):
        asyncio.run(street.follow())
        chain.number += 5
        chain.time_s += 1_000 if is_over else 0
    asyncio.run(street.follow())
    assert [body.scope for body in street.halts.in_force()] == ["desk:fake"]
    assert (chain.sends, len(street.open_runs)) == (1, 1), "nothing new was signed; what is out is followed"
    refused = asyncio.run(street.submit(intent("two", deadline_s=10_000)))
    assert refused is not None
    assert refused.reason is Reason.HALTED


def test_a_halt_of_the_chain_written_by_another_is_seen_after_a_refresh(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street, other = street_of(journal, chain, desk), street_of(journal, chain, desk)
    other.halts.halt("chain:31337", "a reorg deeper than is followed")
    other.halts.halt("chain:10", "another chain")
    street.halts.refresh()
    assert walk(street) == (OutcomeKind.DENIED, Reason.HALTED)


def test_a_run_found_at_a_start_asks_the_new_streets_stops_before_its_signature(
    tmp_path: Path, chain: FakeChain, desk: FakeDesk
) -> None:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock()) as journal:
        first = street_of(journal, chain, desk)
        real: Callable[..., Awaitable[object]] = journal.append_and_wait

        async def until_the_nonce(kind: RecordKind, *arguments: object, **named: object) -> object:
            record = await real(kind, *arguments, **named)
            if kind is RecordKind.NONCE:
                raise KeyboardInterrupt
            return record

        journal.append_and_wait = until_the_nonce  # type: ignore[method-assign, assignment]
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(first.submit(intent()))
        journal.append_and_wait = real  # type: ignore[method-assign, assignment]
        second = street_of(journal, chain, desk, stops=(Switch(),))
        (run,) = asyncio.run(recovered(second, journal))
        assert run.outcome is not None
        assert run.outcome.reason is Reason.STOPPED
        assert chain.sends == 0


async def recovered(street: Street, journal: Journal) -> list[Run]:
    return await recover(street, journal, now_ms=0)
