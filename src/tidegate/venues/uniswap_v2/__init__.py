"""Uniswap v2: pairs of constant product. Pure adapter: states come in, calls go out."""

from tidegate.venues.uniswap_v2 import events
from tidegate.venues.uniswap_v2.deploy import (
    PAIR_INIT_CODE_HASH,
    UniswapV2,
    UniswapV2Pair,
    add_liquidity,
    create_pair,
    deploy_uniswap_v2,
    pair_address,
    reserves,
    sorted_tokens,
    swap_exact_in,
)

__all__ = [
    "PAIR_INIT_CODE_HASH",
    "UniswapV2",
    "UniswapV2Pair",
    "add_liquidity",
    "create_pair",
    "deploy_uniswap_v2",
    "events",
    "pair_address",
    "reserves",
    "sorted_tokens",
    "swap_exact_in",
]
