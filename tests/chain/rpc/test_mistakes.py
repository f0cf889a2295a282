"""Street spec 12: mistakes seen in the field, those of a pool, each by its name."""

import asyncio
import re

import pytest
from eth_account import Account
from tests.chain.rpc.support import (
    CHAIN_ID,
    PATIENT_S,
    SEEN,
    endpoint,
    eventually,
    run,
    stand,
    unanswered,
)
from tests.sim.assembly import BOB, ETHER

from tidegate.chain import address
from tidegate.chain.rpc import Keep, Tier
from tidegate.chain.rpc.cache import ReadCache
from tidegate.chain.rpc.reading import Reading
from tidegate.model import ManualClock, Rejected, Unavailable
from tidegate.sim import ExactWorld, Fault

KEY = Account.from_key("0x" + "33" * 32)


def test_retrying_a_send_on_another_node_after_a_nonce_error():
    """The refusal stands: no endpoint sees the bytes a second time, and the backup is not asked instead."""
    with ExactWorld() as world:
        world.set_balance(address(KEY.address), ETHER)
        world.set_nonce(address(KEY.address), 5)
        transaction = {
            "to": BOB,
            "value": 0,
            "gas": 21_000,
            "maxFeePerGas": 10**9,
            "maxPriorityFeePerGas": 0,
            "nonce": 1,
            "chainId": CHAIN_ID,
            "type": 2,
        }
        raw = bytes(KEY.sign_transaction(transaction).raw_transaction)

        async def conversation():
            async with stand(world.url, 3, options=[{}, {"tier": Tier.BACKUP}, {"tier": Tier.PRIVATE}]) as at:
                with pytest.raises(Rejected) as caught:
                    await at.pool.send_raw(raw)
                assert caught.value.code == "nonce_too_low"
                sends = [proxy.methods["eth_sendRawTransaction"] for proxy in at.proxies]
                assert sends == [1, 1, 0], "each of the route at once, nobody afterwards"

        run(conversation())


def test_a_fallback_list_that_ends_by_raising_the_last_error_only(node):
    async def conversation():
        async with stand(node.url, 3, faults=[Fault.HTML, Fault.DROP, Fault.SERVER_ERROR]) as at:
            error = await unanswered(
                lambda timeout_s: at.pool.reads().request("eth_gasPrice", timeout_s=timeout_s),
                *("<html>", "Error", "HTTP 503"),
            )
            assert re.findall(r"(?:^|; )([abc])\b", error.found) == ["a", "b", "c"]
            assert "<html>" in error.found
            assert "HTTP 503" in error.found
            assert "ServerDisconnectedError" in error.found or "ClientOSError" in error.found

    run(conversation())


def test_a_first_good_value_cached_and_shown_for_ever_during_an_outage(node):
    async def conversation():
        clock = ManualClock()
        async with stand(node.url, 1) as at:
            reading = at.pool._reading
            assert isinstance(reading, Reading)
            reading._cache = ReadCache(clock, head_age_max_s=36)
            reads = at.pool.reads(keep=Keep.PRICE)
            assert await reads.balance(SEEN) == 10**18
            await at.proxies[0].die()
            clock.set_ms(59_999)
            assert await reads.balance(SEEN) == 10**18, "it may still be shown: it is not a minute old"
            clock.set_ms(60_000)
            with pytest.raises(Unavailable):
                await reads.request("eth_getBalance", SEEN, "latest", timeout_s=0.2)

    run(conversation())


def test_a_websocket_fallback_that_never_rotates_because_constructing_a_client_does_not_connect(node):
    async def conversation():
        async with stand(node.url, 1) as at:
            proxy = at.proxies[0]
            dead = endpoint(proxy, "dead", ws="ws://127.0.0.1:9")
            good = endpoint(proxy, "good", ws=proxy.ws_url)
            pool = type(at.pool)(at.pool.network, [dead, good])
            async with pool, pool.subscribe() as hints:
                await eventually(lambda: hints.source == "good")

    run(conversation())


def test_an_optional_url_that_is_empty_but_wins(node):
    """An empty ``ws`` is no WebSocket: hints come by polling, and nobody dials nothing for ever."""

    async def conversation():
        async with stand(node.url, 1, options=[{"ws": ""}]) as at, at.pool.subscribe() as hints:
            async with asyncio.timeout(PATIENT_S):
                assert (await anext(hints)).source == "poll"
            assert not hints._lanes

    run(conversation())
