from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.app.devnet import Devnet, build_devnet
from tidegate.chain import keccak256
from tidegate.sim import Artifacts, FastWorld, WorldReverted
from tidegate.venues.calls import read
from tidegate.venues.tokens import approve, balance_of
from tidegate.venues.uniswap_v2 import (
    PAIR_INIT_CODE_HASH,
    add_liquidity,
    create_pair,
    pair_address,
    reserves,
    sorted_tokens,
    swap_exact_in,
)

WETH_IN = 2 * 10**18


def amount_out(amount_in: int, reserve_in: int, reserve_out: int) -> int:
    """Return what the constant product gives at 30 bps, rounded down (UniswapV2Library.getAmountOut)."""
    after_fee = amount_in * 997
    return after_fee * reserve_out // (reserve_in * 1000 + after_fee)


def test_the_pair_is_the_canonical_build() -> None:
    assert keccak256(Artifacts.load()["UniswapV2Pair"].link()) == PAIR_INIT_CODE_HASH
    assert PAIR_INIT_CODE_HASH.hex().startswith("96e8ac42")


def test_pairs_stand_where_the_router_looks_for_them(devnet: Devnet) -> None:
    for pair in devnet.uniswap_v2_pairs:
        assert pair.address == pair_address(devnet.uniswap_v2.factory, pair.token1, pair.token0)
        assert (pair.token0, pair.token1) == sorted_tokens(pair.token1, pair.token0)


def test_reserves_are_worth_what_the_spec_says(world: FastWorld, devnet: Devnet) -> None:
    pair = devnet.pair("USDC", "WETH")
    by_token = dict(zip((pair.token0, pair.token1), reserves(world, pair), strict=True))
    assert by_token == {devnet.weth: 1_000 * 10**18, devnet.token("USDC"): 3_000_000 * 10**6}


def test_a_swap_gives_what_the_formula_says(world: FastWorld, devnet: Devnet) -> None:
    path = (devnet.weth, devnet.token("USDC"))
    expected = amount_out(WETH_IN, 1_000 * 10**18, 3_000_000 * 10**6)
    out = swap_exact_in(world, devnet.uniswap_v2, path, WETH_IN, trader=devnet.accounts["trader"])
    assert out == expected


def test_a_swap_without_approval_reverts_and_moves_nothing(world: FastWorld, devnet: Devnet) -> None:
    trader, path = devnet.accounts["trader"], (devnet.weth, devnet.token("USDC"))
    approve(world, devnet.weth, devnet.uniswap_v2.router, 0, holder=trader)
    held = [balance_of(world, token, trader) for token in path]
    with pytest.raises(WorldReverted, match="TransferHelper: TRANSFER_FROM_FAILED"):
        swap_exact_in(world, devnet.uniswap_v2, path, WETH_IN, trader=trader)
    assert [balance_of(world, token, trader) for token in path] == held


def test_a_swap_that_gives_less_than_asked_reverts(world: FastWorld, devnet: Devnet) -> None:
    path = (devnet.weth, devnet.token("USDC"))
    minimum = amount_out(WETH_IN, 1_000 * 10**18, 3_000_000 * 10**6) + 1
    with pytest.raises(WorldReverted, match="UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT"):
        swap_exact_in(
            world,
            devnet.uniswap_v2,
            path,
            WETH_IN,
            trader=devnet.accounts["trader"],
            minimum_out=minimum,
        )


def test_a_pair_exists_once(world: FastWorld, devnet: Devnet) -> None:
    with pytest.raises(WorldReverted, match="UniswapV2: PAIR_EXISTS"):
        create_pair(
            world,
            devnet.uniswap_v2,
            devnet.token("USDC"),
            devnet.weth,
            sender=devnet.accounts["provider"],
        )


def test_liquidity_at_another_price_is_refused(world: FastWorld, devnet: Devnet) -> None:
    pair = devnet.pair("WETH", "USDC")
    with pytest.raises(WorldReverted, match="INSUFFICIENT_"):
        add_liquidity(world, devnet.uniswap_v2, pair, 10**18, 10**18, provider=devnet.accounts["provider"])


def test_the_router_knows_its_factory_and_weth(world: FastWorld, devnet: Devnet) -> None:
    venue = devnet.uniswap_v2
    assert read(world, venue.router, "factory()(address)") == venue.factory
    assert read(world, venue.router, "WETH()(address)") == devnet.weth


_world = FastWorld()
_devnet = build_devnet(_world)


@given(st.integers(1, 500 * 10**18))
def test_the_router_quotes_the_formula_for_every_size(amount_in: int) -> None:
    path = (_devnet.weth, _devnet.token("USDC"))
    signature = "getAmountsOut(uint256,address[])(uint256[])"
    amounts = read(_world, _devnet.uniswap_v2.router, signature, amount_in, path)
    assert amounts[-1] == amount_out(amount_in, 1_000 * 10**18, 3_000_000 * 10**6)
