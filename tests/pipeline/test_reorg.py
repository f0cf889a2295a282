"""An outcome is given when a run has landed; a reorg takes it back, books included."""

import asyncio

import msgspec
import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, intent
from tests.pipeline.harness import kinds, street_of

from tidegate.chain import devnet_network
from tidegate.ledger import BookingBody, Journal
from tidegate.model import OutcomeKind, RecordKind
from tidegate.pipeline import Street, recover

DEEP = msgspec.structs.replace(devnet_network(31337), confirmations=3, reorg_max_blocks=5)


def amounts(journal: Journal) -> list[tuple[int, int, int]]:
    bodies = [BookingBody.from_body(one.body) for one in journal.records(kind=RecordKind.BOOKING)]
    return [(body.deltas[0].amount, body.gas_cost_wei, body.value_usd_e6) for body in bodies]


def landed(journal: Journal, chain: FakeChain, desk: FakeDesk) -> Street:
    street = street_of(journal, chain, desk, network=DEEP)
    asyncio.run(street.submit(intent()))
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
    assert street.open_runs == ()
    assert len(street.watched_runs) == 1
    return street


def test_a_reorg_books_back_and_the_same_bytes_land_again(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = landed(journal, chain, desk)
    chain.reorganise()
    assert asyncio.run(street.follow()) == []
    assert len(street.open_runs) == 1, "the chain owes an outcome again"
    (attempt,) = journal.attempts()
    assert (attempt.outcome, attempt.block_number) == (None, None)
    chain.mine()
    (again,) = asyncio.run(street.follow())
    assert again.kind is OutcomeKind.LANDED
    first, back, second = amounts(journal)
    assert back == tuple(-one for one in first)
    assert second == first
    assert len(chain.included) == 1
    assert kinds(journal).count(RecordKind.SIGNATURE) == 1


def test_a_restart_between_the_reorg_and_its_booking_books_back_once(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = landed(journal, chain, desk)
    chain.reorganise()
    (run,) = street.watched_runs
    assert run.tracked is not None
    assert street._sender is not None
    asyncio.run(street._sender.follow([run.tracked]))  # killed here: withdrawn, and not yet booked back
    assert kinds(journal)[-1] is RecordKind.WITHDRAWN
    again = street_of(journal, chain, desk, network=DEEP)
    asyncio.run(recover(again, journal, now_ms=0))
    asyncio.run(again.follow())
    chain.mine()
    (outcome,) = asyncio.run(again.follow())
    assert outcome.kind is OutcomeKind.LANDED
    assert sum(amount for amount, _, _ in amounts(journal)) == 7


def test_a_reorg_while_nobody_ran_is_found_at_the_start(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    landed(journal, chain, desk)
    chain.reorganise()
    again = street_of(journal, chain, desk, network=DEEP)
    assert asyncio.run(recover(again, journal, now_ms=0)) == [], "it had an outcome"
    asyncio.run(again.follow())
    assert len(again.open_runs) == 1


def test_a_run_is_watched_until_no_reorg_can_reach_it(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = landed(journal, chain, desk)
    for _ in range(6):
        chain.mine()
        asyncio.run(street.follow())
    assert street.watched_runs == ()
    assert kinds(journal)[-2:] == [RecordKind.CONFIRMED, RecordKind.FINALISED]


@pytest.mark.parametrize("deadline_s", [120])
def test_withdrawn_past_its_deadline_it_is_cancelled_and_the_outcome_is_dropped(
    journal: Journal, chain: FakeChain, desk: FakeDesk, deadline_s: int
) -> None:
    street = street_of(journal, chain, desk, network=DEEP)
    asyncio.run(street.submit(intent(deadline_s=deadline_s)))
    chain.mine()
    asyncio.run(street.follow())
    chain.reorganise()
    chain.time_s = deadline_s
    asyncio.run(street.follow())
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.DROPPED
    assert sum(amount for amount, _, _ in amounts(journal)) == 0
    (attempt,) = journal.attempts()
    assert attempt.outcome is OutcomeKind.DROPPED


def used(street: Street, journal: Journal) -> tuple[int, int, int]:
    (last,) = journal.last_records(1)
    names = ("notional_per_day_usd_e6", "open_intents", "orders_per_minute")
    counted = [street._book.used(name, "desk:fake", now_s=last.at_ms // 1000) for name in names]
    return counted[0], counted[1], counted[2]


@pytest.mark.parametrize("restarts", [False, True])
def test_what_lands_again_after_a_reorg_counts_once_against_the_limits(
    journal: Journal, chain: FakeChain, desk: FakeDesk, restarts: bool
) -> None:
    street = landed(journal, chain, desk)
    assert used(street, journal) == (1, 0, 1)
    chain.reorganise()
    asyncio.run(street.follow())
    assert used(street, journal) == (1, 1, 1), "open again"
    if restarts:
        street = street_of(journal, chain, desk, network=DEEP)
        asyncio.run(recover(street, journal, now_ms=0))
        assert used(street, journal) == (1, 1, 1)
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
    assert used(street, journal) == (1, 0, 1)
