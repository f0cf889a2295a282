from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from tidegate.app.devnet import Devnet, start_devnet
from tidegate.app.market import Crowd, Market
from tidegate.app.market.simulator import pair_price_e8, pool_price_e8, root_price_x96
from tidegate.chain import Connection
from tidegate.model import BPS
from tidegate.sim import ExactWorld
from tidegate.venues.uniswap_v3 import quote_exact_in

START = 3_000 * 10**8


@pytest.fixture
def ground() -> Iterator[tuple[ExactWorld, Devnet]]:
    world, devnet = start_devnet()
    with world:
        yield world, devnet


def test_prices_are_what_the_pools_trade_at(ground: tuple[ExactWorld, Devnet]) -> None:
    world, devnet = ground
    pool = devnet.pool("WETH", "USDC", 500)
    price = pool_price_e8(world, pool, devnet.weth)
    out = quote_exact_in(world, devnet.uniswap_v3, devnet.weth, devnet.token("USDC"), 10**15, fee=500)
    before_fee = out * BPS // (BPS - 5)
    assert abs(before_fee * 10**5 - price) * 10**5 < price, "a thousandth of a WETH trades at the price"
    assert abs(pair_price_e8(world, devnet.pair("WETH", "USDC"), devnet.weth) - START) * 10**6 < START


@pytest.mark.parametrize("price", [1, START, 123_456_789_012])
def test_root_price_inverts(price: int) -> None:
    root = root_price_x96(price, weth_is_token0=True)
    assert abs(root * root * 10**20 // 2**192 - price) <= 1 + price // 10**9
    other = root_price_x96(price, weth_is_token0=False)
    assert abs(root * other - 2**192) < 2**192 // 10**8


def test_the_arbitrageur_moves_the_pool_to_the_outside_price(ground: tuple[ExactWorld, Devnet]) -> None:
    world, devnet = ground
    market, crowd = Market(devnet, seed=3, start_usd_e8=START), Crowd(devnet, world)
    world.set_mining("manual")
    moved = False
    for _ in range(10):
        number = world.block().number + 1
        crowd.advance(market)
        prices = market.prices(world)
        if prices.v3_usd_e8 != prices.outside_usd_e8:
            gap = abs(prices.v3_usd_e8 - prices.outside_usd_e8) * BPS
            moved = moved or gap < prices.outside_usd_e8
        assert world.block().number == number
    assert moved


def test_the_same_seed_moves_the_same_way_and_another_does_not() -> None:
    def walk(seed: int) -> str:
        world, devnet = start_devnet()
        with world:
            market, crowd = Market(devnet, seed=seed, start_usd_e8=START), Crowd(devnet, world)
            world.set_mining("manual")
            for _ in range(5):
                crowd.advance(market)
            return world.state_digest()

    assert walk(1) == walk(1) != walk(2)


def test_every_move_of_the_crowd_succeeds_and_the_feed_follows(ground: tuple[ExactWorld, Devnet]) -> None:
    world, devnet = ground
    market, crowd = Market(devnet, seed=5, start_usd_e8=START), Crowd(devnet, world)
    world.set_mining("manual")
    for _ in range(25):
        block = crowd.advance(market)
        assert block.base_fee_wei == market.base_fee_wei(block.number)
        with Connection(world.url) as node:
            for known in node.request("eth_getBlockByNumber", hex(block.number), False)["transactions"]:
                receipt = world.receipt(bytes.fromhex(known[2:]))
                assert receipt is not None
                assert receipt.status == 1
    prices = market.prices(world)
    assert abs(prices.feed_usd_e8 - prices.outside_usd_e8) * 100 < prices.outside_usd_e8


def test_the_base_fee_moves_no_faster_than_a_chain_lets_it() -> None:
    world, devnet = start_devnet()
    world.close()
    market = Market(devnet, seed=9, start_usd_e8=START)
    fees = [market.base_fee_wei(block) for block in range(400)]
    assert 7 * 10**9 < min(fees) < max(fees) < 21 * 10**9
    for before, after in pairwise(fees):
        assert abs(after - before) * 8 <= before
