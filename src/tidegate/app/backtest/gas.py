"""What strategies cost in gas, as it was measured in the exact world while a tape was recorded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from tidegate.sim import Measured, Tape


class GasProfile:
    """Gas by strategy and block.

    Parameters
    ----------
    tape
        Holds what plans of each strategy cost at the blocks where one could be made.
    most
        What a strategy may use at all: taken where nothing was measured, so that a run is never too cheap.
    """

    def __init__(self, tape: Tape, most: Mapping[str, int]) -> None:
        self._most = most
        self._blocks: dict[str, list[int]] = {}
        self._measured: dict[str, list[Measured]] = {}
        for one in tape.blocks:
            for measured in one.measured:
                self._blocks.setdefault(measured.subject, []).append(one.block.number)
                self._measured.setdefault(measured.subject, []).append(measured)

    def at(self, subject: str, block: int) -> Measured:
        """Return the newest measure up to ``block``, else the first one there is, else the most allowed."""
        if subject not in self._measured:
            return Measured(subject, self._most[subject], self._most[subject])
        place = bisect_right(self._blocks[subject], block) - 1
        return self._measured[subject][max(place, 0)]

    def source(self, subject: str) -> str:
        """Return where a strategy's figures come from: ``measured``, or ``max_gas`` of its file."""
        return "measured" if subject in self._measured else "max_gas"
