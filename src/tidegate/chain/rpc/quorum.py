"""The same answer from endpoints of different operators, or none at all."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import msgspec

from tidegate.chain.jsonrpc import CallReverted
from tidegate.chain.rpc.attempt import Call
from tidegate.chain.rpc.lane import Lane
from tidegate.chain.rpc.methods import BLOCK_BY_HASH, BLOCK_BY_NUMBER, LOGS, NULL_IS_MISSING
from tidegate.chain.rpc.race import MISSING, Course
from tidegate.chain.rpc.terms import Priority
from tidegate.model import Clock, Divergence, Rejected, TidegateError, Unavailable

_PAUSE_S = 0.05
_LOG_PARTS = ("address", "topics", "data", "blockHash", "logIndex", "transactionHash")
_RECEIPT_PARTS = ("transactionHash", "blockHash", "status", "gasUsed", "effectiveGasPrice", "contractAddress")
_encoder = msgspec.json.Encoder(order="sorted")


async def agreed(
    call: Call, operators: int, course: Course, *, priority: Priority, timeout_s: float, clock: Clock
) -> Any:
    """Return what ``operators`` different operators answer alike; a revert they agree on is raised.

    Raises
    ------
    Divergence
        If two answers differ. Nobody's is taken.
    Unavailable
        If fewer operators answered in time.
    """
    vote = _Vote(call, operators, course, priority, clock.monotonic_ns() + round(timeout_s * 1e9), clock)
    try:
        return await vote.run()
    finally:
        vote.stop()


class _Vote:
    def __init__(
        self, call: Call, operators: int, course: Course, priority: Priority, ends_ns: int, clock: Clock
    ) -> None:
        self._call, self._operators, self._course, self._priority = call, operators, course, priority
        self._ends_ns, self._clock = ends_ns, clock
        self._asked: dict[asyncio.Task[Any], Lane] = {}
        self._answers: dict[str, tuple[Lane, Any]] = {}
        self._errors: dict[str, TidegateError] = {}

    async def run(self) -> Any:
        while True:
            await self._round()
            if len(self._answers) >= self._operators:
                return self._outcome()
            are_missing = bool(self._errors) and all(one.code in MISSING for one in self._errors.values())
            if are_missing or self._left_s <= _PAUSE_S:
                raise self._too_few()
            self._course.none_left()
            await asyncio.sleep(_PAUSE_S)

    def stop(self) -> None:
        for task in self._asked:
            task.cancel()

    @property
    def _left_s(self) -> float:
        return (self._ends_ns - self._clock.monotonic_ns()) / 1e9

    async def _round(self) -> None:
        """Ask one endpoint of each operator that is still needed; another one where it fails."""
        waiting = deque(self._course.candidates())
        while len(self._answers) < self._operators:
            self._ask(waiting)
            if not self._asked or self._left_s <= 0:
                return
            done, _ = await asyncio.wait(
                self._asked, timeout=self._left_s, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                self._hear(task)

    def _ask(self, waiting: deque[Lane]) -> None:
        busy = {lane.endpoint.operator for lane in self._asked.values()} | set(self._answers)
        for lane in tuple(waiting):
            if len(self._answers) + len(self._asked) >= self._operators:
                return
            if lane.endpoint.operator not in busy:
                waiting.remove(lane)
                busy.add(lane.endpoint.operator)
                task = asyncio.create_task(lane.ask(self._call, self._priority, max(self._left_s, 0.001)))
                self._asked[task] = lane

    def _hear(self, task: asyncio.Task[Any]) -> None:
        lane = self._asked.pop(task)
        try:
            answer = task.result()
        except Rejected as error:
            answer = error
        except TidegateError as error:
            self._errors[lane.name] = error
            return
        if answer is None and self._call.method in NULL_IS_MISSING:
            self._errors[lane.name] = Unavailable("it does not have the block", code="block_missing")
            return
        for other, known in self._answers.values():
            if comparable(self._call.method, known) != comparable(self._call.method, answer):
                raise Divergence(
                    f"two operators answer {self._call.method} differently",
                    code="quorum",
                    found=f"{other.name}: {_shown(known)}; {lane.name}: {_shown(answer)}",
                    allowed="the same bytes for the same block",
                    fix="find out which of them is wrong and take it out of the configuration",
                )
        self._answers[lane.endpoint.operator] = (lane, answer)

    def _outcome(self) -> Any:
        answer = next(iter(self._answers.values()))[1]
        if isinstance(answer, TidegateError):
            raise answer
        return answer

    def _too_few(self) -> TidegateError:
        error = self._course.given_up(self._call, self._errors)
        names = ", ".join(lane.name for lane, _ in self._answers.values()) or "nobody"
        so_far = f"{len(self._answers)} of {self._operators} operators ({names})"
        error.message = f"{error.message} alike: {so_far}"
        return error


def comparable(method: str, answer: Any) -> Any:
    """Return what must be the same in two answers: nodes add fields of their own and order them freely."""
    if isinstance(answer, CallReverted):
        return ("reverted", answer.data)
    if isinstance(answer, Rejected):
        return ("rejected", answer.code)
    if method in (BLOCK_BY_HASH, BLOCK_BY_NUMBER) and isinstance(answer, dict):
        return str(answer.get("hash")).lower()
    if method == LOGS and isinstance(answer, list):
        return [_parts(log, _LOG_PARTS) for log in answer]
    if method == "eth_getTransactionReceipt" and isinstance(answer, dict):
        logs = [_parts(log, _LOG_PARTS) for log in answer.get("logs") or ()]
        return _parts(answer, _RECEIPT_PARTS), logs
    return _encoder.encode(answer).lower()


def _parts(item: Any, names: tuple[str, ...]) -> bytes:
    found = {name: item.get(name) for name in names} if isinstance(item, dict) else item
    return _encoder.encode(found).lower()


def _shown(answer: Any) -> str:
    if isinstance(answer, TidegateError):
        return f"{answer.code} {answer.found}"[:100]
    if isinstance(answer, dict) and "hash" in answer:
        return f"block {answer['hash']}"
    return _encoder.encode(answer).decode()[:100]
