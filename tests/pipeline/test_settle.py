import asyncio

import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, intent
from tests.pipeline.harness import kinds, street_of

from tidegate.ledger import Journal
from tidegate.model import (
    Ambiguous,
    Divergence,
    OutcomeKind,
    RecordKind,
    Rejected,
    Unavailable,
)


@pytest.mark.parametrize("keeps_bytes", [True, False])
def test_an_ambiguous_send_stays_open_until_the_chain_answers(
    journal: Journal, chain: FakeChain, desk: FakeDesk, keeps_bytes: bool
) -> None:
    chain.on_send, chain.keeps_bytes = Ambiguous("timeout"), keeps_bytes
    street = street_of(journal, chain, desk)
    assert asyncio.run(street.submit(intent())) is None
    chain.on_send, chain.keeps_bytes = None, True
    assert asyncio.run(street.follow()) == []
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
    assert len(chain.included) == 1
    assert kinds(journal).count(RecordKind.SIGNATURE) == 1


def test_a_revert_is_booked_with_its_cost_and_its_step(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent()))
    chain.status = 0
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert (outcome.kind, outcome.deltas, outcome.gas_cost_wei) == (OutcomeKind.REVERTED, (0,), 360_000)
    assert outcome.detail == "step sell: too little"


def test_past_its_deadline_the_nonce_is_cancelled_and_only_then_is_the_intent_dropped(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent(deadline_s=200)))
    chain.forget_mempool()
    chain.time_s = 200
    assert asyncio.run(street.follow()) == [], "nothing is dropped while its nonce is unused"
    assert kinds(journal)[-3:] == [RecordKind.EXPIRING, RecordKind.REPLACEMENT, RecordKind.SENT]
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert (outcome.kind, outcome.gas_cost_wei) == (OutcomeKind.DROPPED, 360_000), "a cancel costs gas"
    assert kinds(journal)[-3:] == [RecordKind.RECEIPT, RecordKind.BOOKING, RecordKind.OUTCOME]
    assert chain.sends == 2


def test_a_foreign_transaction_under_our_nonce_is_a_divergence(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent()))
    chain.forget_mempool()
    chain.foreign_nonces = 1
    with pytest.raises(Divergence, match="was used by bytes that are not ours"):
        asyncio.run(street.follow())
    assert len(street.open_runs) == 1


def test_a_run_without_an_answer_stays_open_and_starves_no_other(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=2)
    for name in ("one", "two"):
        asyncio.run(street.submit(intent(name)))
    first = street.open_runs[0].tracked
    assert first is not None
    chain.silent_about.add(first.newest.hash)
    chain.mine()
    assert [outcome.intent_id for outcome in asyncio.run(street.follow())] == ["two"]
    chain.silent_about.clear()
    assert [outcome.intent_id for outcome in asyncio.run(street.follow())] == ["one"]


def test_a_divergence_is_raised_after_every_other_run_was_asked_about(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=2)
    asyncio.run(street.submit(intent("one")))
    chain.forget_mempool()
    asyncio.run(street.submit(intent("two")))
    chain.foreign_nonces = 1
    chain.mine()
    assert [outcome.intent_id for outcome in asyncio.run(street.follow())] == ["two"]
    with pytest.raises(Divergence):
        asyncio.run(street.follow())
    assert [run.intent.id for run in street.open_runs] == ["one"]


def test_guards_that_can_not_be_judged_after_inclusion_failed_and_the_run_is_booked(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    desk.after_fails = Unavailable("the block is gone")
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent()))
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
    (post,) = [
        record.body
        for record in journal.records(correlation_id="one")
        if record.kind is RecordKind.GUARDS and record.body["placement"] == "post"
    ]
    assert [(item["passed"], item["code"]) for item in post["results"]] == [(False, "not_judged")]


@pytest.mark.parametrize("error", [Rejected("-32005"), Ambiguous("cut off"), KeyError("native")])
def test_trouble_with_one_run_neither_starves_nor_hides_the_others(
    journal: Journal, chain: FakeChain, desk: FakeDesk, error: Exception
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=3)
    for name in ("a", "b", "c"):
        asyncio.run(street.submit(intent(name)))
    tracked = street.open_runs[1].tracked
    assert tracked is not None
    chain.errors_about[tracked.newest.hash] = error
    chain.mine()
    assert [outcome.intent_id for outcome in asyncio.run(street.follow())] == ["a", "c"]
    with pytest.raises(type(error)):
        asyncio.run(street.follow())
    assert [run.intent.id for run in street.open_runs] == ["b"]


def test_a_refused_second_send_does_not_end_what_another_node_may_hold(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk)
    chain.on_send = Ambiguous("timeout")
    asyncio.run(street.submit(intent()))
    elsewhere = dict(chain.mempool)
    chain.forget_mempool()
    chain.on_send = Rejected("replacement underpriced")
    assert asyncio.run(street.follow()) == []
    chain.mempool.update(elsewhere)
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
