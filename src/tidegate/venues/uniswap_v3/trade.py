"""What a set-up and a test do with Uniswap v3 pools: add a range, quote, swap."""

from __future__ import annotations

from tidegate.model import Address
from tidegate.sim import World
from tidegate.venues.calls import FAR_DEADLINE_S, read, send
from tidegate.venues.tokens import balance_of
from tidegate.venues.uniswap_v3.deploy import TICK_SPACINGS, UniswapV3, UniswapV3Pool

_LAST_TICK = 887_272


def slot0(world: World, pool: UniswapV3Pool) -> tuple[int, int]:
    """Return the pool's root price in Q64.96 and its tick."""
    signature = "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)"
    root, tick, *_ = read(world, pool.address, signature)
    return root, tick


def add_range(
    world: World,
    venue: UniswapV3,
    pool: UniswapV3Pool,
    amount0: int,
    amount1: int,
    *,
    width_ticks: int | None,
    provider: Address,
) -> tuple[int, int]:
    """Add liquidity in a range around the current tick; the pool takes what its ratio lets it.

    Parameters
    ----------
    amount0, amount1
        The most to add, in base units; ``provider`` has approved the position manager.
    width_ticks
        How far the range reaches to each side (a tick is about one basis point), rounded to the pool's
        spacing; None for the whole range.

    Returns
    -------
    tuple[int, int]
        What was taken of token0 and token1.
    """
    spacing = TICK_SPACINGS[pool.fee]
    _, tick = slot0(world, pool)
    last = _LAST_TICK // spacing * spacing
    lower, upper = -last, last
    if width_ticks is not None:
        lower = max(lower, (tick - width_ticks) // spacing * spacing)
        upper = min(upper, -((-tick - width_ticks) // spacing) * spacing)
    before0, before1 = _balances(world, pool, provider)
    send(
        world,
        venue.position_manager,
        "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))",
        (
            *(pool.token0, pool.token1, pool.fee, lower, upper),
            *(amount0, amount1, 0, 0, provider, FAR_DEADLINE_S),
        ),
        sender=provider,
    )
    after0, after1 = _balances(world, pool, provider)
    return before0 - after0, before1 - after1


def quote_exact_in(
    world: World, venue: UniswapV3, token_in: Address, token_out: Address, amount_in: int, *, fee: int
) -> int:
    """Return what QuoterV2 says a swap of ``amount_in`` gives, in base units of ``token_out``."""
    signature = (
        "quoteExactInputSingle((address,address,uint256,uint24,uint160))(uint256,uint160,uint32,uint256)"
    )
    out, *_ = read(world, venue.quoter, signature, (token_in, token_out, amount_in, fee, 0))
    amount_out: int = out
    return amount_out


def swap_exact_in(
    world: World,
    venue: UniswapV3,
    token_in: Address,
    token_out: Address,
    amount_in: int,
    *,
    fee: int,
    trader: Address,
    minimum_out: int = 0,
) -> int:
    """Swap exactly ``amount_in`` through SwapRouter, approved by ``trader``; return what came out."""
    before = balance_of(world, token_out, trader)
    send(
        world,
        venue.router,
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
        (token_in, token_out, fee, trader, FAR_DEADLINE_S, amount_in, minimum_out, 0),
        sender=trader,
    )
    return balance_of(world, token_out, trader) - before


def _balances(world: World, pool: UniswapV3Pool, holder: Address) -> tuple[int, int]:
    return balance_of(world, pool.token0, holder), balance_of(world, pool.token1, holder)
