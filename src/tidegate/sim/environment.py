"""The block environment that both worlds share, so that a script sees the same time in each."""

from __future__ import annotations

from msgspec.structs import replace

from tidegate.model import Block, ConfigError

DEFAULT_CHAIN_ID = 31_337
BLOCK_GAS_LIMIT = 30_000_000
GENESIS = Block(number=0, timestamp=1_700_000_000, base_fee_wei=0, gas_limit=BLOCK_GAS_LIMIT)
"""Where a new world starts: a fixed time, so that the same script gives the same state."""

HARDFORK = "prague"
"""The rules of both worlds, and the default target of the pinned Vyper compiler."""


def next_block(parent: Block, block_time_s: int, *, timestamp: int | None = None) -> Block:
    """Return the block after ``parent``, ``block_time_s`` later or at ``timestamp``.

    Raises
    ------
    ConfigError
        If ``timestamp`` is not after the parent's: time never stands still on a chain.
    """
    at = parent.timestamp + block_time_s if timestamp is None else timestamp
    if at <= parent.timestamp:
        raise ConfigError(
            "a block must be later than its parent",
            code="timestamp",
            found=str(at),
            allowed=f"more than {parent.timestamp}",
        )
    return replace(parent, number=parent.number + 1, timestamp=at, hash=b"")
