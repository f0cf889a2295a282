"""Street spec 1.2: the same bytes for the same block hash from different operators, and pinned sets."""

import asyncio

import pytest
from tests.chain.rpc.support import SEEN, eventually, run, stand, unanswered
from tests.sim.assembly import ALICE, BOB, WRITES_AND_REVERTS, initcode

from tidegate.chain import CallReverted, block_parameter
from tidegate.chain.rpc import ANY, Keep, Quorum, Tier
from tidegate.chain.rpc.lane import HEDGE_UNKNOWN_S
from tidegate.chain.rpc.quorum import comparable
from tidegate.model import Divergence, Unavailable
from tidegate.sim import ExactWorld, Fault


def pinned_balance(at, node):
    pinned = block_parameter(node.block().hash)
    reads = at.pool.reads(Quorum(2))
    return lambda timeout_s: reads.request("eth_getBalance", SEEN, pinned, timeout_s=timeout_s)


def test_a_quorum_asks_as_many_operators_and_returns_what_they_agree_on(node):
    async def conversation():
        async with stand(node.url, 3) as at:
            head = node.block()
            reads = at.pool.reads(Quorum(2))
            assert await reads.balance(SEEN, head.hash) == 10**18
            assert sorted(proxy.methods["eth_getBalance"] for proxy in at.proxies) == [0, 1, 1]
            assert await at.pool.reads(Quorum(3)).balance(SEEN, head.hash) == 10**18
            assert all(proxy.methods["eth_getBalance"] for proxy in at.proxies)

    run(conversation())


@pytest.mark.parametrize("block", ["latest", 3, "hash"])
def test_two_answers_that_differ_are_a_divergence_and_nobodys_is_taken(node, block):
    async def conversation():
        async with stand(node.url, 2, faults=[Fault.LIE_BALANCE]) as at:
            at_block = node.block().hash if block == "hash" else block
            with pytest.raises(Divergence) as caught:
                await at.pool.reads(Quorum(2)).balance(SEEN, at_block)
            assert "a: " in caught.value.found
            assert "b: " in caught.value.found

    run(conversation())


def test_two_hashes_for_one_height_are_a_divergence(node):
    async def conversation():
        async with stand(node.url, 2, faults=[Fault.LIE_HASH]) as at:
            with pytest.raises(Divergence):
                await at.pool.reads(Quorum(2)).block(3)
            with pytest.raises(Divergence):
                await at.pool.reads(Quorum(2)).balance(SEEN)

    run(conversation())


def test_two_endpoints_of_one_operator_are_no_quorum(node):
    async def conversation():
        same = {"operator": "acme"}
        async with stand(node.url, 2, options=[same, same]) as at:
            error = await unanswered(pinned_balance(at, node), "1 of 2 operators")
            assert "1 of 2 operators" in error.message
            assert at.pool.policy_for_value == ANY

    run(conversation())


def test_an_operator_that_fails_is_replaced_by_another(node):
    async def conversation():
        async with stand(node.url, 3, faults=[Fault.DROP], options=[{}, {}, {"tier": Tier.BACKUP}]) as at:
            assert await at.pool.reads(Quorum(2)).balance(SEEN, node.block().hash) == 10**18
            assert at.proxies[2].methods["eth_getBalance"] == 1

    run(conversation())


def test_without_enough_operators_there_is_no_answer(node):
    async def conversation():
        async with stand(node.url, 2, faults=[Fault.HTML]) as at:
            error = await unanswered(pinned_balance(at, node), "1 of 2 operators")
            assert "1 of 2 operators" in error.message

    run(conversation())


def test_there_is_no_hedging_in_a_quorum(node, hedged):
    async def conversation():
        async with stand(node.url, 3, options=[{}, {}, {"tier": Tier.BACKUP}]) as at:
            at.proxies[0].fault = Fault.HANG
            asked = asyncio.create_task(at.pool.reads(Quorum(2)).balance(SEEN, node.block().hash))
            await eventually(lambda: [proxy.requests for proxy in at.proxies[:2]] == [1, 1])
            await asyncio.sleep(HEDGE_UNKNOWN_S + 0.05)
            assert at.proxies[2].requests == 0, "the slow one has its time"
            await at.proxies[0].die()
            assert await asked == 10**18

    run(conversation())


def test_a_quorum_on_the_head_agrees_on_a_block_first(node):
    async def conversation():
        async with stand(node.url, 2, faults=[Fault.LAG]) as at:
            at.proxies[0].lag_blocks = 2
            head = await at.pool.reads(Quorum(2)).block()
            assert head == node.block(node.block().number - 2), "the newest block that both have"
            assert await at.pool.reads(Quorum(2)).request("eth_blockNumber") == hex(head.number)
            assert await at.pool.reads(Quorum(2)).balance(SEEN) == 10**18
            logs = await at.pool.reads(Quorum(2)).request(
                "eth_getLogs", {"fromBlock": "0x1", "toBlock": "latest"}
            )
            assert logs == []

    run(conversation())


def test_a_revert_that_two_operators_agree_on_is_a_revert():
    with ExactWorld() as world:
        failing = world.deploy(initcode(WRITES_AND_REVERTS), sender=ALICE)

        async def conversation():
            async with stand(world.url, 2) as at:
                with pytest.raises(CallReverted) as caught:
                    await at.pool.reads(Quorum(2)).call(failing)
                assert caught.value.data == bytes.fromhex("deadbeef")

        run(conversation())


def test_decisions_that_commit_value_use_two_operators_where_two_exist(node):
    async def conversation():
        async with stand(node.url, 2) as at:
            assert at.pool.policy_for_value == Quorum(2)
        async with stand(node.url, 1) as at:
            assert at.pool.policy_for_value == ANY
        async with stand(node.url, 2, options=[{}, {"tier": Tier.PRIVATE}]) as at:
            assert at.pool.policy_for_value == ANY, "a private endpoint is not read"

    run(conversation())


def test_an_answer_of_one_is_not_taken_from_memory_for_a_quorum(node):
    async def conversation():
        async with stand(node.url, 2, faults=[Fault.LIE_BALANCE], options=[{}, {"tier": Tier.BACKUP}]) as at:
            pinned = node.block().hash
            assert await at.pool.reads().balance(SEEN, pinned) == 10**18 + 1, "one liar, believed by any"
            with pytest.raises(Divergence):
                await at.pool.reads(Quorum(2)).balance(SEEN, pinned)

    run(conversation())


def test_nodes_may_order_and_add_fields_as_they_like():
    log = {"address": "0xAB", "topics": [], "data": "0x", "blockHash": "0x1", "logIndex": "0x0"}
    other = {**dict(reversed(log.items())), "address": "0xab", "removed": False}
    assert comparable("eth_getLogs", [log]) == comparable("eth_getLogs", [other])
    assert comparable("eth_getLogs", [log]) != comparable("eth_getLogs", [{**log, "data": "0x01"}])
    block = {"hash": "0xAA", "number": "0x1"}
    assert comparable("eth_getBlockByNumber", block) == comparable(
        "eth_getBlockByNumber", {"hash": "0xaa", "totalDifficulty": "0x0"}
    )
    receipt = {"transactionHash": "0x1", "status": "0x1", "logs": [log]}
    assert comparable("eth_getTransactionReceipt", receipt) == comparable(
        "eth_getTransactionReceipt", {**receipt, "l1Fee": "0x9", "logs": [other]}
    )
    assert comparable("eth_getTransactionReceipt", receipt) != comparable(
        "eth_getTransactionReceipt", {**receipt, "status": "0x0"}
    )


def test_a_set_of_reads_is_pinned_to_one_block_by_hash():
    with ExactWorld() as world:
        world.set_balance(SEEN, 7)
        world.mine()
        pinned = world.block()

        async def conversation():
            async with stand(world.url, 1) as at:
                reads = at.pool.reads(keep=Keep.NOTHING)
                assert await reads.balance(SEEN, pinned.hash) == 7
                world.mine()
                world.set_balance(SEEN, 8)
                world.mine()
                assert await reads.balance(SEEN) == 8
                assert await reads.balance(SEEN, pinned.hash) == 7
                assert at.proxies[0].methods == {"eth_getBalance": 3}, "by EIP-1898, nothing else is asked"

        run(conversation())


def test_where_a_node_does_not_know_pins_it_is_asked_by_number_with_a_hash_check():
    with ExactWorld() as world:
        world.set_balance(SEEN, 7)
        world.mine()
        pinned = world.block()

        async def conversation():
            async with stand(world.url, 1, faults=[Fault.REFUSE_PINS]) as at:
                reads = at.pool.reads(keep=Keep.NOTHING)
                for _ in range(2):
                    assert await reads.balance(SEEN, pinned.hash) == 7
                methods = at.proxies[0].methods
                assert methods["eth_getBalance"] == 3, "one pin was tried, and never again"
                assert methods["eth_getBlockByNumber"] == 4, "its block is looked at before and after"

        run(conversation())


def test_a_pin_by_number_does_not_read_another_block_that_took_its_height():
    with ExactWorld() as world:
        world.transact(BOB, sender=ALICE)
        gone = world.block()

        async def conversation():
            async with stand(world.url, 1, faults=[Fault.REFUSE_PINS]) as at:
                reads = at.pool.reads(keep=Keep.NOTHING)
                assert await reads.balance(SEEN, gone.hash) == 0
                world.reorg(1)
                assert world.block(gone.number).hash != gone.hash
                with pytest.raises(Unavailable) as caught:
                    await reads.balance(SEEN, gone.hash)
                assert caught.value.code == "state_missing"

        run(conversation())
