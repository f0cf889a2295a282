from __future__ import annotations

import pytest

from tidegate.app.devnet import Devnet
from tidegate.chain import keccak256
from tidegate.model import TidegateError
from tidegate.sim import Artifacts, FastWorld, WorldReverted
from tidegate.venues.calls import FAR_DEADLINE_S, read, send
from tidegate.venues.tokens import approve, balance_of
from tidegate.venues.uniswap_v3 import (
    POOL_INIT_CODE_HASH,
    add_range,
    create_pool,
    pool_address,
    quote_exact_in,
    slot0,
    sqrt_price_x96,
    swap_exact_in,
)

FEES = (500, 3_000, 10_000)


def test_the_pool_is_the_canonical_build() -> None:
    assert keccak256(Artifacts.load()["UniswapV3Pool"].link()) == POOL_INIT_CODE_HASH
    assert POOL_INIT_CODE_HASH.hex().startswith("e34f199b")


def test_pools_stand_where_the_periphery_looks_for_them(devnet: Devnet) -> None:
    assert len(devnet.uniswap_v3_pools) == 5
    for pool in devnet.uniswap_v3_pools:
        where = pool_address(devnet.uniswap_v3.factory, pool.token1, pool.token0, pool.fee)
        assert pool.address == where


def test_a_root_price_by_hand() -> None:
    # 1 WETH for 3,000 USDC: the price is 3e9 / 1e18, its root in Q64.96 is below
    assert sqrt_price_x96(10**18, 3_000 * 10**6) == 4339505179874779489431521
    assert sqrt_price_x96(5, 5) == 1 << 96


@pytest.mark.parametrize("fee", FEES)
def test_pools_start_at_the_feeds_price(world: FastWorld, devnet: Devnet, fee: int) -> None:
    pool = devnet.pool("WETH", "USDC", fee)
    amounts = {devnet.weth: 10**18, devnet.token("USDC"): 3_000 * 10**6}
    assert slot0(world, pool)[0] == sqrt_price_x96(amounts[pool.token0], amounts[pool.token1])


@pytest.mark.parametrize("fee", FEES)
@pytest.mark.parametrize("amount_in", [1, 10**15, 10**18, 50 * 10**18])
def test_a_swap_gives_what_the_quoter_says(
    world: FastWorld, devnet: Devnet, fee: int, amount_in: int
) -> None:
    pair = (devnet.weth, devnet.token("USDC"))
    quoted = quote_exact_in(world, devnet.uniswap_v3, *pair, amount_in, fee=fee)
    trader = devnet.accounts["trader"]
    if quoted == 0:
        assert amount_in == 1
    assert swap_exact_in(
        world,
        devnet.uniswap_v3,
        *pair,
        amount_in,
        fee=fee,
        trader=trader,
        minimum_out=quoted,
    ) == (quoted)


def test_a_swap_pays_the_fee_and_the_depth(world: FastWorld, devnet: Devnet) -> None:
    pair = (devnet.weth, devnet.token("USDC"))
    out = quote_exact_in(world, devnet.uniswap_v3, *pair, 10**18, fee=500)
    without_depth = 3_000 * 10**6 * 999_500 // 1_000_000
    assert without_depth * 9_999 // 10_000 < out < without_depth


def test_a_swap_without_approval_reverts_and_moves_nothing(world: FastWorld, devnet: Devnet) -> None:
    trader, pair = devnet.accounts["trader"], (devnet.weth, devnet.token("USDC"))
    approve(world, devnet.weth, devnet.uniswap_v3.router, 0, holder=trader)
    held = [balance_of(world, token, trader) for token in pair]
    with pytest.raises(WorldReverted, match="STF"):
        swap_exact_in(world, devnet.uniswap_v3, *pair, 10**18, fee=500, trader=trader)
    assert [balance_of(world, token, trader) for token in pair] == held


def test_a_swap_that_gives_less_than_asked_reverts(world: FastWorld, devnet: Devnet) -> None:
    pair = (devnet.weth, devnet.token("USDC"))
    quoted = quote_exact_in(world, devnet.uniswap_v3, *pair, 10**18, fee=500)
    with pytest.raises(WorldReverted, match="Too little received"):
        swap_exact_in(
            world,
            devnet.uniswap_v3,
            *pair,
            10**18,
            fee=500,
            trader=devnet.accounts["trader"],
            minimum_out=quoted + 1,
        )


def test_the_second_router_swaps_alike(world: FastWorld, devnet: Devnet) -> None:
    trader, usdc = devnet.accounts["trader"], devnet.token("USDC")
    quoted = quote_exact_in(world, devnet.uniswap_v3, devnet.weth, usdc, 10**18, fee=500)
    before = balance_of(world, usdc, trader)
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
    terms = (devnet.weth, usdc, 500, trader, 10**18, quoted, 0)
    send(world, devnet.uniswap_v3.router02, signature, terms, sender=trader)
    assert balance_of(world, usdc, trader) - before == quoted


def test_a_range_takes_what_its_ratio_lets_it(world: FastWorld, devnet: Devnet) -> None:
    pool, provider = devnet.pool("WETH", "USDC", 500), devnet.accounts["provider"]
    limits = {devnet.weth: 10 * 10**18, devnet.token("USDC"): 10**6 * 10**6}
    most = limits[pool.token0], limits[pool.token1]
    liquidity = read(world, pool.address, "liquidity()(uint128)")
    taken = add_range(world, devnet.uniswap_v3, pool, *most, width_ticks=1_000, provider=provider)
    by_token = dict(zip((pool.token0, pool.token1), taken, strict=True))
    assert by_token[devnet.weth] == pytest.approx(10 * 10**18, rel=1e-9)
    # equal worth on both sides of the price, but for the range's rounding to ticks
    assert by_token[devnet.token("USDC")] == pytest.approx(30_000 * 10**6, rel=2e-2)
    assert read(world, pool.address, "liquidity()(uint128)") > liquidity


def test_a_position_is_described(world: FastWorld, devnet: Devnet) -> None:
    uri = read(world, devnet.uniswap_v3.position_manager, "tokenURI(uint256)(string)", 1)
    assert uri.startswith("data:application/json;base64,")


def test_a_fee_that_the_factory_does_not_know_is_refused(world: FastWorld, devnet: Devnet) -> None:
    with pytest.raises(WorldReverted):
        create_pool(
            world,
            devnet.uniswap_v3,
            devnet.weth,
            devnet.token("DAI"),
            fee=123,
            sqrt_price=1 << 96,
            sender=devnet.accounts["provider"],
        )


def test_a_deadline_that_has_passed_is_refused(world: FastWorld, devnet: Devnet) -> None:
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    trader = devnet.accounts["trader"]
    late = (devnet.weth, devnet.token("USDC"), 500, trader, world.block().timestamp, 10**15, 0, 0)
    with pytest.raises(WorldReverted, match="Transaction too old"):
        send(world, devnet.uniswap_v3.router, signature, late, sender=trader)
    on_time = (*late[:4], FAR_DEADLINE_S, *late[5:])
    send(world, devnet.uniswap_v3.router, signature, on_time, sender=trader)


def test_a_pool_that_is_not_there_has_no_quote(world: FastWorld, devnet: Devnet) -> None:
    with pytest.raises(TidegateError):
        quote_exact_in(world, devnet.uniswap_v3, devnet.weth, devnet.token("DAI"), 10**18, fee=500)
