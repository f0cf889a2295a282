"""A clock that never jumps: it starts at the machine's time and then runs by the monotonic clock.

Holds, cool-downs and expiries are measured by it. A machine whose time is set forward must not end
a stop or a breaker's hold; set back, it must not make an input look fresh.
"""

from __future__ import annotations

from tidegate.model import Clock

NS_PER_MS = 1_000_000


class SteadyClock:
    """Milliseconds since the Unix epoch at its making, plus what has passed since.

    Parameters
    ----------
    clock
        The machine's clock, or a manual one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_ns = clock.monotonic_ns()
        self._start_ms = clock.now_ms()

    def now_ms(self) -> int:
        """Return the time in milliseconds, rounded down."""
        return self._start_ms + (self._clock.monotonic_ns() - self._start_ns) // NS_PER_MS

    def monotonic_ns(self) -> int:
        """Return the monotonic time of the clock below."""
        return self._clock.monotonic_ns()
