"""What a guard of placement *in* asks of the chain: comparisons inside the program, and balance lines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from tidegate.risk.guards.facts import BalanceOf, Read
from tidegate.venues.executor import Comparison


class Position(StrEnum):
    """Where an on-chain check stands: right before what it protects, or last in its scope."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class OnChainCheck:
    """Take a number inside the transaction and compare it with ``bound``.

    The number is word 0 of ``read``, or the executor's balance. With ``over`` it is that number times
    ``scale``, divided by word 0 of ``over``; rounded down for ``AT_LEAST``, up for all others.
    ``bps`` belongs to ``Comparison.NEAR``. ``label`` tells people what is compared.
    """

    label: str
    read: Read | BalanceOf
    comparison: Comparison
    bound: int
    position: Position
    bps: int = 0
    over: Read | None = None
    scale: int = 1


@dataclass(frozen=True, slots=True)
class OnChainLine:
    """A balance line over the whole run: what the executor holds of a token changes by ``floor`` or more.

    It joins the strategy's own bound of the token; the higher floor holds.
    """

    symbol: str
    floor: int


OnChain: TypeAlias = OnChainCheck | OnChainLine
