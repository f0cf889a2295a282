"""What a strategy leaves to the planner: loans, limits, floors, times.

A quote is compiled with open limits and can never be signed; a program is compiled with closed ones.
They are different types from here to the end: there is no plan without tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tidegate.model import Address
from tidegate.risk.guards import OnChainCheck
from tidegate.venues.executor import FlashKind

GuardKey: TypeAlias = tuple[str, int]
"""Where a guard stands: the id of its step or group (empty: the strategy), and its place in the list."""

OPEN_CEILING = 2**128 - 1
"""The maximum input of a quote: more than any pool holds, and it fits an approval."""

OPEN_FLOOR = -(2**255)
OPEN_FEE = 2**256 - 1


@dataclass(frozen=True, slots=True)
class Loan:
    """Who serves a flash step. ``side`` 1 borrows token1 of a Uniswap v3 pool."""

    lender_name: str
    kind: FlashKind
    lender: Address
    side: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """Open terms: every limit open, every fee accepted, the checks of guards read but not enforced."""

    loans: Mapping[str, Loan]
    deadline_s: int
    checks: Mapping[GuardKey, tuple[OnChainCheck, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Closed:
    """Closed terms: what a signable program is bounded by.

    Attributes
    ----------
    limits
        By id of the limited step: minimum output or maximum input, in base units.
    max_fees
        By id of the flash step, in base units of its asset.
    floors
        By token symbol: final minus start of the executor's balance must be at least this.
    run_id
        The intent's id, if it is consumed on chain.
    """

    loans: Mapping[str, Loan]
    limits: Mapping[str, int]
    max_fees: Mapping[str, int]
    floors: Mapping[str, int]
    deadline_s: int
    max_base_fee_wei: int
    checks: Mapping[GuardKey, tuple[OnChainCheck, ...]] = field(default_factory=dict)
    run_id: bytes | None = None


Terms: TypeAlias = Quote | Closed
