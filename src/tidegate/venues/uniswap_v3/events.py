"""Events of a Uniswap v3 pool (``IUniswapV3PoolEvents``). Amounts in base units."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.chain import EventDecoder, EventTable
from tidegate.model import Address


class Swap(NamedTuple):
    """A trade: positive amounts came into the pool; price, liquidity and tick are those after it."""

    sender: Address
    recipient: Address
    amount0: int
    amount1: int
    sqrt_price_x96: int
    liquidity: int
    tick: int


class Mint(NamedTuple):
    """``amount`` of liquidity was added to a position, for ``amount0`` and ``amount1``."""

    sender: Address
    owner: Address
    tick_lower: int
    tick_upper: int
    amount: int
    amount0: int
    amount1: int


class Burn(NamedTuple):
    """``amount`` of liquidity was taken from a position; the amounts are owed to it, not paid yet."""

    owner: Address
    tick_lower: int
    tick_upper: int
    amount: int
    amount0: int
    amount1: int


SWAP = EventDecoder(
    Swap,
    "Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, "
    "uint160 sqrt_price_x96, uint128 liquidity, int24 tick)",
)
MINT = EventDecoder(
    Mint,
    "Mint(address sender, address indexed owner, int24 indexed tick_lower, int24 indexed tick_upper, "
    "uint128 amount, uint256 amount0, uint256 amount1)",
)
BURN = EventDecoder(
    Burn,
    "Burn(address indexed owner, int24 indexed tick_lower, int24 indexed tick_upper, uint128 amount, "
    "uint256 amount0, uint256 amount1)",
)
EVENTS = EventTable((SWAP, MINT, BURN))
