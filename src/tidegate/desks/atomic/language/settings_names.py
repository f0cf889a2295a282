"""Words that a trigger of a file may use, and how the mean of a pool is taken."""

from __future__ import annotations

CHAINLINK = "chainlink"
POOLS = "uniswap_v3.pool."
"""How the book name of a pool begins; as a price source it is its mean, which one block can not push."""

MEAN_WINDOW_S = 1_800
EXECUTOR = "executor"
HEALTH_PROTOCOLS = ("aave_v3",)
