"""What every step of the street has: a deadline, a measured time, and the account that it touches."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from tidegate.model import Intent, Metric, Recorder, Unavailable

_Result = TypeVar("_Result")


class Steps:
    """Runs steps within their deadlines, so that a slow one ends and holds nobody up."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def run(self, step: str, within_s: float | None, work: Awaitable[_Result]) -> _Result:
        """Return what ``work`` gives.

        Parameters
        ----------
        within_s
            Its deadline; None for work that has its own, because it must not be cut off.

        Raises
        ------
        Unavailable
            ``slow_step`` once the deadline is over.
        """
        start_ns = time.monotonic_ns()
        try:
            if within_s is None:
                return await work
            async with asyncio.timeout(within_s):
                return await work
        except TimeoutError as error:
            raise Unavailable(
                f"the step {step} took too long",
                code="slow_step",
                found=f"no end after {within_s} s",
                fix="look at what it waits for: tidegate doctor",
            ) from error
        finally:
            self._recorder.observe(Metric.STEP_SECONDS, (time.monotonic_ns() - start_ns) / 1e9, step=step)


class Accounts:
    """Lets one intent at a time touch a venue account of the desk; others walk beside it.

    A desk has one account at a venue. An intent that names no venue may touch any of those that name none.
    """

    def __init__(self) -> None:
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def of(self, intent: Intent) -> AsyncIterator[None]:
        """Hold every account that the intent touches; taken in one order, so that none waits for another."""
        async with AsyncExitStack() as held:
            for venue in sorted(set(intent.venues) or {""}):
                await held.enter_async_context(self._locks[venue])
            yield
