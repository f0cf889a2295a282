"""Carries calls to one endpoint: they wait by priority, travel in batches, and come back by id.

Calls made within a millisecond travel together. A call that finds the line idle waits only for those
that are made in the same turn of the loop: a millisecond of idling would be most of a fast node's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from tidegate.chain.jsonrpc import BatchRefused, decode_answer, decode_batch
from tidegate.chain.rpc.attempt import Attempt, Call
from tidegate.chain.rpc.endpoint import Endpoint
from tidegate.chain.rpc.exchange import NoAnswer, Trouble
from tidegate.chain.rpc.rate import TokenBucket
from tidegate.chain.rpc.terms import Priority
from tidegate.chain.rpc.waiting import EVERY_CLASS, WaitingCalls
from tidegate.model import Clock, TidegateError, Unavailable

COALESCE_S = 0.001
EXCHANGES_MAX = 32
"""How many exchanges are under way with one endpoint; what comes then waits by priority."""
_BATCH_REFUSALS = frozenset({400, 405, 406, 413, 415, 422})
_PAYLOAD_TOO_LARGE = 413
_DECISIVE = (Priority.SEND, Priority.CONFIRM, Priority.DECIDE)
_BACKFILL = (Priority.BACKFILL,)


class Ears(Protocol):
    """Who is told what came of the exchanges, and hands the answers on."""

    def came_back(self, attempts: Sequence[Attempt], results: Sequence[Any], seconds: float) -> None:
        """Take the results of the attempts, in order; an item may be its error."""
        ...

    def failed(self, attempts: Sequence[Attempt], problem: NoAnswer) -> None:
        """Take note that nothing readable came back for these attempts."""
        ...


class Courier:
    """One endpoint's queue and its exchanges.

    Parameters
    ----------
    post
        Carries a body within a time and returns the answer's. Raises ``NoAnswer``.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        post: Callable[[bytes, float], Awaitable[bytes]],
        ears: Ears,
        clock: Clock,
    ) -> None:
        self.batch_max = endpoint.batch_max
        self._timeout_s = endpoint.timeout_s
        self._post = post
        self._ears = ears
        self._clock = clock
        self.bucket = TokenBucket(endpoint.rate_per_s, endpoint.burst, clock)
        self._waiting: WaitingCalls[Attempt] = WaitingCalls()
        self._exchanges: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._under_way = 0
        self._is_leaving = False
        self._flush_handle: asyncio.Handle | None = None
        self._next_identity = 1

    def submit(self, attempt: Attempt) -> None:
        """Let a call wait for the next exchange."""
        if self._is_closed:
            attempt.settle(_closed())
            return
        self._waiting.push(attempt, attempt.priority)
        self._plan_flush()

    @property
    def is_idle(self) -> bool:
        """Say whether nothing waits and nothing is under way."""
        return not (self._under_way or self._is_closed or self._flush_handle is not None)

    async def carry(self, attempt: Attempt) -> None:
        """Make an exchange for a call, and for all that join it in this turn of the loop.

        For whoever finds the line idle and has nobody else to ask: a task of its own would cost a tenth
        of a fast node's time.
        """
        self._waiting.push(attempt, attempt.priority)
        self._is_leaving = True
        self._under_way += 1
        try:
            await asyncio.sleep(0)
        except BaseException:
            self._is_leaving = False
            self._under_way -= 1
            if len(self._waiting):
                self._plan_flush()
            raise
        await self._carry()

    async def ask(self, call: Call, priority: Priority, timeout_s: float) -> Any:
        """Return one call's result from this endpoint alone. Raises what it answers."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def heard(result: Any, error: TidegateError | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        ends_ns = self._clock.monotonic_ns() + round(timeout_s * 1e9)
        attempt = Attempt(call, priority, ends_ns, heard)
        self.submit(attempt)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise Unavailable(f"{call.method}: no answer in {timeout_s:.3g} s", code="transport") from None
        finally:
            attempt.abandon()

    def open(self) -> None:
        """Take calls again after ``close``."""
        self._is_closed = False

    async def close(self) -> None:
        """End the exchanges under way; whoever waits hears of it."""
        self._is_closed = True
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        exchanges = tuple(self._exchanges)
        for exchange in exchanges:
            exchange.cancel()
        await asyncio.gather(*exchanges, return_exceptions=True)
        while (taken := self._waiting.pop()) is not None:
            taken[0].settle(_closed())

    def _plan_flush(self) -> None:
        if self._is_leaving or self._under_way >= EXCHANGES_MAX:
            return
        if self._under_way == 0 or len(self._waiting) >= self.batch_max:
            if self._flush_handle is not None:
                self._flush_handle.cancel()
                self._flush_handle = None
            self._leave()
        elif self._flush_handle is None:
            self._flush_handle = asyncio.get_running_loop().call_later(COALESCE_S, self._flush)

    def _flush(self) -> None:
        self._flush_handle = None
        self._leave()

    def _leave(self) -> None:
        """Begin an exchange: what waits when the loop comes to it travels."""
        self._is_leaving = True
        self._under_way += 1
        exchange = asyncio.create_task(self._carry())
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)

    def _loaded(self) -> list[Attempt]:
        """Take what the endpoint's rate allows; the rest waits for its tokens, or travels next."""
        self._is_leaving = False
        room = self.bucket.take(self.batch_max)
        if room == 0:
            if self._flush_handle is None:
                loop = asyncio.get_running_loop()
                self._flush_handle = loop.call_later(self.bucket.wait_s, self._flush)
            return []
        attempts = self._taken(room)
        self.bucket.give_back(room - len(attempts))
        if len(self._waiting):
            self._plan_flush()
        return attempts

    def _taken(self, room: int) -> list[Attempt]:
        """Take what travels next. Backfill never shares a batch with what a decision waits for."""
        attempts: list[Attempt] = []
        among: Sequence[Priority] = EVERY_CLASS
        while len(attempts) < room and (taken := self._waiting.pop(among)) is not None:
            attempt, priority = taken
            if not attempt.is_abandoned:
                attempts.append(attempt)
                among = _BACKFILL if priority is Priority.BACKFILL else _DECISIVE
        return attempts

    async def _carry(self) -> None:
        attempts = self._loaded()
        started_ns = self._clock.monotonic_ns()
        try:
            try:
                if not attempts:
                    return
                results = await self._exchanged(attempts, started_ns)
            finally:
                # Before anyone hears of it: whoever asks again at once finds the line idle.
                self._under_way -= 1
                if attempts and len(self._waiting):
                    self._plan_flush()
        except NoAnswer as problem:
            if len(attempts) > 1 and problem.status in _BATCH_REFUSALS:
                self._send_smaller(attempts, is_too_large=problem.status == _PAYLOAD_TOO_LARGE)
            else:
                self._ears.failed(attempts, problem)
        except asyncio.CancelledError:
            # Whoever carried was given up; those who travelled with it were not.
            for attempt in attempts:
                if self._is_closed:
                    attempt.settle(_closed())
                elif not attempt.is_abandoned:
                    self.submit(attempt)
            raise
        except BatchRefused as refusal:
            self._send_smaller(attempts, is_too_large=refusal.is_too_large)
        else:
            seconds = (self._clock.monotonic_ns() - started_ns) / 1e9
            self._ears.came_back(attempts, results, seconds)

    async def _exchanged(self, attempts: list[Attempt], started_ns: int) -> list[Any]:
        first = self._next_identity
        self._next_identity += len(attempts)
        left_s = (max([attempt.ends_ns for attempt in attempts]) - started_ns) / 1e9
        timeout_s = max(min(self._timeout_s, left_s), COALESCE_S)
        if len(attempts) == 1:
            content = await self._post(attempts[0].call.body(first), timeout_s)
            try:
                return [decode_answer(content, first)]
            except TidegateError as error:
                return _one(error)
        bodies = [attempt.call.body(first + index) for index, attempt in enumerate(attempts)]
        content = await self._post(b"[%b]" % b",".join(bodies), timeout_s)
        try:
            return decode_batch(content, first, len(attempts))
        except BatchRefused:
            raise
        except TidegateError as error:
            return _one(error) * len(attempts)

    def _send_smaller(self, attempts: Sequence[Attempt], *, is_too_large: bool) -> None:
        """Remember that the batch was refused, and let its calls wait again."""
        self.batch_max = max(len(attempts) // 2, 1) if is_too_large else 1
        for attempt in attempts:
            self.submit(attempt)


def _one(error: TidegateError) -> list[Any]:
    if error.code == Trouble.TRANSPORT:
        raise NoAnswer(error.found or error.message) from None
    return [error]


def _closed() -> Unavailable:
    return Unavailable("the pool is closed", code="closed", fix="start it before asking")
