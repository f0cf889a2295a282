"""Street spec 1.2 and 1.3: reads that survive bad nodes, on a real node behind bad ones."""

import asyncio

import pytest
from tests.chain.rpc.support import (
    CHAIN_ID,
    NETWORK,
    PATIENT_S,
    SEEN,
    endpoint,
    eventually,
    run,
    stand,
    unanswered,
    whole_text,
)
from tests.sim.assembly import ALICE, LOGS, WRITES_AND_REVERTS, initcode

from tidegate.chain import CallReverted, RangeTooWide
from tidegate.chain.rpc import Endpoint, EndpointState, Feature, Fresh, Keep, RpcPool, Tier
from tidegate.model import ConfigError, Rejected, Unavailable
from tidegate.sim import ExactWorld, Fault, FaultProxy

BACKUP = {"tier": Tier.BACKUP}
TRANSPORT_FAULTS = [
    Fault.DROP,
    Fault.TRUNCATE,
    Fault.NOT_JSON,
    Fault.HTML,
    Fault.SERVER_ERROR,
    Fault.RATE_LIMIT,
    Fault.UNAUTHORISED,
    Fault.OTHER_ID,
    Fault.HANG,
]


def gas_price(at):
    return lambda timeout_s: at.pool.reads().request("eth_gasPrice", timeout_s=timeout_s)


@pytest.mark.parametrize("fault", TRANSPORT_FAULTS)
def test_a_transport_error_goes_to_the_next_endpoint(node, fault):
    async def conversation():
        async with stand(node.url, faults=[fault], options=[{}, BACKUP]) as at:
            for _ in range(5):
                assert await at.pool.reads().balance(SEEN) == 10**18
            assert at.proxies[0].requests >= 1, "the bad one was asked first"

    run(conversation())


def test_a_node_that_is_gone_is_passed_over(node):
    async def conversation():
        async with stand(node.url, options=[{}, BACKUP]) as at:
            await at.proxies[0].die()
            for _ in range(5):
                assert await at.pool.reads().balance(SEEN) == 10**18
            assert at.state("a") is EndpointState.COOLING

    run(conversation())


def test_a_read_a_node_is_not_ready_for_goes_to_the_next(node):
    async def conversation():
        async with stand(node.url, faults=[Fault.LAG], options=[{}, BACKUP]) as at:
            at.proxies[0].lag_blocks = 2
            head = node.block()
            reads = at.pool.reads()
            assert await reads.block(head.number) == head, "a null block is not an answer yet"
            assert await reads.balance(SEEN, head.number) == 10**18
            assert at.proxies[0].requests >= 2

    run(conversation())


def test_pruned_state_is_read_from_an_archive_before_others(node):
    async def conversation():
        archive = {"tier": Tier.BACKUP, "features": frozenset({Feature.ARCHIVE})}
        async with stand(node.url, 3, faults=[Fault.PRUNED], options=[{}, BACKUP, archive]) as at:
            assert await at.pool.reads().balance(SEEN, 1) == 10**18
            pruned, plain, archive_proxy = at.proxies
            assert (pruned.requests, plain.requests, archive_proxy.requests) == (1, 0, 1)

    run(conversation())


def test_a_block_that_nobody_has_is_told_at_once(node):
    async def conversation():
        async with stand(node.url) as at:
            with pytest.raises(Unavailable) as caught:
                await at.pool.reads().block(999)
            assert caught.value.code == "block_missing"
            with pytest.raises(Unavailable) as caught:
                await at.pool.reads().balance(SEEN, 999)
            assert caught.value.code == "state_missing"
            assert [proxy.requests for proxy in at.proxies] == [2, 2], "everyone was asked, once"

    run(conversation())


def test_a_final_error_is_raised_at_once_and_never_sent_to_another_endpoint():
    with ExactWorld() as world:
        failing = world.deploy(initcode(WRITES_AND_REVERTS), sender=ALICE)

        async def conversation():
            async with stand(world.url, options=[{}, BACKUP]) as at:
                reads = at.pool.reads()
                with pytest.raises(CallReverted) as reverted:
                    await reads.call(failing)
                assert reverted.value.data == bytes.fromhex("deadbeef"), "decoded, with its data"
                with pytest.raises(Rejected) as unknown:
                    await reads.request("eth_noSuchThing")
                assert unknown.value.code == "method_not_found"
                with pytest.raises(Rejected) as invalid:
                    await reads.request("eth_getBalance", "nonsense", "latest")
                assert invalid.value.code == "invalid_params"
                assert at.proxies[1].requests == 0

        run(conversation())


def test_unavailable_carries_each_endpoints_last_error_not_the_last_one_only(node):
    async def conversation():
        faults = [Fault.HTML, Fault.SERVER_ERROR, Fault.UNAUTHORISED]
        async with stand(node.url, 3, faults=faults) as at:
            await at.proxies[1].die()
            error = await unanswered(gas_price(at), "JSON", "ClientConnectorError", "HTTP 401")
            shown = error.found
            assert "a: transport" in shown or "a (cooling)" in shown
            assert "JSON" in shown or "malformed" in shown
            assert "ClientConnectorError" in shown
            assert "HTTP 401" in shown
            for proxy in at.proxies:
                assert proxy.url.removeprefix("http://") not in whole_text(error)
            assert "127.0.0.1" not in whole_text(error)

    run(conversation())


def test_no_call_waits_without_a_deadline(node):
    async def conversation():
        async with stand(node.url, 2, deadline_s=0.3) as at:
            for proxy in at.proxies:
                proxy.fault = Fault.HANG
            async with asyncio.timeout(PATIENT_S / 2):
                for options in ({}, {"timeout_s": 0.1}):
                    with pytest.raises(Unavailable):
                        await at.pool.reads().request("eth_gasPrice", **options)

    run(conversation())


def test_the_healthy_come_before_the_degraded_and_primaries_before_backups(node):
    async def conversation():
        async with stand(node.url, 3, options=[{}, BACKUP, {}]) as at:
            for lane, state in zip(at.pool._lanes, (1, 0, 0), strict=True):
                lane.health.state = EndpointState(state)
            for number in range(6):
                await at.pool.reads().balance(SEEN, number)
            assert [proxy.requests for proxy in at.proxies] == [0, 0, 6]
            at.pool._lanes[2].health.state = EndpointState.COOLING
            for number in range(6):
                await at.pool.reads().balance(SEEN, number)
            assert [proxy.requests for proxy in at.proxies] == [0, 6, 6]
            at.pool._lanes[1].health.state = EndpointState.QUARANTINED
            await at.pool.reads().balance(SEEN, 1)
            assert [proxy.requests for proxy in at.proxies] == [1, 6, 6], "degraded is better than nobody"

    run(conversation())


def test_reads_are_shared_by_weight(node):
    async def conversation():
        async with stand(node.url, 2, options=[{"weight": 3}, {"weight": 1}]) as at:
            lanes = at.pool._lanes
            first = [at.pool._reading.ordered(lanes)[0].name for _ in range(16)]
            assert first == ["a", "a", "b", "a"] * 4

    run(conversation())


def test_private_endpoints_are_not_read(node):
    async def conversation():
        async with stand(node.url, 2, options=[{"tier": Tier.PRIVATE}]) as at:
            await asyncio.gather(*(at.pool.reads().balance(SEEN, number) for number in range(8)))
            assert at.proxies[0].requests == 0

    run(conversation())


def test_fresh_reads_only_where_the_head_is_near(node):
    async def conversation():
        async with stand(node.url, 2, faults=[], options=[{}, BACKUP]) as at:
            at.proxies[0].fault, at.proxies[0].lag_blocks = Fault.LAG, 2
            await at.pool._watch.look(at.pool._lanes[0])
            at.forget_counts()
            for _ in range(4):
                await at.pool.reads(Fresh(1), keep=Keep.NOTHING).balance(SEEN)
            assert [proxy.requests for proxy in at.proxies] == [0, 4]
            await at.pool.reads(Fresh(2), keep=Keep.NOTHING).balance(SEEN)
            assert at.proxies[0].requests == 1
            await at.proxies[1].die()
            with pytest.raises(Unavailable):
                await at.pool.reads(Fresh(1)).request("eth_gasPrice", timeout_s=0.3)

    run(conversation())


def test_identical_reads_in_flight_are_one_request(node):
    async def conversation():
        async with stand(node.url, 1) as at:
            same = [at.pool.reads().balance(SEEN) for _ in range(10)]
            assert set(await asyncio.gather(*same)) == {10**18}
            assert at.proxies[0].methods == {"eth_getBalance": 1}
            signing = at.pool.reads(keep=Keep.NOTHING)
            await asyncio.gather(*(signing.balance(SEEN) for _ in range(3)))
            assert at.proxies[0].methods == {"eth_getBalance": 4}, "who signs joins nobody"

    run(conversation())


def test_a_twin_goes_on_when_whoever_asked_first_gives_up(node):
    async def conversation():
        async with stand(node.url, 1) as at:
            at.proxies[0].fault = Fault.HANG
            first = asyncio.create_task(at.pool.reads().balance(SEEN))
            await eventually(lambda: at.proxies[0].requests == 1)
            second = asyncio.create_task(at.pool.reads().balance(SEEN))
            await asyncio.sleep(0)
            at.proxies[0].fault = Fault.NONE
            first.cancel()
            assert await second == 10**18
            with pytest.raises(asyncio.CancelledError):
                await first

    run(conversation())


def test_those_who_travel_with_a_call_that_is_given_up_arrive(node):
    async def conversation():
        async with stand(node.url, 1) as at:
            at.proxies[0].fault = Fault.HANG
            tasks = [asyncio.create_task(at.pool.reads().balance(SEEN, number)) for number in range(4)]
            await eventually(lambda: at.proxies[0].requests == 1)
            at.proxies[0].fault = Fault.NONE
            tasks[0].cancel()
            assert await asyncio.gather(*tasks[1:]) == [10**18] * 3

    run(conversation())


def test_what_a_hash_pins_is_asked_once_and_nothing_cached_is_used_when_signing(node):
    async def conversation():
        async with stand(node.url, 1) as at:
            head = node.block()
            for _ in range(3):
                assert await at.pool.reads().balance(SEEN, head.hash) == 10**18
            assert at.proxies[0].methods["eth_getBalance"] == 1
            assert await at.pool.reads(keep=Keep.NOTHING).balance(SEEN, head.hash) == 10**18
            assert at.proxies[0].methods["eth_getBalance"] == 2

    run(conversation())


def test_what_holds_for_the_head_is_kept_until_the_next_head():
    with ExactWorld() as world:
        world.set_balance(SEEN, 1)

        async def conversation():
            async with stand(world.url, 1) as at:
                reads = at.pool.reads(keep=Keep.HEAD)
                assert [await reads.balance(SEEN), await reads.balance(SEEN)] == [1, 1]
                assert at.proxies[0].methods["eth_getBalance"] == 1
                world.set_balance(SEEN, 2)
                world.mine()
                await reads.block()
                assert await reads.balance(SEEN) == 2, "the read of a new head ended it"

        run(conversation())


def test_after_the_p95_a_second_endpoint_is_asked_and_the_first_answer_wins(node, hedged):
    async def conversation():
        async with stand(node.url, 2, options=[{}, BACKUP]) as at:
            at.proxies[0].fault = Fault.HANG
            async with asyncio.timeout(PATIENT_S / 2):
                assert await at.pool.reads().balance(SEEN) == 10**18
            assert [proxy.requests for proxy in at.proxies] == [1, 1]
            assert at.state("a") is EndpointState.HEALTHY, "it was not failed, only overtaken"

    run(conversation())


def test_too_wide_a_range_of_logs_is_halved_and_remembered():
    with ExactWorld() as world:
        source = world.deploy(initcode(LOGS), sender=ALICE)
        for _ in range(16):
            world.transact(source, sender=ALICE)

        async def conversation():
            async with stand(world.url, 1) as at:
                at.proxies[0].logs_span_max = 5
                head = world.block().number
                found = await at.pool.reads().logs(from_block=1, to_block=head)
                assert found == world.logs(from_block=1, to_block=head)
                assert at.pool.logs_span == 4, "17 → 8 → 4"
                at.forget_counts()
                await at.pool.reads().logs(from_block=1, to_block=head)
                assert at.proxies[0].methods == {"eth_getLogs": 5}, "no attempt at a wider one"
                with pytest.raises(RangeTooWide):
                    await at.pool.reads().request("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x9"})

        run(conversation())


def test_a_range_too_wide_for_one_endpoint_is_read_from_another():
    with ExactWorld() as world:
        for _ in range(8):
            world.mine()

        async def conversation():
            async with stand(world.url, 2, options=[{"logs_span_max": 2}, BACKUP]) as at:
                await at.pool.reads().logs(from_block=1, to_block=8)
                assert [proxy.methods["eth_getLogs"] for proxy in at.proxies] == [0, 1]

        run(conversation())


def test_traces_are_asked_where_there_are_some(node):
    async def conversation():
        tracer = {"tier": Tier.BACKUP, "features": frozenset({Feature.TRACE})}
        async with stand(node.url, 2, options=[{}, tracer]) as at:
            await at.pool.reads().request("debug_traceBlockByNumber", "0x1")
            assert [proxy.requests for proxy in at.proxies] == [0, 1]

    run(conversation())


def test_a_pool_needs_endpoints_with_different_names():
    with pytest.raises(ConfigError, match="different names"):
        RpcPool(NETWORK, [])
    with pytest.raises(ConfigError, match="different names"):
        RpcPool(NETWORK, [Endpoint("a", "http://127.0.0.1:1"), Endpoint("a", "http://127.0.0.1:2")])


def test_a_closed_pool_says_so_and_may_be_started_again(node):
    async def conversation():
        async with FaultProxy(node.url) as proxy:
            pool = RpcPool(NETWORK, [endpoint(proxy, "a")], deadline_s=PATIENT_S)
            await pool.start()
            await pool.close()
            with pytest.raises(Unavailable):
                await pool.reads().request("eth_gasPrice", timeout_s=0.2)
            async with pool:
                assert await pool.reads().balance(SEEN) == 10**18, "it may be started again"

    run(conversation())


def test_the_typed_reads_agree_with_the_world(node):
    async def conversation():
        async with stand(node.url, 3) as at:
            reads = at.pool.reads()
            assert reads.chain_id == CHAIN_ID
            assert await reads.block() == node.block()
            assert await reads.nonce(SEEN) == 0
            assert await reads.batch([("eth_chainId", []), ("eth_blockNumber", [])]) == [
                hex(CHAIN_ID),
                hex(node.block().number),
            ]
            first, second = await reads.batch([("eth_noSuchThing", []), ("eth_chainId", [])])
            assert isinstance(first, Rejected)
            assert second == hex(CHAIN_ID)

    run(conversation())
