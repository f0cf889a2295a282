"""What may be answered from memory, and for how long. Nothing here is used by who signs."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from tidegate.chain.rpc.terms import Keep
from tidegate.model import Clock

SECONDS_KEPT = {Keep.GAS: 10, Keep.PRICE: 60}
ENTRIES_MAX = 16_384
_EMPTY: tuple[Any, ...] = ("0x", "0x0", [])

Key = tuple[str, bytes]
"""A method and its parameters as they travel."""


class _Entry(NamedTuple):
    answer: Any
    operators: int
    kept_ns: int
    head_mark: int


class ReadCache:
    """Answers by request: a bounded memory that forgets what was not asked for longest.

    An entry is never made to last by an outage: when its time is over it is gone, whether or not a
    new answer can be had.

    Parameters
    ----------
    head_age_max_s
        How long an answer of a head stands at most, should no new head come.
    entries_max
        How many answers are kept.
    """

    def __init__(self, clock: Clock, *, head_age_max_s: float, entries_max: int = ENTRIES_MAX) -> None:
        self._clock = clock
        self._head_age_max_s = head_age_max_s
        self._entries_max = entries_max
        self._entries: OrderedDict[tuple[Keep, Key], _Entry] = OrderedDict()
        self.head_mark = 0

    def __len__(self) -> int:
        return len(self._entries)

    def new_head(self) -> None:
        """Forget what held for the last head."""
        self.head_mark += 1

    def clear(self) -> None:
        """Forget everything: an endpoint that answered is not to be believed any more."""
        self._entries.clear()

    def get(self, keep: Keep, key: Key, *, operators: int) -> tuple[Any] | None:
        """Return the kept answer in a tuple of one, None if there is none on which so many agreed."""
        entry = self._entries.get((keep, key))
        if entry is None or entry.operators < operators:
            return None
        if self._is_over(keep, entry):
            del self._entries[keep, key]
            return None
        self._entries.move_to_end((keep, key))
        return (entry.answer,)

    def put(self, keep: Keep, key: Key, answer: Any, *, operators: int, head_mark: int) -> None:
        """Keep an answer that was asked for under ``head_mark``.

        What is not there yet may come: nothing is not kept, and an empty answer not for ever.
        """
        if answer is None or (keep is Keep.FOR_EVER and answer in _EMPTY):
            return
        self._entries[keep, key] = _Entry(answer, operators, self._clock.monotonic_ns(), head_mark)
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def _is_over(self, keep: Keep, entry: _Entry) -> bool:
        age_s = (self._clock.monotonic_ns() - entry.kept_ns) / 1e9
        if keep is Keep.HEAD:
            return entry.head_mark != self.head_mark or age_s > self._head_age_max_s
        return age_s >= SECONDS_KEPT.get(keep, float("inf"))
