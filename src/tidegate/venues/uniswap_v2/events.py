"""Events of a Uniswap v2 pair (``UniswapV2Pair``). Amounts in base units."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.chain import EventDecoder, EventTable
from tidegate.model import Address


class Sync(NamedTuple):
    """The pair's reserves after a trade or a change of liquidity."""

    reserve0: int
    reserve1: int


class Swap(NamedTuple):
    """A trade: what came in and what went out, of both tokens."""

    sender: Address
    amount0_in: int
    amount1_in: int
    amount0_out: int
    amount1_out: int
    recipient: Address


SYNC = EventDecoder(Sync, "Sync(uint112 reserve0, uint112 reserve1)")
SWAP = EventDecoder(
    Swap,
    "Swap(address indexed sender, uint256 amount0_in, uint256 amount1_in, uint256 amount0_out, "
    "uint256 amount1_out, address indexed recipient)",
)
EVENTS = EventTable((SYNC, SWAP))
