"""What a line used in the last 24 hours, rolling by the time of each signature."""

from __future__ import annotations

from collections import deque

from tidegate.custody.records import Charge

DAY_MS = 86_400_000


class Window:
    """The charges of one line. A charge counts until 24 h after it, to the millisecond.

    A charge that lies in the future, because the clock was set back, counts too.
    """

    def __init__(self) -> None:
        self._charges: deque[tuple[int, Charge]] = deque()
        self._notional = 0
        self._at_risk = 0
        self._transactions = 0
        self._unvalued: dict[str, int] = {}

    def add(self, charge: Charge, *, at_ms: int) -> None:
        """Count a charge."""
        self._charges.append((at_ms, charge))
        self._move(charge, 1)

    def used(self, now_ms: int) -> Charge:
        """Return the sums of what still counts; ``unvalued`` is asked apart."""
        self._expire(now_ms)
        return Charge(
            notional_usd_e6=self._notional,
            at_risk_usd_e6=self._at_risk,
            transactions=self._transactions,
        )

    def unvalued(self, what: str, now_ms: int) -> int:
        """Return how often content of this kind, which nobody values, was signed."""
        self._expire(now_ms)
        return self._unvalued.get(what, 0)

    def _expire(self, now_ms: int) -> None:
        # Charges stand in the order of their records. One behind a future one waits with it: that
        # counts too long, never too short.
        while self._charges and self._charges[0][0] <= now_ms - DAY_MS:
            self._move(self._charges.popleft()[1], -1)

    def _move(self, charge: Charge, sign: int) -> None:
        self._notional += sign * charge.notional_usd_e6
        self._at_risk += sign * charge.at_risk_usd_e6
        self._transactions += sign * charge.transactions
        if charge.unvalued:
            count = self._unvalued.get(charge.unvalued, 0) + sign
            if count:
                self._unvalued[charge.unvalued] = count
            else:
                del self._unvalued[charge.unvalued]
