"""Subscriptions over a real WebSocket: they wake the follower, and lies or silence change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.chain.heads.fold import Fold
from tests.chain.rpc.support import PATIENT, PATIENT_S, eventually
from tests.sim.assembly import ALICE, LOGS, initcode

from tidegate.chain import devnet_network
from tidegate.chain.heads import HeadFollower, MemoryCursors, NodeBlocks, pass_on
from tidegate.chain.rpc import Endpoint, HeadHint, Keep, LogHint, LogsFilter, RpcPool
from tidegate.model import ManualClock
from tidegate.sim import ExactWorld

NETWORK = devnet_network(31_337, block_time_s=60)


async def until(fold: Fold, batches, number: int) -> None:
    while max(fold.blocks, default=-1) < number:
        fold.take(await anext(batches))


def test_a_subscription_wakes_the_follower_long_before_it_would_poll() -> None:
    async def conversation(world: ExactWorld) -> Fold:
        fold = Fold(chain_id=NETWORK.chain_id)
        endpoint = Endpoint(name="node", url=world.url, ws=world.url.replace("http", "ws"), **PATIENT)
        async with RpcPool(NETWORK, [endpoint]) as pool:
            source = NodeBlocks(pool.reads(keep=Keep.NOTHING))
            follower = HeadFollower(source, MemoryCursors(), NETWORK, clock=ManualClock(), start_block=0)
            batches = follower.follow(poll_s=3_600)
            await until(fold, batches, world.block().number)
            async with pool.subscribe(LogsFilter()) as hints:
                passing = asyncio.create_task(pass_on(hints, follower))
                await eventually(lambda: hints.is_live)
                async with asyncio.timeout(PATIENT_S):
                    for _ in range(3):
                        await asyncio.to_thread(world.transact, contract, sender=ALICE)
                        await until(fold, batches, await asyncio.to_thread(lambda: world.block().number))
                passing.cancel()
            await batches.aclose()
        return fold

    with ExactWorld() as world:
        contract = world.deploy(initcode(LOGS), sender=ALICE)
        fold = asyncio.run(conversation(world))
        assert len(fold.logs) == 3
        assert fold.blocks[world.block().number] == world.block().hash


def test_a_subscription_that_lies_is_asked_after_and_not_believed() -> None:
    async def lies() -> AsyncIterator[HeadHint | LogHint]:
        yield HeadHint(10**6, b"\x11" * 32, "liar")
        yield LogHint(10**6, b"\x11" * 32, 7, False, "liar")

    async def conversation(world: ExactWorld) -> Fold:
        fold = Fold(chain_id=NETWORK.chain_id)
        async with RpcPool(NETWORK, [Endpoint(name="node", url=world.url, **PATIENT)]) as pool:
            source = NodeBlocks(pool.reads(keep=Keep.NOTHING))
            follower = HeadFollower(source, MemoryCursors(), NETWORK, clock=ManualClock(), start_block=0)
            await pass_on(lies(), follower)
            fold.take(await follower.step())
            assert await follower.step() == ()
            assert follower.health.gap_blocks == 0
        return fold

    with ExactWorld() as world:
        world.mine(4)
        fold = asyncio.run(conversation(world))
        assert sorted(fold.blocks) == [0, 1, 2, 3, 4]
