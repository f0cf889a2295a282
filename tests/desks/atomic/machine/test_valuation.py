"""Vectors of the specification, section 6, and prices that are there or are not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.desks.atomic.machine.conftest import Ground

from tidegate.desks.atomic.machine.valuation import (
    Fees,
    by_address,
    fees_at,
    gas_limit_of,
    net_floor,
    read_prices,
)
from tidegate.model import ZERO_ADDRESS, Denied, Reason
from tidegate.venues import Token
from tidegate.venues.chainlink import set_answer, set_round
from tidegate.venues.executor import TokenPrice

ETH = TokenPrice(3_000 * 10**8, 18)
USDC = TokenPrice(10**8, 6)
GWEI = 10**9


@pytest.mark.parametrize(
    ("used", "limit"), [(212_569, 244_455), (700_000, 805_000), (13_000_000, 14_950_000), (0, 0)]
)
def test_gas_limits_add_fifteen_percent_rounded_up(used: int, limit: int) -> None:
    assert gas_limit_of(used, 1_500) == limit


@pytest.mark.parametrize(
    ("minimum", "gas_limit", "fee_gwei", "token", "floor"),
    [
        (10**16, 805_000, 30, ETH, 34_150_000_000_000_000),
        (20 * 10**6, 805_000, 30, USDC, 92_450_000),
        (0, 250_000, 2, ETH, 5 * 10**14),
        (-(10**16), 0, 30, ETH, -(10**16)),
    ],
)
def test_net_floors(minimum: int, gas_limit: int, fee_gwei: int, token: TokenPrice, floor: int) -> None:
    assert net_floor(minimum, gas_limit, fee_gwei * GWEI, ETH, token) == floor


@settings(deadline=None, derandomize=True)
@given(gas=some.integers(1, 2**24), fee=some.integers(1, 10**12), price=some.integers(1, 10**13))
def test_a_net_floor_never_undercharges_gas(gas: int, fee: int, price: int) -> None:
    token = TokenPrice(price, 6)
    cost = net_floor(0, gas, fee, ETH, token)
    worth = gas * fee * ETH.price_usd_e8 * 10**6
    assert (cost - 1) * price * 10**18 < worth <= cost * price * 10**18


def test_fees_are_twice_the_base_fee_within_the_cap() -> None:
    assert fees_at(10 * GWEI, 40 * GWEI, GWEI) == Fees(21 * GWEI, GWEI)
    assert fees_at(30 * GWEI, 40 * GWEI, GWEI) == Fees(41 * GWEI, GWEI)


def test_prices_are_the_feeds(ground: Ground) -> None:
    prices = read_prices({"WETH", "USDC"}, ground.book, ground.world)
    assert prices == {"ETH": ETH, "WETH": ETH, "USDC": USDC}
    addresses = by_address(prices, ground.book)
    assert addresses[ZERO_ADDRESS] == addresses[ground.devnet.weth] == ETH


@pytest.mark.parametrize(("late_s", "is_fresh"), [(3_960, True), (3_961, False), (-1, False)])
def test_a_stale_price_is_no_price(ground: Ground, late_s: int, is_fresh: bool) -> None:
    feed, world = ground.devnet.feeds["ETH/USD"], ground.world
    world.mine(timestamp=world.block().timestamp + 10_000)
    at_s = world.block().timestamp + 1 - late_s
    set_round(world, feed, 3_000 * 10**8, started_at_s=at_s, updated_at_s=at_s)
    assert world.block().timestamp - at_s == late_s
    if is_fresh:
        assert read_prices({"WETH"}, ground.book, world)
        return
    with pytest.raises(Denied, match="has no price") as caught:
        read_prices({"WETH"}, ground.book, world)
    assert caught.value.reason is Reason.UNAVAILABLE


@pytest.mark.parametrize("answer", [0, -5])
def test_a_price_that_is_not_positive_is_no_price(ground: Ground, answer: int) -> None:
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], answer)
    with pytest.raises(Denied) as caught:
        read_prices({"WETH"}, ground.book, ground.world)
    assert str(answer) in str(caught.value.found)


def test_a_token_without_a_feed_or_with_a_dead_one_has_no_price(ground: Ground) -> None:
    weth = ground.book.tokens["WETH"]
    for feed, found in ((None, "no feed"), ("uniswap_v3.router02", "revert")):
        bare = msgspec.structs.replace(weth, feed=feed) if feed else Token("WETH", weth.address, 18)
        book = msgspec.structs.replace(ground.book, tokens={**ground.book.tokens, "WETH": bare})
        with pytest.raises(Denied, match=found) as caught:
            read_prices({"WETH"}, book, ground.world)
        assert caught.value.reason is Reason.UNAVAILABLE
