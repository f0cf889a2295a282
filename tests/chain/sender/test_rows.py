"""The state table on a real node, row by row: what is pending, replaced, dropped or stuck is so for real."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.chain.sender.ground import (
    COUNTER,
    FAILS,
    GWEI,
    START_S,
    Place,
    count_of,
    key_of,
    place_of,
    sent,
    tracked,
    work,
    world_of,
)

from tidegate.chain import TRANSITIONS, Fees, State, Tracked
from tidegate.ledger import OutcomeBody
from tidegate.model import (
    SIGNER_UNREACHED,
    Ambiguous,
    Denied,
    Divergence,
    Operation,
    OutcomeKind,
    Reason,
    RecordKind,
    Rejected,
    Unavailable,
)
from tidegate.sim import ExactWorld

Scene = Callable[[Place], Awaitable[None]]


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with world_of() as world:
        yield world


@pytest.fixture
def world(node: ExactWorld) -> Iterator[ExactWorld]:
    with node.snapshot():
        yield node
    # A snapshot keeps the state, not the mempool and the fee of the block to come.
    node.forget_all()
    node.set_base_fee(0)


@pytest.fixture
def play(world: ExactWorld, tmp_path: Path) -> Callable[..., None]:
    def run(scene: Scene, **network: object) -> None:
        async def main() -> None:
            async with place_of(world, tmp_path, **network) as place:
                await scene(place)

        asyncio.run(main())

    return run


async def follow(place: Place, sender: object, *ones: Tracked, blocks: int = 0) -> list[Exception]:
    trouble = await sender.follow(ones)  # type: ignore[attr-defined]
    for _ in range(blocks):
        place.world.mine()
        trouble += await sender.follow(ones)  # type: ignore[attr-defined]
    return trouble


def test_reserved_signed_sent_landed_confirmed_finalised(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        one = await sent(sender, tracked(work()))
        assert one.state is State.SENT, "accepted is not landed"
        assert await follow(place, sender, one) == []
        assert one.state is State.SENT, "in a mempool is not landed"
        await follow(place, sender, one, blocks=1)
        assert one.state is State.LANDED
        await follow(place, sender, one, blocks=2)
        assert one.state is State.CONFIRMED
        await follow(place, sender, one, blocks=3)
        assert one.state is State.FINALISED
        order = ["nonce", "signature", "sent", "receipt", "confirmed", "finalised"]
        assert place.kinds() == order, "every transition is one record"
        assert count_of(place.world) == 1

    play(scene, confirmations=3, reorg_max_blocks=5)


def test_a_signer_that_denies_gives_the_highest_nonce_back(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        place.key.answers = [Denied(Reason.NOTIONAL_LIMIT, "too much")]
        denied = tracked(work("denied"))
        with pytest.raises(Denied):
            await sender.sign(denied)
        denied.take(RecordKind.OUTCOME, OutcomeBody(kind=OutcomeKind.DENIED))
        assert sender.ended(denied) is False, "nothing is left to follow"
        one = await sent(sender, tracked(work()))
        assert (denied.nonce, one.nonce) == (0, 0)
        await follow(place, sender, one, blocks=1)
        assert one.state is State.LANDED

    play(scene)


def test_a_signer_that_does_not_answer_may_have_signed_so_its_nonce_is_cancelled(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        place.key.answers = [Unavailable("the socket is gone")]
        lost = tracked(work("lost"))
        with pytest.raises(Unavailable):
            await sender.sign(lost)
        lost.take(RecordKind.OUTCOME, OutcomeBody(kind=OutcomeKind.DENIED))
        assert sender.ended(lost) is True
        one = await sent(sender, tracked(work()))
        assert one.nonce == 1, "the nonce is not given to other content"
        await follow(place, sender, lost, one)
        await follow(place, sender, lost, one, blocks=1)
        assert (lost.state, one.state) == (State.CANCELLED, State.LANDED)
        assert count_of(place.world) == 1

    play(scene)


def test_a_signer_that_was_not_reached_has_signed_nothing_so_its_nonce_is_given_back(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        for name in ("lost", "lost again"):  # an outage of hours uses up no nonce
            place.key.answers = [Unavailable("no such socket", code=SIGNER_UNREACHED)]
            lost = tracked(work(name))
            with pytest.raises(Unavailable):
                await sender.sign(lost)
            lost.take(RecordKind.OUTCOME, OutcomeBody(kind=OutcomeKind.DENIED))
            assert (sender.ended(lost), lost.nonce) == (False, 0)
        one = await sent(sender, tracked(work()))
        assert one.nonce == 0
        await follow(place, sender, one, blocks=1)
        assert one.state is State.LANDED

    play(scene)


def test_a_signer_that_was_asked_once_may_have_signed_whoever_it_is_that_was_not_reached_since(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        place.key.answers = [Unavailable("no answer"), Unavailable("no socket", code=SIGNER_UNREACHED)]
        lost = tracked(work("lost"))
        for _ in range(2):
            with pytest.raises(Unavailable):
                await sender.sign(lost)
        lost.take(RecordKind.OUTCOME, OutcomeBody(kind=OutcomeKind.DENIED))
        assert sender.ended(lost) is True
        assert (await sent(sender, tracked(work()))).nonce == 1

    play(scene)


@pytest.mark.parametrize("arrives", [True, False])
def test_without_an_answer_the_chain_is_asked_and_the_same_bytes_are_sent(
    play: Callable[..., None], arrives: bool
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        place.chain.on_send, place.chain.loses_sends = Ambiguous("timeout"), not arrives
        one = await sent(sender, tracked(work()))
        assert one.state is State.AMBIGUOUS
        assert len(place.in_mempool()) == int(arrives)
        place.chain.on_send, place.chain.loses_sends = None, False
        await follow(place, sender, one)
        assert one.state is State.SENT
        assert set(place.chain.sent) == {one.newest.signed.raw}, "no second version"
        await follow(place, sender, one, blocks=1)
        assert one.state is State.LANDED
        assert count_of(place.world) == 1

    play(scene)


def test_a_receipt_with_status_0_is_reverted(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        one = await sent(sender, tracked(work(to=FAILS)))
        await follow(place, sender, one, blocks=1)
        assert one.state is State.REVERTED
        assert one.included is not None
        assert one.included.gas_cost_wei > 0, "a revert costs"

    play(scene)


def test_bytes_that_every_endpoint_refuses_are_rejected_and_their_nonce_is_used_up(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        one = tracked(work(value_wei=10**21))
        await sender.sign(one)
        with pytest.raises(Rejected) as caught:
            await sender.send(one)
        assert caught.value.code == "insufficient_funds"
        one.take(RecordKind.OUTCOME, OutcomeBody(kind=OutcomeKind.REJECTED))
        assert sender.ended(one)
        other = await sent(sender, tracked(work("other")))
        await follow(place, sender, one, other)
        await follow(place, sender, one, other, blocks=1)
        assert (one.state, other.state) == (State.CANCELLED, State.LANDED)
        assert one.newest.signed.raw in place.chain.sent
        assert place.chain.sent.count(one.versions[0].signed.raw) == 1, "refused bytes are not sent again"

    play(scene)


def test_the_nonce_used_by_another_version_of_ours_is_followed(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(stuck_after_blocks=0)
        one = await sent(sender, tracked(work()))
        await follow(place, sender, one)
        assert len(one.versions) == 2
        first, second = one.versions
        place.world.forget(second.hash)
        place.world.send_raw(first.signed.raw)  # some node still held the first one
        place.world.mine()
        await follow(place, sender, one)
        assert one.state is State.LANDED
        assert one.included is not None
        assert one.included.hash == "0x" + first.hash.hex()
        assert place.kinds()[-2:] == ["replaced", "receipt"]
        assert count_of(place.world) == 1

    play(scene)


def test_a_foreign_hash_under_our_nonce_halts_the_key_until_a_person_lifts_it(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        place.chain.loses_sends, place.chain.on_send = True, Ambiguous("lost on the way")
        one = await sent(sender, tracked(work()))
        theirs = key_of().sign_now(
            work("theirs").unsigned(0, Fees(2 * GWEI, GWEI), is_legacy=False),
            intent_id="theirs",
            plan_digest=work("theirs").plan_digest,
        )
        place.world.send_raw(theirs.raw)
        place.world.mine()
        (trouble,) = {type(error) for error in await sender.follow([one])}
        assert trouble is Divergence
        assert one.state is State.DIVERGENT
        place.chain.loses_sends, place.chain.on_send = False, None
        again = place.sender()  # a restart: the halt is in the ledger
        await again.start([one])
        with pytest.raises(Denied, match="is halted") as caught:
            await again.sign(tracked(work("two")))
        assert caught.value.reason is Reason.HALTED
        out = await sent(again, tracked(work("exit", operation=Operation.WITHDRAW)))
        assert out.nonce == 1, "a halt never blocks an exit"
        await again.lift(who="ada", why="it was our own tool")
        two = await sent(again, tracked(work("two")))
        await follow(place, again, out, two, blocks=1)
        assert (out.state, two.state) == (State.LANDED, State.LANDED)
        assert [body["lifted"] for body in place.bodies(RecordKind.HALT)] == [False, True]
        await again.follow([one])
        assert again.gave_up(one)

    play(scene)


def test_a_used_nonce_is_no_divergence_before_it_is_confirmed(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        place.chain.loses_sends, place.chain.on_send = True, Ambiguous("lost on the way")
        one = await sent(sender, tracked(work()))
        theirs = work("theirs").unsigned(0, Fees(2 * GWEI, GWEI), is_legacy=False)
        digest = work("theirs").plan_digest
        place.world.send_raw(key_of().sign_now(theirs, intent_id="t", plan_digest=digest).raw)
        assert await follow(place, sender, one, blocks=1) == []
        assert one.state is State.AMBIGUOUS
        trouble = await follow(place, sender, one, blocks=2)
        assert isinstance(trouble[0], Divergence)

    play(scene, confirmations=3)


def test_past_the_deadline_with_an_unused_nonce_it_is_cancelled_then_dropped(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        place.chain.loses_sends, place.chain.on_send = True, Ambiguous("lost on the way")
        head = place.world.block()
        one = await sent(sender, tracked(work(deadline_s=head.timestamp + 2)))
        place.world.mine(2)
        place.chain.loses_sends, place.chain.on_send = False, None
        await follow(place, sender, one)
        assert one.state is State.EXPIRING
        await follow(place, sender, one, blocks=1)
        assert one.state is State.CANCELLED
        assert count_of(place.world) == 0
        assert place.kinds() == [
            *("nonce", "signature", "ambiguous", "expiring", "replacement", "sent", "receipt")
        ]

    play(scene)


def test_a_transaction_that_lands_while_its_cancel_is_out_has_landed(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        head = place.world.block()
        one = await sent(sender, tracked(work(deadline_s=head.timestamp + 1)))
        content = one.newest
        place.world.forget(content.hash)
        place.world.mine()
        place.chain.loses_sends, place.chain.on_send = True, Ambiguous("the cancel is lost")
        await follow(place, sender, one)
        assert one.state is State.EXPIRING
        place.world.send_raw(content.signed.raw)
        place.world.mine()
        await follow(place, sender, one)
        assert (one.state, count_of(place.world)) == (State.LANDED, 1)

    play(scene)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_reorg_withdraws_it_and_inside_the_deadline_the_same_bytes_are_sent_again(
    play: Callable[..., None], is_late: bool
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        head = place.world.block()
        one = await sent(sender, tracked(work(deadline_s=head.timestamp + (2 if is_late else 1_000))))
        await follow(place, sender, one, blocks=2)
        assert one.state is State.CONFIRMED
        place.world.reorg(2)
        assert place.world.receipt(one.newest.hash) is None
        place.world.mine()
        await follow(place, sender, one)
        assert "withdrawn" in place.kinds()
        if is_late:
            assert one.state is State.EXPIRING
            await follow(place, sender, one, blocks=1)
            assert (one.state, count_of(place.world)) == (State.CANCELLED, 0)
            return
        assert one.state is State.SENT
        assert len(one.versions) == 1, "the same bytes"
        await follow(place, sender, one, blocks=2)
        assert (one.state, count_of(place.world)) == (State.CONFIRMED, 1)

    play(scene)


def test_a_reorg_that_includes_it_again_elsewhere_is_seen(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        one = await sent(sender, tracked(work()))
        await follow(place, sender, one, blocks=1)
        before = one.included
        place.world.mine()
        place.world.reorg(2, [(one.newest.signed.raw, 1)])
        await follow(place, sender, one, blocks=1)
        assert one.included is not None
        assert before is not None
        assert one.included.block_number == before.block_number + 1
        assert count_of(place.world) == 1

    play(scene)


def test_the_stuck_lowest_nonce_is_replaced_first_with_an_eighth_more(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(stuck_after_blocks=2)
        fees = Fees(2 * GWEI, GWEI)
        ones = [await sent(sender, tracked(work(name, fees=fees))) for name in ("one", "two")]
        place.world.set_base_fee(3 * GWEI)
        await follow(place, sender, *ones)
        place.world.mine()  # an empty block: both offer less than the base fee
        place.world.set_base_fee(3 * GWEI)
        await follow(place, sender, *ones)
        assert [len(one.versions) for one in ones] == [2, 1]
        raised = ones[0].newest.fees
        assert raised.max_fee_wei >= 2_250_000_000
        assert raised.max_priority_fee_wei >= 1_125_000_000
        await follow(place, sender, *ones, blocks=6)
        assert [one.state.is_included for one in ones] == [True, True]
        assert count_of(place.world) == 2

    play(scene)


def test_replacements_are_counted_and_never_above_the_caps(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(stuck_after_blocks=0, replacements_max=2)
        one = await sent(sender, tracked(work()))
        for _ in range(5):
            await follow(place, sender, one)
        assert len(one.versions) == 3

        free = place.sender(stuck_after_blocks=0)
        await free.start([one])
        for _ in range(9):
            await follow(place, free, one)
        assert len(one.versions) == 6, "five replacements, by default"
        assert max(version.fees.max_fee_wei for version in one.versions) <= 4 * GWEI

    play(scene, fee_cap_wei=4 * GWEI)


def test_the_networks_cap_on_fees_ends_replacements(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(stuck_after_blocks=0)
        one = await sent(sender, tracked(work()))
        for _ in range(5):
            await follow(place, sender, one)
        assert [version.fees.max_fee_wei for version in one.versions] == [2 * GWEI, 225 * GWEI // 100]

    play(scene, fee_cap_wei=5 * GWEI // 2)


def test_a_nonce_above_the_lowest_is_not_replaced(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(stuck_after_blocks=0, replacements_max=1)
        ones = [await sent(sender, tracked(work(name))) for name in ("one", "two")]
        for _ in range(4):
            await follow(place, sender, *ones)
        assert [len(one.versions) for one in ones] == [2, 1]

    play(scene)


def test_a_budget_without_room_for_an_eighth_more_makes_no_replacement(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(stuck_after_blocks=0)
        one = await sent(sender, tracked(work(budget_wei=100_000 * (2 * GWEI + GWEI // 5))))
        for _ in range(3):
            await follow(place, sender, one)
        assert len(one.versions) == 1

    play(scene)


def test_what_the_mempool_has_dropped_is_sent_again(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        one = await sent(sender, tracked(work()))
        place.world.forget(one.newest.hash)
        assert place.in_mempool() == []
        await follow(place, sender, one)
        assert place.in_mempool() == [one.newest.signed.raw]
        assert place.kinds() == ["nonce", "signature", "sent"]

    play(scene)


def test_no_more_nonces_are_open_than_may_be_but_an_exit_always_goes(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(open_max=2)
        ones = [await sent(sender, tracked(work(name))) for name in ("one", "two")]
        with pytest.raises(Denied) as caught:
            await sender.sign(tracked(work("three")))
        assert caught.value.reason is Reason.OVERLOADED
        out = await sent(sender, tracked(work("out", operation=Operation.CLOSE)))
        await follow(place, sender, *ones, out, blocks=1)
        assert (await sent(sender, tracked(work("four")))).nonce == 3

    play(scene)


def test_a_stop_that_comes_right_before_the_signature_is_seen_and_nothing_is_signed(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        stop = Denied(Reason.STOPPED, "a stop is in force")
        late = tracked(work("late"), [None, None, stop])
        with pytest.raises(Denied) as caught:
            await sender.sign(late)
        assert caught.value.reason is Reason.STOPPED
        assert place.key.asked == []

    play(scene)


def test_under_a_stop_what_is_open_is_followed_and_cancelled_but_not_replaced(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender(stuck_after_blocks=0)
        head = place.world.block()
        one = await sent(sender, tracked(work(deadline_s=head.timestamp + 2)))
        stop = Denied(Reason.STOPPED, "a stop is in force")
        one.refusal = lambda operation: None if operation.is_exit else stop
        await follow(place, sender, one)
        assert len(one.versions) == 1
        place.world.forget(one.newest.hash)
        place.world.mine(2)
        await follow(place, sender, one)
        assert one.newest.is_cancel
        await follow(place, sender, one, blocks=1)
        assert one.state is State.CANCELLED

    play(scene)


def test_at_a_start_stored_bytes_are_sent_again_below_what_waits_for_them(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        ones = [await sent(sender, tracked(work(name))) for name in ("one", "two")]
        place.world.forget(ones[0].newest.hash)
        again = place.sender()
        await again.start(ones)
        assert (await sent(again, tracked(work("three")))).nonce == 2
        await follow(place, again, *ones)
        await follow(place, again, *ones, blocks=1)
        assert [one.state for one in ones] == [State.LANDED, State.LANDED]
        assert count_of(place.world) == 3

    play(scene)


def test_at_a_start_a_transaction_that_the_ledger_does_not_know_halts_the_key(
    play: Callable[..., None],
) -> None:
    async def scene(place: Place) -> None:
        theirs = work("theirs").unsigned(0, Fees(2 * GWEI, GWEI), is_legacy=False)
        digest = work("theirs").plan_digest
        place.world.send_raw(key_of().sign_now(theirs, intent_id="t", plan_digest=digest).raw)
        sender = place.sender()
        with pytest.raises(Divergence, match="that we did not make") as caught:
            await sender.start()
        assert caught.value.code == "unknown_nonce"
        (halt,) = place.bodies(RecordKind.HALT)
        assert halt["scope"] == f"key:31337:{key_of().address}"
        with pytest.raises(Denied, match="is halted"):
            await place.sender().sign(tracked(work()))

    play(scene)


def test_a_nonce_too_low_says_nothing_against_bytes_that_are_in_a_block(play: Callable[..., None]) -> None:
    async def scene(place: Place) -> None:
        sender = place.sender()
        one = tracked(work())
        await sender.sign(one)
        place.world.send_raw(one.newest.signed.raw)
        place.world.mine()
        place.chain.on_send = Rejected("nonce too low", code="nonce_too_low")
        await sender.send(one)
        assert one.state is not State.REJECTED
        place.chain.on_send = None
        await follow(place, sender, one)
        assert one.state is State.LANDED
        assert len(place.chain.sent) == 1, "and it is not tried elsewhere"

    play(scene)


def test_the_table_holds_what_the_specification_lists() -> None:
    steps = {(row.state, row.next) for row in TRANSITIONS}
    for state, following in (
        (State.PLANNED, State.RESERVED),
        (State.RESERVED, State.SIGNED),
        (State.RESERVED, State.DENIED),
        (State.SIGNED, State.SENT),
        (State.SIGNED, State.AMBIGUOUS),
        (State.SENT, State.AMBIGUOUS),
        (State.SENT, State.LANDED),
        (State.AMBIGUOUS, State.LANDED),
        (State.SENT, State.REVERTED),
        (State.AMBIGUOUS, State.REVERTED),
        (State.SENT, State.DIVERGENT),
        (State.AMBIGUOUS, State.DIVERGENT),
        (State.SENT, State.EXPIRING),
        (State.EXPIRING, State.CANCELLED),
        (State.LANDED, State.SENT),
        (State.LANDED, State.CONFIRMED),
        (State.CONFIRMED, State.FINALISED),
    ):
        assert (state, following) in steps
    assert len({(row.state, row.event) for row in TRANSITIONS}) == len(TRANSITIONS), "one row each"
    assert {row.record for row in TRANSITIONS} <= set(RecordKind)
    assert COUNTER != FAILS
    assert START_S > 0
