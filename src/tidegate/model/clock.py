"""Time comes from an injected clock, so that the same tape gives the same journal."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the house asks of a clock."""

    def now_ms(self) -> int:
        """Return the time since the Unix epoch in milliseconds."""
        ...

    def monotonic_ns(self) -> int:
        """Return a time in nanoseconds that never goes back, for intervals only."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Return the machine's time in milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_ns(self) -> int:
        """Return the machine's monotonic time in nanoseconds."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that stands still until it is told to move: chain time, tapes, tests."""

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Return the time it was last set to."""
        return self._now_ms

    def monotonic_ns(self) -> int:
        """Return the same time in nanoseconds."""
        return self._now_ms * 1_000_000

    def set_ms(self, now_ms: int) -> None:
        """Move to ``now_ms``.

        Raises
        ------
        ValueError
            If that lies in the past.
        """
        if now_ms < self._now_ms:
            raise ValueError(f"now_ms must be at least {self._now_ms}, was {now_ms}")
        self._now_ms = now_ms
