"""The bundle state table of the atomic specification, section 9: each row on a real node, by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chain.relays.ground import BRIEF_S, BUNDLE_ALONE, BUNDLE_THEN_PRIVATE, bundled, stand
from tests.chain.sender.ground import count_of, key_of, world_of

from tidegate.chain import State
from tidegate.model import Denied, Reason, RecordKind, Route, Sending
from tidegate.sim import ExactWorld, Manner


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with world_of() as world:
        world.mine(10)
        yield world


@pytest.fixture
def world(node: ExactWorld) -> Iterator[ExactWorld]:
    with node.snapshot():
        yield node
    node.forget_all()


def test_built_a_builder_accepts_offered(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path) as at:
            head = world.block().number
            one = await at.out(bundled())
            assert (one.state, one.route, one.until_block) == (State.SENT, Route.BUNDLE, head + 3)
            offered = [int(offer["blockNumber"], 16) for offer in at.relays[0].offers]
            assert offered == [head + 1, head + 2, head + 3], "for N+1 to N+k"
            assert at.place.bodies(RecordKind.SENT)[0] == {
                "hash": "0x" + one.newest.hash.hex(),
                "route": "bundle",
                "by": ["relay-0"],
                "until_block": head + 3,
            }

    asyncio.run(life())


@pytest.mark.parametrize("manner", [Manner.REFUSES, Manner.HANGS, Manner.GIBBERISH])
def test_built_none_accepts_next_relay_in_order_with_the_same_bytes(
    manner: Manner, world: ExactWorld, tmp_path: Path
) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, 2, has_private=True, timeout_s=BRIEF_S) as at:
            for relay in at.relays:
                relay.manner = manner
            one = await at.out(bundled(sending=BUNDLE_THEN_PRIVATE))
            assert (one.state, one.route, one.until_block) == (State.SENT, Route.PRIVATE, None)
            assert (at.private_sends, at.public_sends) == (1, 0)
            assert at.place.in_mempool() == [one.versions[0].signed.raw], "the same signed bytes"
            assert len(at.place.key.asked) == 1

    asyncio.run(life())


def test_built_none_accepts_and_no_other_route_nothing_leaves(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, has_private=True) as at:
            at.relays[0].manner = Manner.REFUSES
            one = await at.out(bundled())
            assert one.state is State.AMBIGUOUS
            assert (at.private_sends, at.public_sends) == (0, 0)
            at.relays[0].manner = Manner.HONEST
            await at.follow(one)
            assert one.state is State.SENT, "offered once the relay is well again"

    asyncio.run(life())


def test_offered_mined_included(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path) as at:
            one = await at.out(bundled())
            at.build()
            await at.follow(one)
            assert one.state is State.LANDED
            assert count_of(world) == 1
            assert at.public_sends == 0

    asyncio.run(life())


def test_offered_reorged_out_offered_again_while_the_deadline_holds(
    world: ExactWorld, tmp_path: Path
) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, stuck_after_blocks=100) as at:
            one = await at.out(bundled())
            at.build()
            await at.follow(one)
            world.mine()
            world.reorg(2)
            await at.follow(one)
            assert (one.state, one.withdrawals, count_of(world)) == (State.SENT, 1, 0)
            world.mine(5)  # beyond the first window: the deadline decides now
            await at.follow(one)
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.LANDED, 1)
            assert len(at.place.key.asked) == 1, "never signed anew"
            assert at.public_sends == 0

    asyncio.run(life())


def test_offered_reorged_out_past_the_deadline_cancelled(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path) as at:
            one = await at.out(bundled(deadline_s=world.block().timestamp + 30))
            at.build()
            await at.follow(one)
            world.reorg(1)
            world.mine(timestamp=one.work.deadline_s)
            await at.follow(one)
            assert (one.state, one.withdrawals) == (State.EXPIRING, 1)
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.CANCELLED, 0)

    asyncio.run(life())


def test_offered_higher_fees_same_calls_nonce_and_uuid_replaced(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, stuck_after_blocks=1) as at:
            at.relays[0].manner = Manner.IDLE
            one = await at.out(bundled(sending=Sending(order=(Route.BUNDLE,), blocks=6)))
            first = {offer["blockNumber"]: offer["replacementUuid"] for offer in at.relays[0].offers}
            await at.follow(one)
            world.mine()
            await at.follow(one)
            assert len(one.versions) == 2
            before, after = at.place.key.asked
            assert (after.to, after.data, after.value_wei) == (before.to, before.data, before.value_wei)
            assert after.nonce == before.nonce
            assert after.max_fee_wei * 1000 >= before.max_fee_wei * 1125
            second = {
                offer["blockNumber"]: offer["replacementUuid"] for offer in at.relays[0].offers[len(first) :]
            }
            assert second == {block: uuid for block, uuid in first.items() if block in second}
            assert {
                held.transactions for held in at.relays[0].held.values() if held.uuid in second.values()
            } == {(one.newest.signed.raw,)}, "the first version has gone from the builder"
            at.relays[0].manner = Manner.HONEST
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.LANDED, 1)
            assert one.included is not None
            assert one.included.hash == "0x" + one.versions[1].hash.hex()

    asyncio.run(life())


def test_offered_a_stop_cancelled_before_inclusion(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, 2) as at:
            stop = Denied(Reason.STOPPED, "a person stopped the desk")
            one = await at.out(bundled())
            one.refusal = lambda operation: None if operation.is_exit else stop
            await at.follow(one)
            assert one.state is State.EXPIRING
            assert all(relay.methods["eth_cancelBundle"] == 3 for relay in at.relays)
            assert "stopped" in str(at.place.bodies(RecordKind.EXPIRING)[0]["why"])
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.CANCELLED, 0)
            assert at.public_sends == 0, "its cancel leaves as a bundle, too"

    asyncio.run(life())


def test_offered_a_guard_fails_cancelled(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path) as at:
            one = await at.out(bundled())
            one.unwanted = "guard oracle_sanity does not pass any more"
            await at.follow(one)
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.CANCELLED, 0)
            assert at.place.bodies(RecordKind.EXPIRING)[0]["why"] == one.unwanted

    asyncio.run(life())


def test_offered_block_beyond_n_plus_k_nonce_unused_expired(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path) as at:
            at.relays[0].manner = Manner.IDLE
            one = await at.out(bundled())
            world.mine(3)
            await at.follow(one)
            assert one.state is State.SENT, "block N+k is not beyond it"
            world.mine()
            await at.follow(one)
            assert one.state is State.EXPIRING
            at.relays[0].manner = Manner.HONEST
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.CANCELLED, 0)
            assert world.nonce(key_of().address) == 1

    asyncio.run(life())


def test_a_builder_that_lies_about_a_cancel_is_followed_to_the_truth(
    world: ExactWorld, tmp_path: Path
) -> None:
    async def life() -> None:
        async with stand(world, tmp_path) as at:
            at.relays[0].manner = Manner.DEAF
            one = await at.out(bundled())
            one.unwanted = "a guard fails"
            await at.follow(one)
            assert one.state is State.EXPIRING
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.LANDED, 1), "booked as the chain has it"

    asyncio.run(life())


def test_nobody_could_take_it_denied_public_relay_forbidden(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, 0) as at:
            for sending in (
                BUNDLE_ALONE,
                BUNDLE_THEN_PRIVATE,
                Sending(order=(Route.PUBLIC,)),
                Sending(order=(Route.BUNDLE,), builders=("nobody",)),
            ):
                with pytest.raises(Denied) as caught:
                    await at.sender.sign(bundled(sending=sending))
                assert caught.value.reason is Reason.PUBLIC_RELAY_FORBIDDEN
            assert (at.place.key.asked, at.public_sends) == ([], 0), "denied before anything is signed"
            allowed = Sending(order=(Route.BUNDLE, Route.PUBLIC), allow_public=True)
            one = await at.out(bundled(sending=allowed))
            assert (one.route, at.public_sends) == (Route.PUBLIC, 1)

    asyncio.run(life())
