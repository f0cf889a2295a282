"""What stays known of a block after it was handed out: enough to withdraw it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from tidegate.chain.heads.changes import RolledBack
from tidegate.chain.mined import Header, LogKey, MinedLog

Runs = tuple[tuple[int, int], ...]
"""Log indices as runs, each (first, last): a block whose logs are all wanted is one run."""


class Mark(msgspec.Struct, frozen=True):
    """A block that consumers were given: its place, and which of its logs."""

    number: int
    hash: bytes
    log_runs: Runs = ()

    @classmethod
    def of(cls, block: Header, logs: Sequence[MinedLog]) -> Mark:
        """Return the mark of a block and those of its logs that were handed out."""
        return cls(block.number, block.hash, runs_of(log.index for log in logs))

    def withdrawn(self, chain_id: int) -> RolledBack:
        """Return the change that takes this block back."""
        indices = (index for first, last in self.log_runs for index in range(first, last + 1))
        keys = tuple(LogKey(chain_id, self.hash, index) for index in indices)
        return RolledBack(self.number, self.hash, keys)


def runs_of(indices: Iterable[int]) -> Runs:
    """Return ascending indices as runs.

    Examples
    --------
    >>> runs_of([0, 1, 2, 7, 9, 10])
    ((0, 2), (7, 7), (9, 10))
    """
    listed = list(indices)
    if not listed:
        return ()
    breaks = [(before, after) for before, after in pairwise(listed) if after != before + 1]
    starts = [listed[0], *(after for _, after in breaks)]
    ends = [*(before for before, _ in breaks), listed[-1]]
    return tuple(zip(starts, ends, strict=True))
