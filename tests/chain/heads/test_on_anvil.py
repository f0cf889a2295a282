"""The same on a real node: blocks, logs, reorgs, and a node that is asked over the pool's own reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
from eth_account import Account
from tests.chain.heads.fold import Fold
from tests.chain.rpc.support import PATIENT, PATIENT_S
from tests.sim.assembly import ALICE, BOB, ETHER, LOGS, initcode

from tidegate.chain import address, devnet_network, hex_data
from tidegate.chain.heads import (
    BlockState,
    Change,
    HeadFollower,
    LogFilter,
    LogKey,
    MemoryCursors,
    NodeBlocks,
    RolledBack,
)
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.chain.wire import mined_logs_of
from tidegate.model import Divergence, ManualClock
from tidegate.sim import ExactWorld

KEY = Account.from_key("0x" + "44" * 32)
SENDER = address(KEY.address)
NETWORK = devnet_network(31_337, block_time_s=1)


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with ExactWorld() as world:
        yield world


@pytest.fixture
def world(node: ExactWorld) -> Iterator[ExactWorld]:
    with node.snapshot():
        node.set_balance(SENDER, ETHER)
        yield node
        node.set_mining("auto")


def pool_of(world: ExactWorld) -> RpcPool:
    return RpcPool(NETWORK, [Endpoint("node", world.url, **PATIENT)], deadline_s=PATIENT_S)


class Following:
    """One follower over one node; each call is a conversation of its own."""

    def __init__(self, world: ExactWorld, *, cursors=None, **options) -> None:
        self.fold = Fold(chain_id=NETWORK.chain_id)
        self._world = world
        self._first = world.block().number
        options = {"start_block": self._first, "clock": ManualClock(0), **options}
        network = options.pop("network", NETWORK)
        self._source = NodeBlocks(self)
        self.follower = HeadFollower(self._source, cursors or MemoryCursors(), network, **options)

    async def request(self, method: str, *params):
        return await self._reads.request(method, *params)

    def look(self, times: int = 3) -> list[Change]:
        async def conversation() -> list[Change]:
            found: list[Change] = []
            async with pool_of(self._world) as pool:
                self._reads = pool.reads(keep=Keep.NOTHING)
                for _ in range(times):
                    batch = await self.follower.step()
                    self.fold.take(batch)
                    found += batch
            return found

        return asyncio.run(conversation())

    def canonical(self) -> set[LogKey]:
        span = {"fromBlock": hex(self._first), "toBlock": "latest"}
        return {log.key(NETWORK.chain_id) for log in mined_logs_of(self._world._request("eth_getLogs", span))}


def call_of(contract: str, nonce: int) -> bytes:
    transaction = {
        "to": contract,
        "value": 0,
        "gas": 60_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 0,
        "nonce": nonce,
        "chainId": NETWORK.chain_id,
        "type": 2,
    }
    return bytes(KEY.sign_transaction(transaction).raw_transaction)


def test_blocks_and_logs_of_a_node_once_and_in_order(world: ExactWorld) -> None:
    following = Following(world)
    contract = world.deploy(initcode(LOGS), sender=ALICE)
    for _ in range(3):
        world.transact(contract, sender=ALICE)
    following.look()
    world.mine(2)
    world.transact(contract, sender=ALICE)
    following.look()
    assert set(following.fold.logs) == following.canonical()
    assert len(following.fold.logs) == 4
    assert max(following.fold.blocks) == world.block().number
    assert following.follower.state_of(world.block().number) is BlockState.CONFIRMED


def test_a_reorg_of_a_node_that_drops_a_transaction_withdraws_its_log(world: ExactWorld) -> None:
    contract = world.deploy(initcode(LOGS), sender=ALICE)
    following = Following(world)
    world.transact(contract, sender=ALICE)
    following.look()
    (old,) = following.fold.logs
    world.reorg(1)
    (withdrawn,) = [change for change in following.look() if isinstance(change, RolledBack)]
    assert withdrawn.keys == (old,)
    assert following.fold.logs == {}


@pytest.mark.parametrize("depth", [2, 4])
def test_a_reorg_of_a_node_moves_a_log_to_another_block(world: ExactWorld, depth: int) -> None:
    contract = world.deploy(initcode(LOGS), sender=ALICE)
    following = Following(world)
    world.mine(2)
    world.set_mining("manual")
    world.send_raw(call_of(contract, 0))
    world.mine()
    world.mine(depth - 1)
    following.look()
    (old,) = following.fold.logs
    world.reorg(depth, [(call_of(contract, 0), depth - 1)])
    changes = following.look()
    withdrawn = [change for change in changes if isinstance(change, RolledBack)]
    assert len(withdrawn) == depth
    assert [key for change in withdrawn for key in change.keys] == [old]
    assert set(following.fold.logs) == following.canonical()
    assert old not in following.fold.logs
    assert len(following.fold.logs) == 1


def test_a_snapshot_that_is_undone_is_a_reorg_once_other_blocks_come(world: ExactWorld) -> None:
    contract = world.deploy(initcode(LOGS), sender=ALICE)
    following = Following(world)
    with world.snapshot():
        world.mine(3)
        world.transact(contract, sender=ALICE)
        following.look()
        assert len(following.fold.logs) == 1
    following.look()
    world.set_next_timestamp(world.block().timestamp + 77)
    world.mine(6)
    following.look()
    assert following.fold.logs == {}
    assert following.fold.blocks[world.block().number] == world.block().hash
    assert len(following.fold.rolled_back) == 4


def test_reorgs_again_and_again_leave_what_the_node_calls_canonical(world: ExactWorld) -> None:
    contract = world.deploy(initcode(LOGS), sender=ALICE)
    following = Following(world)
    for depth in (1, 3, 2, 5, 1, 4):
        for _ in range(5):
            world.transact(contract, sender=ALICE)
        following.look(1)
        world.reorg(depth)
        world.transact(contract, sender=ALICE)
        following.look(2)
    assert set(following.fold.logs) == following.canonical()
    assert len(following.fold.rolled_back) == 16


def test_a_reorg_of_a_node_beyond_the_limit_halts(world: ExactWorld) -> None:
    network = msgspec.structs.replace(NETWORK, reorg_max_blocks=3)
    following = Following(world, network=network)
    for _ in range(10):
        world.transact(BOB, sender=ALICE)
    following.look()
    world.reorg(4)
    with pytest.raises(Divergence) as caught:
        following.look()
    assert caught.value.code == "reorg_too_deep"


def test_a_backfill_over_a_node_in_spans(world: ExactWorld) -> None:
    contract = world.deploy(initcode(LOGS), sender=ALICE)
    following = Following(world, span_max=50, wanted=LogFilter(accounts=(contract,)))
    for _ in range(4):
        world.transact(contract, sender=ALICE)
        world.mine(60)
    following.look(8)
    assert max(following.fold.blocks) == world.block().number
    assert set(following.fold.logs) == following.canonical()
    assert len(following.fold.logs) == 4


def test_a_hash_that_the_node_does_not_know_is_none(world: ExactWorld) -> None:
    async def conversation() -> None:
        async with pool_of(world) as pool:
            source = NodeBlocks(pool.reads(keep=Keep.NOTHING))
            assert await source.header(b"\x11" * 32) is None
            assert await source.header(10**6) is None
            head = await source.head()
            assert head == await source.header(head.hash) == await source.header(head.number)
            assert hex_data(head.parent_hash) == hex_data(world.block(head.number - 1).hash)

    world.mine()
    asyncio.run(conversation())
