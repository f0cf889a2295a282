"""The bad node on demand does what it says, so that what survives it has survived something."""

import asyncio
import json
from collections.abc import Iterator

import aiohttp
import pytest
from tests.chain.rpc.support import eventually
from tests.sim.assembly import ALICE, BOB

from tidegate.sim import ExactWorld, Fault, FaultProxy


@pytest.fixture(scope="module")
def world() -> Iterator[ExactWorld]:
    with ExactWorld() as world:
        world.set_balance(BOB, 5)
        for _ in range(6):
            world.mine()
        yield world


def through(world: ExactWorld, fault: Fault, conversation, *, wait_s: float = 60.0, **settings):
    async def run():
        async with FaultProxy(world.url) as proxy, aiohttp.ClientSession() as session:
            proxy.fault = fault
            for name, value in settings.items():
                setattr(proxy, name, value)

            async def post(body):
                async with asyncio.timeout(wait_s), session.post(proxy.url, json=body) as response:
                    return response.status, dict(response.headers), await response.read()

            async def ask(method, *params):
                async with session.post(proxy.url, json=call(method, *params)) as response:
                    return await response.json()

            return await conversation(proxy, post, ask)

    return asyncio.run(run())


def call(method, *params, identity=1):
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": list(params)}


BATCH = [call("eth_blockNumber", identity=number) for number in range(1, 5)]


def test_without_a_fault_it_is_the_node(world):
    async def conversation(proxy, post, ask):
        assert (await ask("eth_getBalance", BOB, "latest"))["result"] == "0x5"
        assert (await ask("eth_blockNumber"))["result"] == "0x6"
        assert (proxy.requests, proxy.methods["eth_getBalance"], proxy.batches) == (2, 1, [1, 1])

    through(world, Fault.NONE, conversation)


def test_lag_answers_from_an_older_head_throughout(world):
    async def conversation(proxy, post, ask):
        assert (await ask("eth_blockNumber"))["result"] == "0x4"
        assert (await ask("eth_getBlockByNumber", "latest", False))["result"]["number"] == "0x4"
        assert (await ask("eth_getBlockByNumber", "0x5", False))["result"] is None
        newest = "0x" + world.block().hash.hex()
        assert (await ask("eth_getBlockByHash", newest, False))["result"] is None
        for block in ("0x5", {"blockHash": newest}):
            assert (await ask("eth_getBalance", BOB, block))["error"]["message"] == "header not found"
        assert (await ask("eth_getBalance", BOB, "0x4"))["result"] == "0x5"

    through(world, Fault.LAG, conversation, lag_blocks=2)


def test_lies_name_another_hash_and_another_balance(world):
    async def conversation(proxy, post, ask):
        truth = "0x" + world.block(3).hash.hex()
        assert (await ask("eth_getBlockByNumber", "0x3", False))["result"]["hash"] != truth
        proxy.fault = Fault.LIE_BALANCE
        assert (await ask("eth_getBlockByNumber", "0x3", False))["result"]["hash"] == truth
        assert (await ask("eth_getBalance", BOB, "latest"))["result"] == "0x6"
        proxy.fault = Fault.WRONG_CHAIN
        assert (await ask("eth_chainId"))["result"] == "0x1"

    through(world, Fault.LIE_HASH, conversation)


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.TRUNCATE, Fault.HANG, Fault.SWALLOW])
def test_no_whole_answer_comes(world, fault):
    async def conversation(proxy, post, ask):
        with pytest.raises((aiohttp.ClientError, TimeoutError)):
            await post(call("eth_blockNumber"))

    through(world, fault, conversation, wait_s=0.1 if fault in (Fault.HANG, Fault.SWALLOW) else 10.0)


@pytest.mark.parametrize(
    ("fault", "status", "begins"),
    [
        (Fault.HTML, 200, b"<html>"),
        (Fault.NOT_JSON, 200, b'{"jsonrpc"'),
        (Fault.SERVER_ERROR, 503, b"<html>"),
        (Fault.UNAUTHORISED, 401, b"no such key"),
        (Fault.RATE_LIMIT, 429, b"too many"),
    ],
)
def test_answers_that_are_none(world, fault, status, begins):
    async def conversation(proxy, post, ask):
        found, headers, body = await post(call("eth_blockNumber"))
        assert (found, body.startswith(begins)) == (status, True)
        assert headers.get("Retry-After") == ("7" if fault is Fault.RATE_LIMIT else None)

    through(world, fault, conversation, retry_after_s=7)


@pytest.mark.parametrize(
    ("fault", "ids"),
    [
        (Fault.NONE, [1, 2, 3, 4]),
        (Fault.REORDER, [4, 3, 2, 1]),
        (Fault.OMIT_IDS, [1, 3]),
        (Fault.DOUBLE_IDS, [1, 2, 3, 4, 2, 4]),
    ],
)
def test_batches_come_back_bent(world, fault, ids):
    async def conversation(proxy, post, ask):
        _, _, body = await post(BATCH)
        assert [answer["id"] for answer in json.loads(body)] == ids

    through(world, fault, conversation)


def test_batches_and_pins_and_old_state_are_refused(world):
    async def conversation(proxy, post, ask):
        _, _, body = await post(BATCH)
        assert b"not supported" in body
        assert (await ask("eth_blockNumber"))["result"] == "0x6"
        proxy.fault = Fault.REFUSE_PINS
        pinned = {"blockHash": "0x" + world.block().hash.hex()}
        assert (await ask("eth_getBalance", BOB, pinned))["error"]["code"] == -32602
        proxy.fault = Fault.PRUNED
        assert "missing trie node" in (await ask("eth_getBalance", BOB, "0x1"))["error"]["message"]
        assert (await ask("eth_getBalance", BOB, "latest"))["result"] == "0x5"
        proxy.fault, proxy.logs_span_max = Fault.NONE, 3
        span = {"fromBlock": "0x1", "toBlock": "0x4"}
        assert "too large" in (await ask("eth_getLogs", span))["error"]["message"]
        assert (await ask("eth_getLogs", {**span, "toBlock": "0x3"}))["result"] == []
        proxy.fault = Fault.OTHER_ID
        assert (await ask("eth_blockNumber"))["id"] == 999_999_999

    through(world, Fault.REFUSE_BATCHES, conversation)


def test_it_dies_and_comes_back_at_the_same_address(world):
    async def conversation(proxy, post, ask):
        url = proxy.url
        await proxy.die()
        with pytest.raises(aiohttp.ClientError):
            await post(call("eth_blockNumber"))
        await proxy.revive()
        assert proxy.url == url
        assert (await ask("eth_blockNumber"))["result"] == "0x6"

    through(world, Fault.NONE, conversation)


def test_swallow_hands_on_and_says_nothing():
    with ExactWorld() as world:
        world.set_balance(ALICE, 10**18)

        async def conversation(proxy, post, ask):
            with pytest.raises(TimeoutError):
                await post(call("eth_sendTransaction", {"from": ALICE, "to": BOB, "gasPrice": "0x3b9aca00"}))
            await eventually(lambda: world.nonce(ALICE) == 1)  # it arrived all the same

        through(world, Fault.SWALLOW, conversation, wait_s=0.1)
