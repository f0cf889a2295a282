"""Street spec 1.1 and 9: the right chain, the same history, and what happens to who differs."""

import asyncio

import msgspec
import pytest
from tests.chain.rpc.support import NETWORK, SEEN, endpoint, eventually, run, stand, whole_text

from tidegate.chain import devnet_network
from tidegate.chain.rpc import Cause, EndpointState, Keep, RpcPool
from tidegate.chain.rpc.watch import majority
from tidegate.model import ConfigError, Unavailable
from tidegate.sim import Fault, FaultProxy


async def pool_of(url: str, faults: list[Fault], conversation):
    async with FaultProxy(url) as a, FaultProxy(url) as b:
        a.fault, b.fault = faults
        events = []
        pool = RpcPool(NETWORK, [endpoint(a, "a"), endpoint(b, "b")], on_event=events.append)
        try:
            return await conversation(pool, events, a, b)
        finally:
            await pool.close()


def test_an_endpoint_of_another_chain_is_quarantined_and_the_others_go_on(node):
    async def conversation(pool, events, a, _b):
        await pool.start()
        assert await pool.reads().balance(SEEN) == 10**18
        report = pool.report[0]
        assert report.state is EndpointState.QUARANTINED
        assert report.last_error == "wrong_chain_id: expected 31337, was 1"
        assert [event.cause for event in events if event.is_alert] == [Cause.WRONG_CHAIN_ID]
        assert a.methods == {"eth_chainId": 1}, "and it is used for nothing"

    run(pool_of(node.url, [Fault.WRONG_CHAIN, Fault.NONE], conversation))


def test_with_no_endpoint_left_the_start_names_each_ones_last_error(node):
    async def conversation(pool, _events, a, b):
        with pytest.raises(Unavailable) as caught:
            await pool.start()
        assert "wrong_chain_id: expected 31337, was 1" in caught.value.found
        assert "HTTP 503" in caught.value.found
        assert "a (quarantined)" in caught.value.found
        for proxy in (a, b):
            assert proxy.url.removeprefix("http://") not in whole_text(caught.value)

    run(pool_of(node.url, [Fault.WRONG_CHAIN, Fault.SERVER_ERROR], conversation))


def test_an_endpoint_that_is_away_at_the_start_comes_back_by_itself(node):
    async def conversation(pool, _events, a, _b):
        await a.die()
        await pool.start()
        await a.revive()
        await eventually(lambda: pool.report[0].head is not None)
        assert pool.report[0].state is EndpointState.HEALTHY

    run(pool_of(node.url, [Fault.NONE, Fault.NONE], conversation))


def test_the_chain_id_is_checked_again_after_every_reconnect(node):
    async def conversation():
        async with stand(node.url, 2) as at:
            reads = at.pool.reads(keep=Keep.NOTHING)
            await asyncio.gather(*(reads.balance(SEEN, number) for number in range(4)))
            await at.proxies[0].die()
            at.proxies[0].fault = Fault.WRONG_CHAIN
            await at.proxies[0].revive()
            at.forget_counts()
            for _ in range(4):
                assert await reads.balance(SEEN) == 10**18
            assert at.state("a") is EndpointState.QUARANTINED
            assert at.proxies[0].methods["eth_getBalance"] <= 1, "what it said meanwhile was not believed"

    run(conversation())


def test_a_person_releases_a_quarantined_endpoint_and_it_is_checked_again(node):
    async def conversation():
        async with stand(node.url, 2) as at:
            await at.proxies[0].die()
            at.proxies[0].fault = Fault.WRONG_CHAIN
            await at.proxies[0].revive()
            await asyncio.gather(*(at.pool.reads().balance(SEEN, number) for number in range(8)))
            await asyncio.gather(*(at.pool.reads().balance(SEEN, number) for number in range(8)))
            assert at.state("a") is EndpointState.QUARANTINED
            assert await at.pool.release("a") is EndpointState.QUARANTINED, "it is still another chain"
            at.proxies[0].fault = Fault.NONE
            assert await at.pool.release("a") is EndpointState.HEALTHY
            assert [event.cause for event in at.events][-2:] == [Cause.RELEASED, Cause.PROBE_ANSWERED]
            with pytest.raises(ConfigError, match="no endpoint"):
                await at.pool.release("nobody")

    run(conversation())


def test_who_has_another_block_than_the_majority_at_a_settled_depth_is_quarantined(node):
    async def conversation():
        async with stand(node.url, 3, watch_every_s=0.02) as at:
            at.proxies[1].fault = Fault.LIE_HASH
            for lane in at.pool._lanes:
                lane.hashes.clear()
            await eventually(lambda: at.state("b") is EndpointState.QUARANTINED)
            assert [at.state(name) for name in "ac"] == [EndpointState.HEALTHY] * 2
            alert = next(event for event in at.events if event.is_alert)
            assert (alert.endpoint, alert.cause) == ("b", Cause.BLOCK_HASH_DIFFERS)
            at.proxies[1].fault = Fault.NONE
            assert await at.pool.release("b") is EndpointState.HEALTHY

    run(conversation())


def test_a_block_that_is_not_settled_quarantines_nobody(node):
    async def conversation():
        unsettled = devnet_network(31_337, block_time_s=1)
        network = msgspec.structs.replace(unsettled, confirmations=100)
        async with stand(node.url, 3, watch_every_s=0.02, network=network) as at:
            at.proxies[1].fault = Fault.LIE_HASH
            await eventually(lambda: at.proxies[1].requests > 10)
            assert at.state("b") is EndpointState.HEALTHY

    run(conversation())


def test_two_against_each_other_is_an_alert_and_a_trusted_node_decides(node):
    async def conversation():
        async with stand(node.url, 2, watch_every_s=0.02) as at:
            at.proxies[0].fault = Fault.LIE_HASH
            for lane in at.pool._lanes:
                lane.hashes.clear()
            await eventually(lambda: any(event.is_alert for event in at.events))
            assert "no majority" in at.events[-1].detail
            assert [at.state(name) for name in "ab"] == [EndpointState.HEALTHY] * 2
        async with stand(node.url, 2, watch_every_s=0.02, options=[{}, {"trusted": True}]) as at:
            at.proxies[0].fault = Fault.LIE_HASH
            for lane in at.pool._lanes:
                lane.hashes.clear()
            await eventually(lambda: at.state("a") is EndpointState.QUARANTINED)
            assert at.state("b") is EndpointState.HEALTHY

    run(conversation())


def test_a_majority_is_of_operators_not_of_endpoints(node):
    async def conversation():
        same = {"operator": "acme"}
        async with stand(node.url, 4, options=[same, same, {}, {}]) as at:
            a, b, c, d = at.pool._lanes
            assert majority({"0x1": [a, b], "0x2": [c, d]}) == "0x2"
            assert majority({"0x1": [a, b], "0x2": [c]}) is None
            assert majority({"0x1": [a], "0x2": [c], "0x3": [d]}) is None

    run(conversation())


def test_a_head_that_lags_is_seen_by_the_watch_and_one_that_runs_ahead_alone_is_not_believed(node):
    async def conversation():
        async with stand(node.url, 3, watch_every_s=0.02) as at:
            at.proxies[0].fault, at.proxies[0].lag_blocks = Fault.LAG, 5
            await eventually(lambda: at.state("a") is EndpointState.DEGRADED)
            assert next(report.lag_blocks for report in at.pool.report if report.name == "a") == 5
            at.proxies[0].fault = Fault.NONE
            await eventually(lambda: at.state("a") is EndpointState.HEALTHY)
            at.pool._lanes[2].head = 10_000
            assert at.pool.head == node.block().number, "two operators have it"

    run(conversation())


def test_what_cooled_is_probed_and_comes_back(node):
    async def conversation():
        async with stand(node.url, 2) as at:
            at.proxies[0].fault = Fault.DROP
            await asyncio.gather(*(at.pool.reads().balance(SEEN, number) for number in range(8)))
            for number in range(8):
                await at.pool.reads(keep=Keep.NOTHING).balance(SEEN, number)
            assert at.state("a") is EndpointState.COOLING
            at.forget_counts()
            await at.pool.reads(keep=Keep.NOTHING).balance(SEEN)
            assert at.proxies[0].methods["eth_getBalance"] == 0, "cooling: used for nothing"
            at.proxies[0].fault = Fault.NONE
            await eventually(lambda: at.state("a") is EndpointState.HEALTHY)
            assert at.proxies[0].methods["eth_chainId"] >= 1
            assert at.proxies[0].methods["eth_getBalance"] == 0

    run(conversation())
