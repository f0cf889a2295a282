"""Uniswap v3: pools with concentrated liquidity. Pure adapter: states come in, calls go out."""

from tidegate.venues.uniswap_v3 import events
from tidegate.venues.uniswap_v3.deploy import (
    POOL_INIT_CODE_HASH,
    TICK_SPACINGS,
    UniswapV3,
    UniswapV3Pool,
    create_pool,
    deploy_uniswap_v3,
    keep_observations,
    pool_address,
    sqrt_price_x96,
)
from tidegate.venues.uniswap_v3.trade import add_range, quote_exact_in, slot0, swap_exact_in

__all__ = [
    "POOL_INIT_CODE_HASH",
    "TICK_SPACINGS",
    "UniswapV3",
    "UniswapV3Pool",
    "add_range",
    "create_pool",
    "deploy_uniswap_v3",
    "events",
    "keep_observations",
    "pool_address",
    "quote_exact_in",
    "slot0",
    "sqrt_price_x96",
    "swap_exact_in",
]
