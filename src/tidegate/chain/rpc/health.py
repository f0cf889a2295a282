"""The state of an endpoint: a pure machine that is told what happened and asked what it may do.

================ ==================================================== ===================================
state            entered when                                          left when
================ ==================================================== ===================================
healthy          at the start, or a probe is answered                  –
degraded         over 10 % errors in 20+ calls of 60 s, head lag over  20 clean calls, and lag ≤ 1
                 the chain's limit, p95 over 4 × the pool's median
cooling          3 transport errors in a row, 429, refused key         a time that doubles, then one probe
quarantined      another chain's id, another block than the majority   a person releases it
================ ==================================================== ===================================
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from tidegate.model import Clock

ERROR_SHARE_MAX = 0.10
CALLS_TO_JUDGE = 20
WINDOW_S = 60
CLEAN_CALLS = 20
LAG_TO_LEAVE_BLOCKS = 1
SLOW_FACTOR = 4
SLOW_FLOOR_S = 0.02
"""Nobody is slow below this: a pool of nodes next door would judge the noise of the machine."""
FAILURES_TO_COOL = 3
COOL_FIRST_S = 1.0
COOL_LONGEST_S = 60.0
LAST_RESORT_EVERY_S = 1.0
_LATENCIES_KEPT = 128
_P95_EVERY = 16
_NS = 1_000_000_000


class EndpointState(IntEnum):
    """What an endpoint may be used for; the number is the metric's."""

    HEALTHY = 0
    DEGRADED = 1
    COOLING = 2
    QUARANTINED = 3


class Cause(StrEnum):
    """Why an endpoint changed its state."""

    PROBE_ANSWERED = "probe_answered"
    CLEAN = "clean"
    RELEASED = "released"
    ERROR_RATE = "error_rate"
    HEAD_LAG = "head_lag"
    SLOW = "slow"
    TRANSPORT = "transport"
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    WRONG_CHAIN_ID = "wrong_chain_id"
    BLOCK_HASH_DIFFERS = "block_hash_differs"


@dataclass(frozen=True, slots=True)
class Change:
    """A state left for another. ``detail`` has the figures, never a URL."""

    before: EndpointState
    after: EndpointState
    cause: Cause
    detail: str


class Health:
    """Judges one endpoint.

    Parameters
    ----------
    clock
        Only its monotonic time is used.
    lag_max_blocks
        How far its head may lie behind the pool's.
    pool_median_s
        Returns what a call takes in this pool, None while that is unknown.
    on_change
        Told of every change.
    jitter
        Returns a number from 0 to 1.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        lag_max_blocks: int,
        pool_median_s: Callable[[], float | None] = lambda: None,
        on_change: Callable[[Change], None] = lambda _: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.state = EndpointState.HEALTHY
        self.lag_blocks = 0
        self.detail = ""
        self._clock = clock
        self._lag_max = lag_max_blocks
        self._pool_median_s = pool_median_s
        self._on_change = on_change
        self._jitter = jitter
        self._window = _Window()
        self._latencies: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._p95_s: float | None = None
        self._median_s: float | None = None
        self._until_judged = 0
        self._failures = 0
        self._clean = 0
        self._coolings = 0
        self._cool_until_ns = 0
        self._last_probe_ns = 0
        self._told_until_ns = 0
        self._is_probing = False

    @property
    def is_usable(self) -> bool:
        """Say whether reads may go there at all."""
        return self.state <= EndpointState.DEGRADED

    @property
    def p95_s(self) -> float | None:
        """Return the time in which 95 of 100 calls were answered lately, None before there were some."""
        return self._p95_s

    @property
    def median_s(self) -> float | None:
        """Return the time in which half of the calls were answered lately."""
        return self._median_s

    def answered(self, seconds: float, *, calls: int = 1, errors: int = 0) -> None:
        """Take note of an exchange that came back; ``errors`` of its calls were the node's own failures."""
        self._failures = 0
        self._window.add(self._now_s(), calls, errors)
        self._latencies.append(seconds)
        self._until_judged -= 1
        is_time = self._until_judged <= 0
        if is_time:
            self._until_judged = _P95_EVERY
            ordered = sorted(self._latencies)
            self._median_s = ordered[(len(ordered) - 1) // 2]
            if len(ordered) >= CALLS_TO_JUDGE:
                self._p95_s = ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
        is_clean = errors == 0 and not self._is_slow(seconds)
        self._clean = self._clean + calls if is_clean else 0
        if self.state is EndpointState.HEALTHY:
            # Clean calls make nothing worse between two looks at the latencies.
            if is_time or errors:
                self._judge()
        elif self.state is EndpointState.DEGRADED:
            self._pardon()

    def failed(self, detail: str, *, calls: int = 1) -> None:
        """Take note of a transport error: no answer, or none that can be read."""
        self._failures += 1
        self._clean = 0
        self._window.add(self._now_s(), calls, calls)
        if self.is_usable and self._failures >= FAILURES_TO_COOL:
            self._cool(Cause.TRANSPORT, f"{self._failures} transport errors in a row, last: {detail}")
        elif self.state is EndpointState.HEALTHY:
            self._judge()

    def rate_limited(self, retry_after_s: float | None = None) -> None:
        """Take note of a 429. ``retry_after_s`` is what the endpoint asked for, and gets at least."""
        told = "" if retry_after_s is None else f", wait {retry_after_s:g} s"
        self._cool(Cause.RATE_LIMITED, f"too many requests{told}", at_least_s=retry_after_s)

    def auth_failed(self, detail: str) -> None:
        """Take note of a key that is refused."""
        self._cool(Cause.AUTH, detail)

    def saw_head(self, lag_blocks: int) -> None:
        """Take note of how far the endpoint's head lies behind the pool's."""
        self.lag_blocks = max(lag_blocks, 0)
        if self.state is EndpointState.HEALTHY:
            self._judge()
        elif self.state is EndpointState.DEGRADED:
            self._pardon()

    def quarantine(self, cause: Cause, detail: str) -> None:
        """Use it for nothing until a person releases it."""
        if self.state is not EndpointState.QUARANTINED:
            self._enter(EndpointState.QUARANTINED, cause, detail)

    def hold(self, detail: str) -> None:
        """Stand in quarantine since before this process began: nobody is told of it again."""
        self.state, self.detail = EndpointState.QUARANTINED, detail

    def release(self) -> None:
        """Let a quarantined endpoint be probed again, by a person's order."""
        if self.state is EndpointState.QUARANTINED:
            self._enter(EndpointState.COOLING, Cause.RELEASED, "released by a person")
            self._cool_until_ns = self._clock.monotonic_ns()
            self._told_until_ns = 0
            self._coolings = 0
            self._is_probing = False

    @property
    def probe_in_s(self) -> float | None:
        """Return the seconds until a probe is due, None if there is nothing to probe."""
        if self.state is not EndpointState.COOLING or self._is_probing:
            return None
        return max(self._cool_until_ns - self._clock.monotonic_ns(), 0) / _NS

    def may_probe(self, *, is_last_resort: bool = False) -> bool:
        """Say whether the one probe call may be made now.

        A last resort is a call that no other endpoint can serve: then a probe is worth a try every
        second, but never before the time for which the endpoint itself asked.
        """
        due_s = self.probe_in_s
        if due_s is None:
            return False
        if due_s == 0:
            return True
        now_ns = self._clock.monotonic_ns()
        next_ns = max(self._last_probe_ns + round(LAST_RESORT_EVERY_S * _NS), self._told_until_ns)
        return is_last_resort and now_ns >= next_ns

    def begin_probe(self) -> None:
        """Take note that the probe call is on its way."""
        self._is_probing = True
        self._last_probe_ns = self._clock.monotonic_ns()

    def probe_answered(self) -> None:
        """End the cooling."""
        self._is_probing = False
        if self.state is EndpointState.COOLING:
            self._coolings = 0
            self._enter(EndpointState.HEALTHY, Cause.PROBE_ANSWERED, "")

    def probe_failed(self, detail: str) -> None:
        """Cool on, twice as long."""
        self._is_probing = False
        if self.state is EndpointState.COOLING:
            self._cool(Cause.TRANSPORT, f"probe: {detail}")

    def _judge(self) -> None:
        calls, errors = self._window.totals(self._now_s())
        if calls >= CALLS_TO_JUDGE and errors > ERROR_SHARE_MAX * calls:
            self._degrade(Cause.ERROR_RATE, f"{errors} errors in {calls} calls of {WINDOW_S} s")
        elif self.lag_blocks > self._lag_max:
            self._degrade(Cause.HEAD_LAG, f"{self.lag_blocks} blocks behind, at most {self._lag_max}")
        elif (
            self._p95_s is not None and len(self._latencies) >= CALLS_TO_JUDGE and self._is_slow(self._p95_s)
        ):
            self._degrade(Cause.SLOW, f"p95 {self._p95_s:.3f} s, over {SLOW_FACTOR} times the pool's median")

    def _pardon(self) -> None:
        if self._clean >= CLEAN_CALLS and self.lag_blocks <= LAG_TO_LEAVE_BLOCKS:
            self._enter(EndpointState.HEALTHY, Cause.CLEAN, f"{self._clean} clean calls")

    def _is_slow(self, seconds: float) -> bool:
        if seconds <= SLOW_FLOOR_S:
            return False
        median_s = self._pool_median_s()
        return median_s is not None and seconds > SLOW_FACTOR * median_s

    def _degrade(self, cause: Cause, detail: str) -> None:
        self._clean = 0
        self._enter(EndpointState.DEGRADED, cause, detail)

    def _cool(self, cause: Cause, detail: str, *, at_least_s: float | None = None) -> None:
        if self.state is EndpointState.QUARANTINED:
            return
        longest_s = min(COOL_FIRST_S * 2**self._coolings, COOL_LONGEST_S)
        wait_s = max(longest_s * self._jitter(), at_least_s or 0)
        now_ns = self._clock.monotonic_ns()
        is_cooling = self.state is EndpointState.COOLING
        until_ns = now_ns + round(wait_s * _NS)
        self._cool_until_ns = max(until_ns, self._cool_until_ns) if is_cooling else until_ns
        if at_least_s is not None:
            self._told_until_ns = now_ns + round(at_least_s * _NS)
        self._coolings = min(self._coolings + 1, 16)
        self._last_probe_ns = now_ns
        if is_cooling:
            self.detail = detail
        else:
            self._enter(EndpointState.COOLING, cause, detail)

    def _enter(self, after: EndpointState, cause: Cause, detail: str) -> None:
        before, self.state, self.detail = self.state, after, detail
        # Whoever comes back is judged by what comes, not by what was.
        self._failures = 0
        if after is EndpointState.HEALTHY:
            self._window.clear()
            self._latencies.clear()
            self._until_judged = 0
            self._p95_s = None
        self._on_change(Change(before, after, cause, detail))

    def _now_s(self) -> int:
        return self._clock.monotonic_ns() // _NS


class _Window:
    """Calls and errors of the last minute, in one slot a second."""

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque()
        self._calls = 0
        self._errors = 0

    def add(self, now_s: int, calls: int, errors: int) -> None:
        if not self._slots or self._slots[-1][0] != now_s:
            self._slots.append([now_s, 0, 0])
        slot = self._slots[-1]
        slot[1] += calls
        slot[2] += errors
        self._calls += calls
        self._errors += errors

    def totals(self, now_s: int) -> tuple[int, int]:
        while self._slots and self._slots[0][0] <= now_s - WINDOW_S:
            _, calls, errors = self._slots.popleft()
            self._calls -= calls
            self._errors -= errors
        return self._calls, self._errors

    def clear(self) -> None:
        self._slots.clear()
        self._calls = self._errors = 0
