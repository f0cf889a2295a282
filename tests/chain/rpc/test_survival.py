"""0 failed reads while any healthy endpoint remains, whatever the others do: random faults, fixed seeds."""

import asyncio
import random

import pytest
from tests.chain.rpc.support import NETWORK, SEEN, run, stand

from tidegate.chain.rpc import Keep, Quorum
from tidegate.model import Divergence, Unavailable
from tidegate.sim import Fault

# A liar that is believed by `any` gives a wrong answer, not a failed one: quorums are for that.
FAULTS = [
    Fault.DROP,
    Fault.TRUNCATE,
    Fault.NOT_JSON,
    Fault.HTML,
    Fault.SERVER_ERROR,
    Fault.RATE_LIMIT,
    Fault.UNAUTHORISED,
    Fault.OTHER_ID,
    Fault.REORDER,
    Fault.OMIT_IDS,
    Fault.DOUBLE_IDS,
    Fault.REFUSE_BATCHES,
    Fault.REFUSE_PINS,
    Fault.PRUNED,
    Fault.HANG,
    Fault.LAG,
    Fault.NONE,
]


async def survive(url: str, seed: int, rounds: int, head) -> None:
    """Break two of three endpoints at a time, at random; the third one is well."""
    chance = random.Random(seed)
    async with stand(url, 3, watch_every_s=0.05) as at:
        for index, proxy in enumerate(at.proxies):
            at.hurry(index)
            proxy.lag_blocks = 3
            proxy.retry_after_s = 0
        reads = at.pool.reads(keep=Keep.NOTHING)
        for _ in range(rounds):
            well = chance.randrange(3)
            dead = []
            for index, proxy in enumerate(at.proxies):
                proxy.fault = Fault.NONE if index == well else chance.choice(FAULTS)
                if index != well and chance.random() < 0.2:
                    dead.append(proxy)
                    await proxy.die()
            wanted = [chance.randrange(head.number + 1) for _ in range(chance.randrange(1, 12))]
            asked = [reads.block(height) for height in wanted]
            asked += [reads.balance(SEEN, head.hash), reads.balance(SEEN)]
            *blocks, pinned, latest = await asyncio.gather(*asked)
            assert [block.number for block in blocks] == wanted
            assert (pinned, latest) == (10**18, 10**18)
            for proxy in dead:
                await proxy.revive()


@pytest.mark.parametrize("seed", range(3))
def test_no_read_fails_while_any_healthy_endpoint_remains(node, hedged, seed):
    run(survive(node.url, seed, 8, node.block()))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_no_read_fails_while_any_healthy_endpoint_remains_in_depth(node, hedged, seed):
    run(survive(node.url, seed, 40, node.block()))


@pytest.mark.parametrize("seed", range(3))
def test_a_quorum_never_takes_a_liars_word(node, seed):
    chance = random.Random(seed)

    async def conversation():
        async with stand(node.url, 3, network=NETWORK, deadline_s=1.0) as at:
            head = node.block()
            for _ in range(15):
                for proxy in at.proxies:
                    proxy.fault = Fault.NONE
                liar = chance.choice(at.proxies)
                liar.fault = chance.choice([Fault.LIE_BALANCE, Fault.LIE_HASH])
                reads = at.pool.reads(Quorum(2), keep=Keep.NOTHING)
                try:
                    assert await reads.balance(SEEN, chance.choice([head.hash, 2, "latest"])) == 10**18
                    assert await reads.block(3) == node.block(3)
                except (Divergence, Unavailable):
                    continue

    run(conversation())
