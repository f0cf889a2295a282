"""Who goes first where calls must wait: a weighted queue in which nobody starves."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Generic, TypeVar

from tidegate.chain.rpc.terms import Priority

_Item = TypeVar("_Item")

WEIGHTS = {Priority.SEND: 64, Priority.CONFIRM: 16, Priority.DECIDE: 8, Priority.BACKFILL: 1}
"""How many calls of each class leave while all of them wait. First in, first out within a class."""

_STRIDES = {priority: max(WEIGHTS.values()) // weight for priority, weight in WEIGHTS.items()}
EVERY_CLASS = tuple(Priority)


class WaitingCalls(Generic[_Item]):
    """Calls that wait, by priority.

    Each class has a virtual time that moves on with every call that leaves, the faster the smaller its
    weight; the class that is furthest behind goes next, the more urgent one where two are even. A class
    that was empty starts at the time of the others: waiting is not saved up.
    """

    def __init__(self) -> None:
        self._lines: dict[Priority, deque[_Item]] = {one: deque() for one in Priority}
        self._times: dict[Priority, int] = dict.fromkeys(Priority, 0)
        self._now = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, item: _Item, priority: Priority) -> None:
        """Let a call wait."""
        line = self._lines[priority]
        if not line:
            self._times[priority] = max(self._times[priority], self._now)
        line.append(item)
        self._length += 1

    def pop(self, among: Collection[Priority] = EVERY_CLASS) -> tuple[_Item, Priority] | None:
        """Return the call that goes next among these classes, and its class; None if none waits."""
        if not self._length:
            return None
        chosen: Priority | None = None
        for one in among:
            # The classes come in order of urgency, so an even one does not take the turn.
            if self._lines[one] and (chosen is None or self._times[one] < self._times[chosen]):
                chosen = one
        if chosen is None:
            return None
        self._now = max(self._now, self._times[chosen])
        self._times[chosen] += _STRIDES[chosen]
        self._length -= 1
        return self._lines[chosen].popleft(), chosen
