"""Street spec 1.4: the same signed bytes to every endpoint of the route, and what their answers mean."""

import asyncio
from collections.abc import Iterator

import pytest
from eth_account import Account
from tests.chain.rpc.support import CHAIN_ID, PATIENT_S, eventually, run, stand, whole_text
from tests.sim.assembly import BOB, ETHER

from tidegate.chain import address, keccak256
from tidegate.chain.rpc import EndpointState, Route, Tier
from tidegate.chain.rpc.writes import verdict
from tidegate.model import Ambiguous, Divergence, Rejected, Unavailable
from tidegate.sim import ExactWorld, Fault

KEY = Account.from_key("0x" + "22" * 32)
SENDER = address(KEY.address)
PRIVATE = {"tier": Tier.PRIVATE}


@pytest.fixture(scope="module")
def shared() -> Iterator[ExactWorld]:
    with ExactWorld() as world:
        yield world


@pytest.fixture
def world(shared) -> Iterator[ExactWorld]:
    with shared.snapshot():
        shared.set_balance(SENDER, ETHER)
        yield shared


def signed(nonce: int = 0, *, value: int = 0) -> bytes:
    transaction = {
        "to": BOB,
        "value": value,
        "gas": 21_000,
        "maxFeePerGas": 10**9,
        "maxPriorityFeePerGas": 0,
        "nonce": nonce,
        "chainId": CHAIN_ID,
        "type": 2,
    }
    return bytes(KEY.sign_transaction(transaction).raw_transaction)


def sends(at) -> list[int]:
    return [proxy.methods["eth_sendRawTransaction"] for proxy in at.proxies]


def test_the_same_bytes_go_to_every_endpoint_of_the_route_and_one_acceptance_is_enough(world):
    async def conversation():
        async with stand(world.url, 3, faults=[Fault.HTML, Fault.SERVER_ERROR]) as at:
            raw = signed(value=5)
            assert await at.pool.send_raw(raw) == keccak256(raw)
            await eventually(lambda: sends(at) == [1, 1, 1])
            await eventually(lambda: world.balance(BOB) == 5)  # the node mines after it has answered

    run(conversation())


def test_an_acceptance_is_told_while_a_silent_endpoint_still_thinks(world):
    async def conversation():
        async with stand(world.url, 2) as at:
            at.proxies[0].fault = Fault.HANG
            async with asyncio.timeout(PATIENT_S / 2):
                await at.pool.send_raw(signed())

    run(conversation())


def test_bytes_that_a_node_has_already_are_a_success(world):
    async def conversation():
        world.set_mining("manual")
        try:
            async with stand(world.url, 2) as at:
                raw = signed()
                for _ in range(3):
                    assert await at.pool.send_raw(raw) == keccak256(raw)
        finally:
            world.set_mining("auto")

    run(conversation())


def test_nonce_too_low_while_our_own_hash_is_in_a_block_is_a_success(world):
    async def conversation():
        async with stand(world.url, 2) as at:
            raw = signed()
            await at.pool.send_raw(raw)
            await eventually(lambda: world.receipt(keccak256(raw)) is not None)
            assert await at.pool.send_raw(raw) == keccak256(raw)
            with pytest.raises(Rejected) as foreign:
                await at.pool.send_raw(signed(value=1))
            assert foreign.value.code == "nonce_too_low", "another transaction of ours has the nonce"

    run(conversation())


def test_all_refused_with_a_final_error_is_rejected_and_asked_once_each(world):
    """A refusal for the nonce is never tried on another node afterwards: all were asked at once."""

    async def conversation():
        async with stand(world.url, 3) as at:
            await at.pool.send_raw(signed())
            await eventually(lambda: sends(at) == [1, 1, 1])
            at.forget_counts()
            with pytest.raises(Rejected):
                await at.pool.send_raw(signed(value=1))
            assert sends(at) == [1, 1, 1]

    run(conversation())


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.SWALLOW, Fault.DROP, Fault.HTML, Fault.SERVER_ERROR])
def test_no_acceptance_and_a_silence_is_ambiguous_never_failed(world, fault):
    async def conversation():
        async with stand(world.url, 2, faults=[fault, fault]) as at:
            raw = signed(value=7)
            with pytest.raises(Ambiguous) as caught:
                await at.pool.send_raw(raw)
            assert "127.0.0.1" not in whole_text(caught.value)
            await eventually(lambda: (world.receipt(keccak256(raw)) is not None) is (fault is Fault.SWALLOW))
            await eventually(lambda: sends(at) == [1, 1])  # the pool never sends by itself again

    run(conversation())


def test_a_refusal_beside_a_silence_is_ambiguous(world):
    async def conversation():
        async with stand(world.url, 2) as at:
            await at.pool.send_raw(signed())
            at.break_down(1, Fault.HANG)
            with pytest.raises(Ambiguous):
                await at.pool.send_raw(signed(value=1))

    run(conversation())


def test_bytes_that_reached_nobody_are_unavailable_not_ambiguous(world):
    async def conversation():
        async with stand(world.url, 2) as at:
            for proxy in at.proxies:
                await proxy.die()
            with pytest.raises(Unavailable) as caught:
                await at.pool.send_raw(signed())
            assert caught.value.code == "not_sent"

    run(conversation())


@pytest.mark.parametrize("fault", [Fault.RATE_LIMIT, Fault.UNAUTHORISED])
def test_what_was_turned_away_at_the_door_was_not_sent(world, fault):
    async def conversation():
        async with stand(world.url, 1, faults=[fault]) as at:
            with pytest.raises(Unavailable) as caught:
                await at.pool.send_raw(signed())
            assert caught.value.code == "not_sent"
            assert at.state("a") is EndpointState.COOLING
            with pytest.raises(Unavailable):
                await at.pool.send_raw(signed())
            assert sends(at) == [1], "what cools is used for nothing"

    run(conversation())


def test_a_private_send_goes_to_private_endpoints_alone_and_a_public_one_never(world):
    async def conversation():
        async with stand(world.url, 3, options=[{}, PRIVATE, PRIVATE]) as at:
            await at.pool.send_raw(signed(0), route=Route.PRIVATE)
            await eventually(lambda: sends(at) == [0, 1, 1])
            await at.pool.send_raw(signed(1))
            assert sends(at) == [1, 1, 1]

    run(conversation())


def test_a_route_without_an_endpoint_sends_nothing(world):
    async def conversation():
        async with stand(world.url, 1) as at:
            for route in (Route.PRIVATE, Route.BUNDLE):
                with pytest.raises(Unavailable) as caught:
                    await at.pool.send_raw(signed(), route=route)
                assert caught.value.code == "not_sent"
            assert sends(at) == [0]

    run(conversation())


def test_degraded_endpoints_are_sent_to_only_without_a_healthy_one(world):
    async def conversation():
        async with stand(world.url, 2) as at:
            at.pool._lanes[0].health.state = EndpointState.DEGRADED
            await at.pool.send_raw(signed(0))
            assert sends(at) == [0, 1]
            at.pool._lanes[1].health.state = EndpointState.QUARANTINED
            await at.pool.send_raw(signed(1))
            assert sends(at) == [1, 1]

    run(conversation())


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([Rejected("x"), Rejected("y")], Rejected),
        ([Rejected("x"), Ambiguous("y")], Ambiguous),
        ([Unavailable("x"), Ambiguous("y")], Ambiguous),
        ([Unavailable("x"), Rejected("y")], Rejected),
        ([Unavailable("x"), Unavailable("y")], Unavailable),
        ([Ambiguous("x"), Divergence("y")], Divergence),
    ],
)
def test_what_refusals_and_silences_mean_together(errors, expected):
    assert type(verdict(errors)) is expected
    assert type(verdict(errors[::-1])) is expected
