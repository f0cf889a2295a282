"""What one limit has counted in one scope: rolling sums, open places, shares of failures."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from tidegate.risk.limits.rows import LEAST_ATTEMPTS, Limit, Measure

_BPS = 10_000

Undo: TypeAlias = Callable[[], None]
"""Takes back what was counted. What has rolled off, or was cleared since, stays gone."""


class Rolling:
    """A sum over the last ``window_s`` seconds of event time. An event at 0 is gone at ``window_s``."""

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._events: deque[tuple[int, int]] = deque()
        self._sum = 0

    def add(self, at_s: int, amount: int) -> Undo:
        """Count ``amount`` at ``at_s``; events may come out of order."""
        self._sum += amount
        if not self._events or at_s > self._events[-1][0]:
            self._events.append((at_s, amount))
        elif at_s == self._events[-1][0]:
            self._events[-1] = (at_s, self._events[-1][1] + amount)
        else:
            events = list(self._events)
            insort(events, (at_s, amount))
            self._events = deque(events)
        return partial(self._take_back, at_s, amount)

    def sum(self, now_s: int) -> int:
        """Return the sum at ``now_s``; what has rolled off is forgotten."""
        events = self._events
        while events and events[0][0] <= now_s - self._window_s:
            self._sum -= events.popleft()[1]
        return self._sum

    def clear(self) -> Undo:
        """Forget every event."""
        events = tuple(self._events)
        self._events.clear()
        self._sum = 0
        return partial(self._put_back, events)

    def _take_back(self, at_s: int, amount: int) -> None:
        for index, (known_s, known) in enumerate(self._events):
            if known_s == at_s:
                self._events[index] = (at_s, known - amount)
                self._sum -= amount
                return

    def _put_back(self, events: tuple[tuple[int, int], ...]) -> None:
        for at_s, amount in events:
            self.add(at_s, amount)


class Meter:
    """A sum of what happened in the window, what open intents may still add, and what stands."""

    def __init__(self, window_s: int) -> None:
        self.happened = Rolling(window_s)
        self.standing = 0
        self._open: dict[str, int] = {}
        self._open_sum = 0

    def used(self, now_s: int) -> int:
        """Return how much is used."""
        return self.happened.sum(now_s) + self._open_sum + self.standing

    def hold(self, intent_id: str, amount: int) -> None:
        """Set what an open intent may add."""
        self._open_sum += amount - self._open.get(intent_id, 0)
        self._open[intent_id] = amount

    def held(self, intent_id: str) -> int:
        """Return what an open intent holds, 0 for none."""
        return self._open.get(intent_id, 0)

    def release(self, intent_id: str) -> int:
        """Give back what an open intent held, and return it."""
        amount = self._open.pop(intent_id, 0)
        self._open_sum -= amount
        return amount


class Attempts:
    """Attempts of a desk or chain: the share that failed, and how many failed in a row."""

    def __init__(self, window_s: int) -> None:
        self._attempts = Rolling(window_s)
        self._failed = Rolling(window_s)

    def add(self, at_s: int, *, failed: bool) -> Undo:
        """Count one attempt."""
        undo = self._attempts.add(at_s, 1), self._failed.add(at_s, int(failed))

        def take_back() -> None:
            for one in undo:
                one()

        return take_back

    def share_bps(self, now_s: int) -> int:
        """Return the share that failed, rounded up; 0 before there are enough attempts."""
        attempts, failed = self._attempts.sum(now_s), self._failed.sum(now_s)
        return 0 if attempts < LEAST_ATTEMPTS else -(-failed * _BPS // attempts)

    def clear(self) -> None:
        """Begin anew, because a person said so."""
        self._attempts.clear()
        self._failed.clear()


class Tally:
    """All that is counted for one limit in one scope.

    ``allowed`` is what the table allows there, None where each strategy's own file says it; ``shown`` the
    ratio that was measured last.
    """

    __slots__ = ("allowed", "attempts", "meter", "shown")

    def __init__(self, limit: Limit, allowed: int | None) -> None:
        self.meter = Meter(limit.window_s)
        self.attempts = Attempts(limit.window_s) if limit.measure is Measure.FAILED_SHARE else None
        self.allowed = allowed
        self.shown: float | None = None

    def used(self, now_s: int) -> int:
        """Return how much is used: of a share of failures the share, in hundredths of a percent."""
        return self.meter.used(now_s) if self.attempts is None else self.attempts.share_bps(now_s)


def total(amounts: Iterable[int]) -> int:
    """Return the sum of what is positive: what lessens a risk elsewhere refunds nothing here."""
    return sum(amount for amount in amounts if amount > 0)
