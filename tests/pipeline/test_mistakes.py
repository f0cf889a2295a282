"""Street spec 12: mistakes seen in the field, those of the street, each by its name."""

import asyncio

from tests.pipeline.fakes import FakeChain, FakeDesk, intent
from tests.pipeline.harness import kinds, street_of

from tidegate.ledger import Journal
from tidegate.model import Denied, Intent, Operation, OutcomeKind, Plan, Reason, RecordKind
from tidegate.pipeline import recover
from tidegate.risk import Place


class Switch:
    """A kill switch that somebody pulls while a decision is on its way."""

    def __init__(self) -> None:
        self.is_pulled = False

    def blocking(self, place: Place, operation: Operation) -> "Switch | None":
        return self if self.is_pulled and not operation.is_exit else None

    def as_denied(self) -> Denied:
        return Denied(Reason.STOPPED, "the switch was pulled")


def test_caps_that_reset_with_the_process_under_a_supervisor_that_restarts_it(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    """Each process does one thing and ends; the one after it begins where the hour's cap stands."""
    ends = []
    for number in range(5):
        street = street_of(journal, chain, desk, max_runs_per_hour=2)
        asyncio.run(recover(street, journal, now_ms=0))
        outcome = asyncio.run(street.submit(intent(f"life {number}")))
        chain.mine()
        asyncio.run(street.follow())
        ends.append(None if outcome is None else outcome.reason)
    assert ends == [None, None, Reason.LIMIT, Reason.LIMIT, Reason.LIMIT]
    assert len(chain.included) == 2


def test_a_kill_switch_looked_at_only_at_the_start_of_a_decision(journal: Journal, chain: FakeChain) -> None:
    """Pulled while the desk plans, after the decision was made and accepted: nothing is signed."""
    switch = Switch()

    class Pulls(FakeDesk):
        async def plan(self, wanted: Intent) -> Plan:
            switch.is_pulled = True
            return await super().plan(wanted)

    street = street_of(journal, chain, Pulls(), stops=(switch,))
    outcome = asyncio.run(street.submit(intent()))
    assert outcome is not None
    assert (outcome.kind, outcome.reason) == (OutcomeKind.DENIED, Reason.STOPPED)
    assert RecordKind.PLAN in kinds(journal)
    assert RecordKind.SIGNATURE not in kinds(journal)
    assert chain.sends == 0


def test_sent_counted_as_success(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    """Accepted by a node is no outcome: nothing is booked and the place stays taken until a block says so."""
    street = street_of(journal, chain, desk, max_in_flight=1)
    assert asyncio.run(street.submit(intent())) is None
    assert asyncio.run(street.follow()) == []
    assert kinds(journal)[-1] is RecordKind.SENT
    assert journal.profit_and_loss() == []
    refused = asyncio.run(street.submit(intent("two")))
    assert refused is not None
    assert refused.reason is Reason.LIMIT
    chain.status = 0
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.REVERTED


def test_halts_that_forbid_closing(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    """The desk, the chain and the key are halted at once: to open is refused, to get out is not."""
    street = street_of(journal, chain, desk, max_in_flight=9)
    street.halts.halt("desk:fake", "a divergence")
    street.halts.halt("chain:31337", "a reorg deeper than is followed")
    assert street._sender is not None
    street._sender._key.halt("a foreign nonce")
    for operation in Operation:
        outcome = asyncio.run(street.submit(intent(operation.value, operation=operation)))
        assert (outcome is None) is operation.is_exit, operation
    chain.mine()
    assert {one.kind for one in asyncio.run(street.follow())} == {OutcomeKind.LANDED}


def test_limits_checked_and_then_reserved_in_two_steps(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    """Twelve at once see one free place: one of them takes it, whoever comes first to write."""
    street = street_of(journal, chain, desk, max_in_flight=1)

    async def all_at_once() -> list[Reason | None]:
        outcomes = await asyncio.gather(*(street.submit(intent(str(number))) for number in range(12)))
        return [None if outcome is None else outcome.reason for outcome in outcomes]

    reasons = asyncio.run(all_at_once())
    assert reasons.count(None) == 1
    assert set(reasons) == {None, Reason.LIMIT}
    assert chain.sends == 1
