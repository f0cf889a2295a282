"""What a program has checked already: a check that can not fail any more is not made again.

Within one transaction, nothing that a READ answers changes but by a call that writes. So after a check has
passed, the same reading needs no other check that asks for no more, until a step acts, a lender is called,
or an optional group ends that may have been skipped.
"""

from __future__ import annotations

from typing import TypeAlias

from tidegate.risk.guards import BalanceOf, OnChainCheck, Read
from tidegate.venues.executor import Comparison

Reading: TypeAlias = tuple[Read | BalanceOf, Read | BalanceOf | None, int]
"""What is compared: a reading, what it is divided by, and the scale of the quotient."""


class Proofs:
    """The checks that hold at this point of a program."""

    def __init__(self) -> None:
        self._held: dict[Reading, list[OnChainCheck]] = {}

    def cover(self, check: OnChainCheck) -> bool:
        """Say whether a check can not fail here."""
        return any(_implies(held, check) for held in self._held.get(_reading(check), ()))

    def note(self, check: OnChainCheck) -> None:
        """Note that the program goes on only where this check holds."""
        self._held.setdefault(_reading(check), []).append(check)

    def forget(self) -> None:
        """Note that something may have changed, or that what was checked may have been skipped."""
        self._held.clear()


def _reading(check: OnChainCheck) -> Reading:
    # The same numbers round differently by the direction of the comparison, which is compared, too.
    return (check.read, check.over, check.scale)


def _implies(held: OnChainCheck, check: OnChainCheck) -> bool:
    if held.comparison is not check.comparison:
        return False
    match check.comparison:
        case Comparison.AT_LEAST:
            return held.bound >= check.bound
        case Comparison.AT_MOST:
            return held.bound <= check.bound
        case Comparison.EQUAL:
            return held.bound == check.bound
        case Comparison.NEAR:
            return held.bound == check.bound and held.bps <= check.bps
