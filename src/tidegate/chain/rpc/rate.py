"""How many calls an endpoint may be asked: a bucket of tokens that fills at the agreed rate."""

from __future__ import annotations

from tidegate.model import Clock


class TokenBucket:
    """Tokens at ``rate_per_s``, at most ``burst`` of them; without a rate there is no end of them."""

    def __init__(self, rate_per_s: float | None, burst: int, clock: Clock) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_ns = clock.monotonic_ns()

    def take(self, wanted: int) -> int:
        """Take up to ``wanted`` tokens and return how many there were."""
        if self._rate is None:
            return wanted
        self._fill(self._rate)
        taken = max(0, min(wanted, int(self._tokens)))
        self._tokens -= taken
        return taken

    def owe(self, count: int) -> None:
        """Take tokens that need not be there: what can not wait makes the others wait."""
        if self._rate is not None:
            self._fill(self._rate)
            self._tokens -= count

    def give_back(self, count: int) -> None:
        """Return tokens that were not needed."""
        self._tokens = min(self._tokens + count, float(self._burst))

    @property
    def wait_s(self) -> float:
        """Return the seconds until there is one token."""
        if self._rate is None:
            return 0.0
        self._fill(self._rate)
        return max(1.0 - self._tokens, 0.0) / self._rate

    def _fill(self, rate: float) -> None:
        now_ns = self._clock.monotonic_ns()
        self._tokens = min(self._tokens + (now_ns - self._filled_ns) * rate / 1e9, float(self._burst))
        self._filled_ns = now_ns
