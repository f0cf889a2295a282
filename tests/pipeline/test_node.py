"""One rehearsal on a real node: every part of it on one block's state, in two round trips."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.pipeline.fakes import EXECUTOR, intent, plan_of
from tests.sim.assembly import ALICE, COUNTER, ETHER, WRITES_AND_REVERTS

from tidegate.chain import ChainReads, devnet_network
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.model import Plan, Rejected
from tidegate.pipeline import NodeChain
from tidegate.sim import ExactWorld

CHAIN_ID = 31337
GWEI = 10**9
PROBE = b"probe"


class Watched(ChainReads):
    """The reads of a node, noted in rounds, with a latest nonce that may run ahead of the head."""

    def __init__(self, reads: ChainReads) -> None:
        super().__init__(CHAIN_ID, name="watched")
        self.rounds: list[list[str]] = []
        self.nonce_ahead = 0
        self._reads = reads
        self._under_way = 0

    async def request(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        if not self._under_way:
            self.rounds.append([])
        self.rounds[-1].append(method)
        self._under_way += 1
        try:
            found = await self._reads.request(method, *params, timeout_s=timeout_s)
        finally:
            self._under_way -= 1
        if method == "eth_getTransactionCount" and params[1] == "latest":
            return hex(int(found, 16) + self.nonce_ahead)
        return found


@pytest.fixture(scope="module")
def world():
    with ExactWorld(chain_id=CHAIN_ID, mining="manual") as opened:
        opened.set_balance(ALICE, ETHER)
        opened.mine(timestamp=opened.block().timestamp + 100)
        opened.mine(timestamp=opened.block().timestamp + 7)
        yield opened


def rehearsing(world: ExactWorld, talk: Callable[[NodeChain, Watched], Awaitable[None]]) -> None:
    async def conversation() -> None:
        async with RpcPool(devnet_network(CHAIN_ID), [Endpoint("node", world.url)]) as pool:
            reads = Watched(pool.reads(keep=Keep.NOTHING))
            await talk(NodeChain(reads), reads)

    asyncio.run(conversation())


def a_plan() -> Plan:
    return msgspec.structs.replace(plan_of(intent()), max_fee_wei=20 * GWEI, max_priority_fee_wei=GWEI)


def test_a_rehearsal_takes_two_round_trips_once_the_heads_parent_is_known(world):
    world.set_code(EXECUTOR, COUNTER)

    async def talk(chain: NodeChain, reads: Watched) -> None:
        found = await chain.simulate(a_plan(), sender=ALICE, probe_data=PROBE)
        assert found.succeeded
        assert found.gas_needed >= found.gas_used > 21_000
        assert len(reads.rounds) == 3, "the head's parent was not known yet"
        reads.rounds.clear()
        assert await chain.simulate(a_plan(), sender=ALICE, probe_data=PROBE) == found
        assert [sorted(one) for one in reads.rounds] == [
            ["eth_getBlockByNumber", "eth_getTransactionCount"],
            ["eth_estimateGas", "eth_getTransactionCount", "eth_simulateV1", "eth_simulateV1"],
        ]

    rehearsing(world, talk)


def test_the_rehearsals_block_comes_as_late_after_its_parent_as_the_head_did(world):
    world.set_code(EXECUTOR, bytes.fromhex("425f5260205ff3"))  # returns the block's time

    async def talk(chain: NodeChain, reads: Watched) -> None:
        for _ in range(2):  # the second time from what is remembered
            found = await chain.simulate(a_plan(), sender=ALICE)
            assert int.from_bytes(found.output) == world.block().timestamp + 7

    rehearsing(world, talk)


def test_a_nonce_of_a_later_block_than_the_heads_is_not_the_one_that_counts(world):
    world.set_code(EXECUTOR, COUNTER)

    async def talk(chain: NodeChain, reads: Watched) -> None:
        right = await chain.simulate(a_plan(), sender=ALICE, probe_data=PROBE)
        reads.nonce_ahead = 1
        reads.rounds.clear()
        assert await chain.simulate(a_plan(), sender=ALICE, probe_data=PROBE) == right
        assert len(reads.rounds) == 3, "what ran with the other nonce does not count: it ran again"

    rehearsing(world, talk)


def test_a_run_that_reverts_has_no_gas_to_estimate_and_is_no_error(world):
    world.set_code(EXECUTOR, WRITES_AND_REVERTS)

    async def talk(chain: NodeChain, reads: Watched) -> None:
        found = await chain.simulate(a_plan(), sender=ALICE, probe_data=PROBE)
        assert not found.succeeded
        assert found.gas_needed == 0
        assert found.output == found.probe_output == bytes.fromhex("deadbeef")

    rehearsing(world, talk)


def test_a_plan_that_no_block_could_hold_is_refused(world):
    world.set_code(EXECUTOR, COUNTER)

    async def talk(chain: NodeChain, reads: Watched) -> None:
        poor = msgspec.structs.replace(a_plan(), value_wei=2 * ETHER)
        with pytest.raises(Rejected):
            await chain.simulate(poor, sender=ALICE)

    rehearsing(world, talk)
