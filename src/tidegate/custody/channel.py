"""The worker's connection to the signer: many askers, one frame in flight.

What is asked at the same moment travels as one frame and shares one durable commit. Nothing is asked
twice on its own: when the signer does not answer, the caller is told so.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tidegate.custody.frames import (
    LENGTH_BYTES,
    PAYLOAD_BYTES_MAX,
    BrokenFrame,
    FrameBuffer,
    decode_answers,
    encode_frame,
    encode_size,
)
from tidegate.custody.requests import (
    REQUESTS_MAX,
    Answer,
    Done,
    Freeze,
    LoadCapability,
    Loaded,
    Refused,
    Request,
    Status,
    StatusAnswer,
)
from tidegate.model import SIGNER_UNREACHED, Denied, Metric, NullRecorder, Reason, Recorder, Unavailable

_A = TypeVar("_A", bound=Answer)
_ARRAY_BYTES = 8
DEADLINE_S = 5.0


class SignerConnection:
    """A connection to the signer that many tasks share.

    Parameters
    ----------
    path
        The signer's socket, or the administrators'.
    deadline_s
        How long the answer to a frame may take.
    recorder
        Counts ``tidegate_signer_requests_total``: the signer itself has no network to be asked over.
    """

    def __init__(
        self, path: Path, *, deadline_s: float = DEADLINE_S, recorder: Recorder | None = None
    ) -> None:
        self.path = path
        self._deadline_s = deadline_s
        self._recorder = recorder or NullRecorder()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._waiting: deque[tuple[Request, asyncio.Future[Answer]]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._closed_seen: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def ask(self, request: Request) -> Answer:
        """Return the signer's answer, a refusal too.

        Raises
        ------
        Unavailable
            If the signer does not answer. It may have signed; what is asked again must be the same.
        Denied
            ``malformed`` if the request is longer than a frame.
        """
        if encode_size(request) > PAYLOAD_BYTES_MAX - _ARRAY_BYTES:
            raise Denied(
                Reason.MALFORMED,
                "the request is longer than a frame of the signer",
                found=f"{encode_size(request)} bytes",
                allowed=f"{PAYLOAD_BYTES_MAX - _ARRAY_BYTES} bytes",
                fix="plan a smaller transaction",
            )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._carry())
        answer = await future
        self._count(answer)
        return answer

    async def demand(self, request: Request, kind: type[_A]) -> _A:
        """Return an answer of the kind that fits the request.

        Raises
        ------
        Denied
            If the signer refuses: its reason, the check that failed, and the limit.
        Unavailable
            If it does not answer, or answers something else.
        """
        answer = await self.ask(request)
        if isinstance(answer, Refused):
            raise denied(answer)
        if not isinstance(answer, kind):
            raise self._gone(f"an answer of another kind: {type(answer).__name__}")
        return answer

    async def status(self, *, now_s: int | None = None) -> StatusAnswer:
        """Return how the signer stands, and record it as metrics; ``now_s`` is Unix time."""
        status = await self.demand(Status(), StatusAnswer)
        record_status(self._recorder, status, int(time.time()) if now_s is None else now_s)
        for offence, count in status.closed_connections.items():
            new = count - self._closed_seen.get(offence, 0)
            if new > 0:
                self._recorder.count(Metric.SIGNER_REQUESTS, new, result="closed", check=offence)
            self._closed_seen[offence] = count
        return status

    async def load_capability(self, envelope: bytes) -> Loaded:
        """Hand over a capability in its envelope."""
        return await self.demand(LoadCapability(envelope=envelope), Loaded)

    async def freeze(self, reason: str, *, by: str) -> None:
        """Stop signing at once; exits are spared. Any process that may connect may do so."""
        await self.demand(Freeze(reason=reason, by=by), Done)

    async def freeze_exits(self, reason: str, *, by: str, approvals: Sequence[bytes]) -> None:
        """Stop signing, exits too: by two people's signed orders, at the administrators' socket alone."""
        await self.demand(Freeze(reason=reason, by=by, allow_exit=False, approvals=tuple(approvals)), Done)

    async def close(self) -> None:
        """Close the connection. What waits for an answer is told that there is none."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        self._fail(self._waiting, self._gone("the connection was closed by us"))
        self._waiting.clear()
        self._hang_up()
        await asyncio.sleep(0)  # the loop lets go of the socket in its next turn

    async def _carry(self) -> None:
        """Send what waits, a frame at a time, until nothing does."""
        await asyncio.sleep(0)  # whoever else asks in this turn of the loop shares the frame
        while self._waiting:
            frame = self._next_frame()
            try:
                answers = await self._exchange([request for request, _ in frame])
            except asyncio.CancelledError:
                self._hang_up()
                self._fail(frame, self._gone("the connection was closed by us"))
                raise
            except (OSError, EOFError, TimeoutError, BrokenFrame) as error:
                self._hang_up()
                self._fail(frame, self._gone(_told(error)))
                continue
            except Unavailable as unreached:
                self._fail(frame, unreached)
                continue
            for (_, future), answer in zip(frame, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def _next_frame(self) -> list[tuple[Request, asyncio.Future[Answer]]]:
        frame: list[tuple[Request, asyncio.Future[Answer]]] = []
        room = PAYLOAD_BYTES_MAX - _ARRAY_BYTES
        while self._waiting and len(frame) < REQUESTS_MAX:
            size = encode_size(self._waiting[0][0])
            if frame and size > room:
                break
            room -= size
            frame.append(self._waiting.popleft())
        return frame

    async def _exchange(self, requests: Sequence[Request]) -> Sequence[Answer]:
        async with asyncio.timeout(self._deadline_s):
            try:
                reader, writer = await self._connected()
            except OSError as error:
                raise self._gone(_told(error), code=SIGNER_UNREACHED) from error
            writer.write(encode_frame(requests))
            await writer.drain()
            head = await reader.readexactly(LENGTH_BYTES)
            buffer = FrameBuffer()
            buffer.feed(head)
            payload = buffer.feed(await reader.readexactly(int.from_bytes(head)))
        assert payload is not None
        answers = decode_answers(payload)
        if len(answers) != len(requests):
            raise EOFError(f"{len(answers)} answers to {len(requests)} requests")
        return answers

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[0].at_eof():
            self._hang_up()  # the signer ended while nothing was asked: nothing is lost by asking anew
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(str(self.path))
        return self._streams

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    def _fail(self, asked: Sequence[tuple[Request, asyncio.Future[Answer]]], error: Unavailable) -> None:
        for _, future in asked:
            if not future.done():
                future.set_exception(error)

    def _gone(self, found: str, *, code: str = "signer_gone") -> Unavailable:
        return Unavailable(
            "the signer does not answer",
            code=code,
            found=f"{found} at {self.path}",
            allowed="the answer to each request",
            fix="start it: tidegate signer run; if it ran, its service's log says why it ended",
        )

    def _count(self, answer: Answer) -> None:
        if isinstance(answer, Refused):
            self._recorder.count(Metric.SIGNER_REQUESTS, result="no", check=answer.check)
        else:
            self._recorder.count(Metric.SIGNER_REQUESTS, result="yes", check="-")


def record_status(recorder: Recorder, status: StatusAnswer, now_s: int) -> None:
    """Set the gauges of the signer: frozen, how long capabilities live, how much of them is used."""
    recorder.set(Metric.SIGNER_FROZEN, float(status.is_frozen))
    for one in status.capabilities:
        if one.is_revoked:
            continue
        chain = str(one.chain_id)
        recorder.set(
            Metric.CAPABILITY_EXPIRES_S,
            one.expires_at - now_s,
            desk=one.desk,
            chain=chain,
            purpose=one.purpose,
        )
        for limit, used, allowed in (
            ("signer_notional_day", one.notional_used_usd_e6, one.notional_day_usd_e6),
            ("signer_at_risk_day", one.at_risk_used_usd_e6, one.at_risk_day_usd_e6),
            ("signer_tx_day", one.tx_used, one.tx_day),
        ):
            if allowed:
                recorder.set(
                    Metric.LIMIT_USED_RATIO,
                    used / allowed,
                    limit=limit,
                    scope=f"desk:{one.desk},chain:{chain}",
                )


def denied(refused: Refused) -> Denied:
    """Return a refusal as the error that the street handles."""
    return Denied(
        refused.reason,
        f"the signer refuses ({refused.check}): {refused.message}",
        found=refused.found or None,
        allowed=refused.allowed or None,
        fix=refused.fix or "tidegate signer status",
    )


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
