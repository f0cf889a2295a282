"""Reads of a pool behind one URL: for forks and fast worlds, never for sends."""

import asyncio
import urllib.error
import urllib.request

import pytest
from tests.chain.rpc.support import CHAIN_ID, NETWORK, SEEN, endpoint, run, stand
from tests.sim.assembly import ALICE, COUNTER, WRITES_AND_REVERTS, initcode, number

from tidegate.chain import CallReverted, Connection, block_parameter, hex_data, quantity
from tidegate.chain.rpc import RpcGateway, RpcPool
from tidegate.model import Rejected, Unavailable
from tidegate.sim import ExactWorld, Fault, FaultProxy


def test_a_fork_through_the_gateway_survives_bad_nodes():
    with ExactWorld() as world:
        contract = world.deploy(initcode(COUNTER), sender=ALICE)
        head = world.block()

        async def conversation():
            async with stand(world.url, 3) as at, RpcGateway(at.pool) as gateway:
                at.proxies[0].fault = Fault.HTML
                await at.proxies[1].die()

                def fork() -> None:
                    with ExactWorld(fork_url=gateway.url, fork_block=head.number) as forked:
                        assert forked.block().hash == head.hash
                        assert number(forked.call(contract)) == 1
                        at.proxies[2].fault, at.proxies[0].fault = Fault.RATE_LIMIT, Fault.NONE
                        forked.transact(contract, sender=ALICE)
                        assert number(forked.call(contract)) == 2

                await asyncio.to_thread(fork)
                assert number(await at.pool.reads().call(contract)) == 1, "the fork's alone"

        run(conversation())


def test_the_gateway_never_sends_and_uses_no_key(node):
    async def conversation():
        async with stand(node.url, 1) as at, RpcGateway(at.pool) as gateway:

            def ask() -> None:
                with Connection(gateway.url) as connection:
                    for method in (
                        "eth_sendRawTransaction",
                        "eth_sendTransaction",
                        "eth_sign",
                        "eth_accounts",
                        "personal_sign",
                        "anvil_setBalance",
                        "evm_mine",
                        "debug_setHead",
                    ):
                        with pytest.raises(Rejected) as caught:
                            connection.request(method, "0x")
                        assert caught.value.code == "method_not_found"

            await asyncio.to_thread(ask)
            assert at.proxies[0].requests == 0

    run(conversation())


def test_answers_and_errors_mean_the_same_through_the_gateway():
    with ExactWorld() as world:
        failing = world.deploy(initcode(WRITES_AND_REVERTS), sender=ALICE)
        world.set_balance(SEEN, 5)
        world.mine()

        async def conversation():
            async with stand(world.url, 1) as at, RpcGateway(at.pool) as gateway:

                def ask() -> None:
                    pinned = block_parameter(world.block().hash)
                    with Connection(gateway.url) as connection:
                        assert connection.request("eth_chainId") == hex(CHAIN_ID)
                        balance, code = connection.batch(
                            [("eth_getBalance", [SEEN, pinned]), ("eth_getCode", [SEEN, pinned])]
                        )
                        assert (balance, code) == (quantity(5), "0x")
                        assert connection.request("eth_getBlockByHash", hex_data(b"\x01" * 32), False) is None
                        with pytest.raises(CallReverted) as reverted:
                            connection.request("eth_call", {"to": failing}, "latest")
                        assert reverted.value.data == bytes.fromhex("deadbeef")
                        with pytest.raises(Unavailable) as missing:
                            connection.request("eth_getBalance", SEEN, "0x3e7")
                        assert missing.value.code == "state_missing"
                        with pytest.raises(Rejected) as invalid:
                            connection.request("eth_getBalance", "nonsense", "latest")
                        assert invalid.value.code == "invalid_params"

                await asyncio.to_thread(ask)

        run(conversation())


def test_only_who_knows_the_path_may_read(node):
    async def conversation():
        async with stand(node.url, 1) as at, RpcGateway(at.pool) as gateway, RpcGateway(at.pool) as other:
            assert gateway.url.startswith("http://127.0.0.1:")
            assert gateway.url.rpartition("/")[2] != other.url.rpartition("/")[2]

            def ask() -> int:
                root = gateway.url.rpartition("/")[0]
                request = urllib.request.Request(root + "/", data=b"{}")
                with pytest.raises(urllib.error.HTTPError) as caught:
                    urllib.request.urlopen(request)
                with caught.value as answer:
                    return answer.code

            assert await asyncio.to_thread(ask) == 404

    run(conversation())


@pytest.mark.parametrize(
    "body", [b"nonsense", b"17", b'{"id":1}', b'{"id":1,"method":"eth_chainId","params":{}}']
)
def test_what_is_no_request_is_answered_as_such(node, body):
    async def conversation():
        async with stand(node.url, 1) as at, RpcGateway(at.pool) as gateway:

            def ask() -> bytes:
                with urllib.request.urlopen(urllib.request.Request(gateway.url, data=body)) as answer:
                    return bytes(answer.read())

            assert b'"error"' in await asyncio.to_thread(ask)

    run(conversation())


def test_the_gateway_does_not_tell_where_the_nodes_are(node):
    async def conversation():
        async with (
            FaultProxy(node.url) as proxy,
            RpcPool(NETWORK, [endpoint(proxy, "a")], deadline_s=0.2) as pool,
            RpcGateway(pool) as gateway,
        ):
            proxy.fault = Fault.HTML

            def ask() -> None:
                with Connection(gateway.url) as connection:
                    with pytest.raises(Unavailable) as caught:
                        connection.request("eth_gasPrice")
                    assert proxy.url.removeprefix("http://") not in str(caught.value)

            await asyncio.to_thread(ask)

    run(conversation())
