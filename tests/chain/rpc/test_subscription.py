"""Street spec 1.5: hints over WebSocket, and polling while there is none."""

import asyncio

from tests.chain.rpc.support import CHAIN_ID, PATIENT_S, SEEN, endpoint, eventually, run
from tests.sim.assembly import ALICE, LOGS, initcode

from tidegate.chain import devnet_network
from tidegate.chain.rpc import HeadHint, LogHint, LogsFilter, RpcPool
from tidegate.chain.rpc.subscription import PING_S, SILENCE_BLOCKS
from tidegate.sim import ExactWorld, Fault, FaultProxy

SLOW = devnet_network(CHAIN_ID, block_time_s=3_600)
QUICK = devnet_network(CHAIN_ID, block_time_s=0.1)


def over_proxies(conversation, network=SLOW, *, count: int = 2, with_ws: bool = True):
    async def whole():
        with ExactWorld() as world:
            proxies = [FaultProxy(world.url) for _ in range(count)]
            for proxy in proxies:
                await proxy.__aenter__()
            try:
                endpoints = [
                    endpoint(proxy, "ab"[index], ws=proxy.ws_url if with_ws else "")
                    for index, proxy in enumerate(proxies)
                ]
                async with RpcPool(network, endpoints) as pool:
                    await conversation(pool, world, proxies)
            finally:
                for proxy in proxies:
                    await proxy.__aexit__()

    run(whole())


async def head_from(hints, source: str, number: int = 0) -> HeadHint:
    async with asyncio.timeout(PATIENT_S):
        async for hint in hints:
            if isinstance(hint, HeadHint) and hint.source == source and hint.number >= number:
                return hint
    raise AssertionError


def test_new_heads_and_logs_are_announced_over_a_websocket():
    async def conversation(pool, world, _proxies):
        source = world.deploy(initcode(LOGS), sender=ALICE)
        async with pool.subscribe(LogsFilter(accounts=(source,))) as hints:
            await eventually(lambda: hints.is_live)
            world.transact(SEEN, sender=ALICE)
            first = await head_from(hints, hints.source)
            assert (first.number, first.block_hash) == (world.block().number, world.block().hash)
            world.transact(source, sender=ALICE)
            seen = []
            async with asyncio.timeout(PATIENT_S):
                while not any(isinstance(hint, LogHint) for hint in seen):
                    seen.append(await anext(hints))
            log = next(hint for hint in seen if isinstance(hint, LogHint))
            assert (log.block_hash, log.is_removed) == (world.block().hash, False)

    over_proxies(conversation)


def test_without_a_websocket_the_head_is_polled():
    async def conversation(pool, world, _proxies):
        async with pool.subscribe() as hints:
            await head_from(hints, "poll")
            world.mine()
            hint = await head_from(hints, "poll")
            assert hint.block_hash == world.block().hash
            assert not hints.is_live

    over_proxies(conversation, QUICK, with_ws=False)


def test_a_closed_websocket_is_followed_by_the_next_one():
    async def conversation(pool, world, proxies):
        async with pool.subscribe() as hints:
            await eventually(lambda: hints.source == "a")
            await proxies[0].die()
            await eventually(lambda: hints.source == "b")
            world.mine()
            assert (await head_from(hints, "b")).number == 1

    over_proxies(conversation)


def test_silence_for_three_block_times_reconnects_elsewhere_and_is_polled_meanwhile():
    async def conversation(pool, world, proxies):
        proxies[1].fault = Fault.HANG
        async with pool.subscribe() as hints:
            await eventually(lambda: hints.source == "a")
            await eventually(lambda: hints.source == "poll")
            world.mine()
            await head_from(hints, "poll", 1)
            await eventually(lambda: hints.source == "a")

    over_proxies(conversation, devnet_network(CHAIN_ID, block_time_s=0.04))
    assert (SILENCE_BLOCKS, PING_S) == (3, 10)


def test_the_websocket_fallback_rotates_because_only_a_confirmed_subscription_counts():
    """Opening a connection proves nothing: this one opens, and never confirms or names another chain."""

    async def conversation(pool, world, proxies):
        proxies[0].fault = Fault.WRONG_CHAIN
        async with pool.subscribe() as hints:
            await eventually(lambda: hints.source == "b")
            world.mine()
            assert (await head_from(hints, "b")).number == 1
            assert "wrong_chain_id" in pool.report[0].last_error

    over_proxies(conversation)


def test_hints_that_nobody_takes_do_not_pile_up():
    async def conversation(pool, _world, _proxies):
        async with pool.subscribe() as hints:
            for number in range(5_000):
                hints._put(HeadHint(number, b"", "a"))
            assert hints._hints.qsize() == 1_024
            last = None
            while hints._hints.qsize():
                last = await anext(hints)
            assert last is not None
            assert last.number == 4_999, "the newest says all"

    over_proxies(conversation, with_ws=False, count=1)
