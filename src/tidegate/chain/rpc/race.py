"""The first good answer of several endpoints, within one deadline."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from functools import partial
from typing import Any, Protocol

from tidegate.chain.rpc.attempt import Attempt, Call
from tidegate.chain.rpc.endpoint import Feature
from tidegate.chain.rpc.lane import Lane
from tidegate.chain.rpc.methods import NULL_IS_MISSING
from tidegate.chain.rpc.terms import Priority
from tidegate.model import Clock, Rejected, TidegateError, Unavailable

_PAUSE_FIRST_S = 0.02
_PAUSE_LONGEST_S = 0.5
PATIENCE_S = 2.0
"""How long a block that some do not have is looked for at endpoints that can not be asked just now."""
MISSING = frozenset({"state_missing", "state_pruned", "block_missing"})
"""What a node says that does not have the block or its state: another may, and waiting does not help."""


class Course(Protocol):
    """Who says which endpoints may be asked, in order, and hears that there are none."""

    def candidates(self) -> list[Lane]:
        """Return the endpoints that may be asked now, the best first."""
        ...

    @property
    def how_many(self) -> int:
        """Return how many endpoints there are, those that can not be asked now included."""
        ...

    def none_left(self) -> None:
        """Take note that no endpoint answers: whatever can be probed should be."""
        ...

    def given_up(self, call: Call, errors: dict[str, TidegateError]) -> TidegateError:
        """Return the error that carries each endpoint's last one."""
        ...


class Race:
    """Asks one endpoint after the other until one answers, and a second beside one that is slow.

    A final error ends it at once: no other endpoint is asked. An endpoint that lacks the block or its
    state is passed over; when all say so the read ends, and when some say so and the others can not be
    asked, it ends after a little patience. For everything else rounds go on until the deadline.

    Attributes
    ----------
    answer
        The answer, or the error.
    winner
        Who gave it.
    """

    def __init__(
        self, call: Call, course: Course, *, priority: Priority, timeout_s: float, clock: Clock
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Any] = self._loop.create_future()
        self.winner: Lane | None = None
        self._call = call
        self._course = course
        self._priority = priority
        self._ends_ns = clock.monotonic_ns() + round(timeout_s * 1e9)
        self._waiting: deque[Lane] = deque()
        self._open: dict[Lane, Attempt] = {}
        self._errors: dict[str, TidegateError] = {}
        self._missing = 0
        self._nulls = 0
        self._rounds = 0
        self._deadline = self._loop.call_later(timeout_s, self._give_up)
        self._patient_until = self._loop.time() + PATIENCE_S
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> Any:
        """Return the first good answer.

        Raises
        ------
        Rejected
            If an endpoint refuses for good; ``CallReverted`` if a call reverts.
        Unavailable
            If no endpoint answered in time, with each one's last error.
        """
        self._round()
        try:
            return await self.answer
        finally:
            self._deadline.cancel()
            if self._timer is not None:
                self._timer.cancel()
            for attempt in self._open.values():
                attempt.abandon()

    def _round(self) -> None:
        self._timer = None
        self._rounds += 1
        self._missing = 0
        self._nulls = 0
        self._waiting.extend(self._course.candidates())
        if not self._ask_next():
            self._course.none_left()
            self._pause()

    def _ask_next(self) -> bool:
        if not self._waiting:
            return False
        lane = self._waiting.popleft()
        attempt = Attempt(self._call, self._priority, self._ends_ns, partial(self._heard, lane))
        self._open[lane] = attempt
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._timer = self._loop.call_later(lane.hedge_after_s, self._hedge)
        lane.submit(attempt)
        return True

    def _hedge(self) -> None:
        """Ask another endpoint beside the one that is slow; whoever answers first wins."""
        self._timer = None
        self._ask_next()

    def _heard(self, lane: Lane, result: Any, error: TidegateError | None) -> None:
        self._open.pop(lane, None)
        if self.answer.done():
            return
        if error is None and (result is not None or self._call.method not in NULL_IS_MISSING):
            self.winner = lane
            self.answer.set_result(result)
            return
        if isinstance(error, Rejected):
            self.winner = lane
            self.answer.set_exception(error)
            return
        self._pass_over(lane, error)
        if not self._ask_next() and not self._open:
            self._round_over()

    def _pass_over(self, lane: Lane, error: TidegateError | None) -> None:
        if error is None:
            self._nulls += 1
            self._missing += 1
            return
        self._errors[lane.name] = error
        if error.code in MISSING:
            self._missing += 1
        if error.code == "state_pruned":
            archives_first = sorted(
                self._waiting, key=lambda lane: Feature.ARCHIVE not in lane.endpoint.features
            )
            self._waiting = deque(archives_first)

    def _round_over(self) -> None:
        is_everyones = self._missing >= self._course.how_many
        if self._missing and (is_everyones or self._loop.time() > self._patient_until):
            if self._nulls:
                self.answer.set_result(None)
            else:
                self._give_up()
            return
        self._course.none_left()
        self._pause()

    def _pause(self) -> None:
        longest_s = min(_PAUSE_FIRST_S * 2 ** min(self._rounds - 1, 8), _PAUSE_LONGEST_S)
        self._timer = self._loop.call_later(longest_s * (0.5 + random.random() / 2), self._round)  # noqa: S311

    def _give_up(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(self._course.given_up(self._call, self._errors))


def told(errors: dict[str, TidegateError], lanes: list[Lane]) -> str:
    """Return each endpoint's last error, this call's where there is one. Names, never URLs."""
    parts = []
    for lane in lanes:
        error = errors.get(lane.name)
        own = "" if error is None else f"{lane.name}: {error.code}, {error.found or error.message}"
        parts.append(own or lane.complaint)
    return "; ".join(parts)


def out_of_time(name: str, method: str, errors: dict[str, TidegateError], lanes: list[Lane]) -> Unavailable:
    """Return the error of a read that nobody answered."""
    codes = {error.code for error in errors.values()}
    code = next(iter(codes)) if len(codes) == 1 and codes <= MISSING else "unavailable"
    return Unavailable(
        f"no endpoint of {name} answers {method}",
        code=code,
        found=told(errors, lanes),
        fix="tidegate doctor looks at each endpoint",
    )
