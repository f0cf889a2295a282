"""Two clocks against each other, so that setting the machine's time gains nobody anything."""

from __future__ import annotations

from tidegate.model import Clock


class SteadyTime:
    """The time by the machine's clock, and by the time that passed since the start.

    Whoever moves the machine's clock moves one of the two. What ends by time (a capability, an order)
    ends by the later one; what comes free by time (the limits of 24 h) comes free by the earlier one.
    Over a restart only the machine's clock is left.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_ms = clock.now_ms()
        self._start_ns = clock.monotonic_ns()

    def latest_ms(self) -> int:
        """Return the later of the two, in milliseconds since the Unix epoch: it never goes back."""
        return max(self._clock.now_ms(), self._passed_ms())

    def earliest_ms(self) -> int:
        """Return the earlier of the two."""
        return min(self._clock.now_ms(), self._passed_ms())

    def _passed_ms(self) -> int:
        return self._start_ms + (self._clock.monotonic_ns() - self._start_ns) // 1_000_000
