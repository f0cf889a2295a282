"""ERC-20: what all tokens have in common. May be used by every room above."""

from tidegate.venues.erc20 import events

__all__ = ["events"]
