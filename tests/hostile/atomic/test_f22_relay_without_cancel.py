"""A relay library that can not cancel: what was offered is taken back, if need be by its nonce."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chain.relays.ground import bundled, stand
from tests.chain.sender.ground import count_of, world_of
from tests.hostile.atomic.attacks import attack

from tidegate.chain import State
from tidegate.model import Route, Sending
from tidegate.sim import ExactWorld, Manner

LONG = Sending(order=(Route.BUNDLE,), blocks=9)


@pytest.fixture
def world() -> Iterator[ExactWorld]:
    with world_of() as found:
        yield found


@attack(
    "F22",
    "an offer that must not land any more stays with the relay",
    stops="eth_cancelBundle to every relay for every block that is left, and the nonce is used up beside it",
)
def test_what_is_taken_back_does_not_land(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, 2) as at:
            one = await at.out(bundled(sending=LONG))
            one.unwanted = "a guard fails"
            await at.follow(one)
            assert {held.transactions for relay in at.relays for held in relay.held.values()} == {
                (one.newest.signed.raw,)
            }, "of what they hold nothing but the cancel of its nonce is left"
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.CANCELLED, 0)

    asyncio.run(life())


@attack(
    "F22",
    "a relay that knows no cancel keeps the offer, another builder is honest",
    stops="the cancel of its nonce reaches both: whoever builds the block, one of the two can land",
)
def test_a_relay_that_knows_no_cancel_is_outrun_by_the_nonce(world: ExactWorld, tmp_path: Path) -> None:
    async def life() -> None:
        async with stand(world, tmp_path, 2) as at:
            at.relays[0].manner = Manner.DEAF
            one = await at.out(bundled(sending=LONG))
            one.unwanted = "a guard fails"
            await at.follow(one)
            at.relays[0].manner = Manner.IDLE  # the honest builder wins this block
            at.build()
            at.relays[0].manner = Manner.DEAF
            at.build()
            await at.follow(one)
            assert (one.state, count_of(world)) == (State.CANCELLED, 0)

    asyncio.run(life())
