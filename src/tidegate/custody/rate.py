"""How often a connection may ask: a bucket that holds one second's requests and refills evenly."""

from __future__ import annotations

from tidegate.model import Clock, ConfigError

RATE_MIN, RATE_MAX = 1, 10_000
_SECOND_NS = 1_000_000_000


class RateLimit:
    """Allows ``rate_per_s`` requests a second, at most that many at once."""

    def __init__(self, rate_per_s: int, clock: Clock) -> None:
        self._rate_per_s = check_rate(rate_per_s)
        self._clock = clock
        self._room_ns = _SECOND_NS  # what a request costs is _SECOND_NS / rate
        self._at_ns = clock.monotonic_ns()

    def take(self, wanted: int) -> int:
        """Return how many of ``wanted`` requests there is room for, and use that room."""
        now_ns = self._clock.monotonic_ns()
        self._room_ns = min(_SECOND_NS, self._room_ns + max(0, now_ns - self._at_ns))
        self._at_ns = now_ns
        allowed = min(wanted, self._room_ns * self._rate_per_s // _SECOND_NS)
        self._room_ns -= -(-allowed * _SECOND_NS // self._rate_per_s)
        return allowed


def check_rate(rate_per_s: int) -> int:
    """Return a rate from 1 to 10,000 requests a second, or raise ``ConfigError``."""
    if not RATE_MIN <= rate_per_s <= RATE_MAX:
        raise ConfigError(
            "the signer's rate is out of bounds",
            code="signer_rate",
            found=f"{rate_per_s} requests/s",
            allowed=f"{RATE_MIN} to {RATE_MAX}",
        )
    return rate_per_s
