"""The signer's sockets: who may speak, how fast, in which form; what is asked goes to the core.

Frames that are here when the core is free are answered by one call of it, up to 64 requests, and so
share one durable commit. Administrators and freezes go first, whatever waits. Nothing here judges a
request; what breaks the form closes its connection, is counted and journaled.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Protocol

import msgspec

from tidegate.custody.connection import FRAME_S, Connection, Door
from tidegate.custody.frames import (
    PAYLOAD_BYTES_MAX,
    Offence,
    encode_frame,
    encode_size,
)
from tidegate.custody.rate import RateLimit
from tidegate.custody.requests import (
    REQUESTS_MAX,
    Answer,
    Freeze,
    Refused,
    Request,
    Signed,
    SignedTyped,
    StatusAnswer,
)
from tidegate.custody.witness import Subject, WitnessView
from tidegate.model import Clock, Reason

CONNECTIONS_MAX = 128
_ARRAY_BYTES = 8
_TOGETHER_BYTES_MAX = 65_536
"""How much content one call of the core may hold: what it costs to judge grows with it, and while the
core judges nobody is heard."""


class Core(Protocol):
    """What judges and signs: ``custody.SignerCore``."""

    def handle(self, requests: Sequence[Request], *, is_admin: bool, asked_by: str = "") -> Sequence[Answer]:
        """Answer 1 to 64 requests, all of them durable when this returns."""
        ...

    def note(self, verb: str, found: str, *, asked_by: str = "") -> None:
        """Journal what never became a request."""
        ...

    def questions(self, requests: Sequence[Request]) -> Iterable[Subject]:
        """Return what the witness must have read for ``requests``."""
        ...


class SignerServer:
    """Reads frames, asks the core, writes answers.

    Parameters
    ----------
    core
        What answers.
    clock
        For the monotonic time of the rate.
    rate_per_s
        Requests a second and connection, 1 to 10,000; what comes faster is refused (``rate_limit``).
    connections_max, frame_s
        How many connections a door may have, and how long a frame may take from first byte to last.
    witness
        Asked, before the core is, about targets of which nothing fresh is known.
    """

    def __init__(
        self,
        core: Core,
        *,
        clock: Clock,
        rate_per_s: int = 200,
        witness: WitnessView | None = None,
        connections_max: int = CONNECTIONS_MAX,
        frame_s: float = FRAME_S,
    ) -> None:
        self._core = core
        self._clock = clock
        self._rate_per_s = rate_per_s
        self._witness = witness
        self._connections_max = connections_max
        self.frame_s = frame_s
        self._urgent: deque[_Frame] = deque()
        self._waiting: deque[_Frame] = deque()
        self._is_scheduled = False
        self._connections: set[Connection] = set()
        self._asking: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._defect: BaseException | None = None
        self.closed: Counter[str] = Counter()

    def stop(self) -> None:
        """Finish what was asked, then let ``serve`` return."""
        self._stop.set()

    async def serve(self, doors: Sequence[Door]) -> None:
        """Answer until ``stop``, then finish what was asked and close every connection.

        Raises
        ------
        Exception
            What the core raised, if it ever does: the process must not go on.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self._trip(context.get("exception")))
        servers = [
            await loop.create_unix_server(lambda door=door: Connection(self, door), sock=door.listener)  # type: ignore[misc]
            for door in doors
        ]
        try:
            await self._stop.wait()
        finally:
            for server in servers:
                server.close()
            if self._asking:
                await asyncio.wait(self._asking)
            while (self._urgent or self._waiting) and self._defect is None:
                self._work()
            for connection in tuple(self._connections):
                connection.finish()
        if self._defect is not None:
            raise self._defect

    def limit(self) -> RateLimit:
        """Return a new connection's rate limit."""
        return RateLimit(self._rate_per_s, self._clock)

    def admit(self, connection: Connection) -> bool:
        """Take in a connection, unless its door has too many: workers can not shut administrators out."""
        self._connections.add(connection)
        of_this_door = sum(one.peer[0] is connection.peer[0] for one in self._connections)
        return of_this_door <= self._connections_max

    def forget(self, connection: Connection) -> None:
        """Let a closed connection go."""
        self._connections.discard(connection)

    def submit(self, connection: Connection, requests: list[Request]) -> None:
        """Queue a frame; it is answered when the loop has read what else is there."""
        frame = _Frame(connection, requests)
        missing = set() if self._witness is None else self._witness.missing(self._core.questions(requests))
        if not missing:
            self._queue(frame)
            return
        task = asyncio.get_running_loop().create_task(self._queue_when_read(frame, missing))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def offend(self, offence: Offence, detail: str, uid: int) -> None:
        """Count and journal an offence for which a connection is closed."""
        self.closed[offence.value] += 1
        self._core.note(offence.value, detail, asked_by=_user(uid))

    async def _queue_when_read(self, frame: _Frame, missing: set[Subject]) -> None:
        assert self._witness is not None
        try:
            await self._witness.ensure(missing)
        finally:
            self._queue(frame)

    def _queue(self, frame: _Frame) -> None:
        is_urgent = frame.connection.peer[0] or all(isinstance(one, Freeze) for one in frame.requests)
        (self._urgent if is_urgent else self._waiting).append(frame)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        """Answer frames that wait, those of one user and door together, in one commit."""
        self._is_scheduled = False
        waiting = self._urgent or self._waiting
        if not waiting or self._defect is not None:
            return
        first = waiting[0].connection
        frames: list[_Frame] = []
        asked: list[Request] = []
        weight_bytes = 0
        while waiting and waiting[0].connection.peer == first.peer:
            weight_bytes += _weight_bytes(waiting[0])
            if asked and len(asked) + len(waiting[0].requests) > REQUESTS_MAX:
                break
            if asked and weight_bytes > _TOGETHER_BYTES_MAX:
                break
            frame = waiting.popleft()
            frame.answered = _within_rate(frame)
            asked += compress(frame.requests, frame.answered)
            frames.append(frame)
        if self._urgent or self._waiting:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._work)
        try:
            self._answer(frames, asked, first.peer)
        except Exception as defect:  # noqa: BLE001 - nobody foresaw it: no answer, and the process ends
            self._trip(defect)

    def _answer(self, frames: Sequence[_Frame], asked: Sequence[Request], peer: tuple[bool, int]) -> None:
        is_admin, uid = peer
        answers = iter(self._core.handle(asked, is_admin=is_admin, asked_by=_user(uid)) if asked else ())
        for frame in frames:
            refused = self._too_fast(frame)
            own = [self._told(next(answers)) if is_answered else refused for is_answered in frame.answered]
            frame.connection.answer(_as_frame([one for one in own if one is not None]))

    def _trip(self, defect: BaseException | None) -> None:
        """Stop at once: what runs on after a defect can not be trusted with keys."""
        if defect is not None and not isinstance(defect, OSError):
            self._defect = defect
            self._stop.set()

    def _told(self, answer: Answer) -> Answer:
        """Add to a status what the process counted at its doors."""
        if isinstance(answer, StatusAnswer):
            return msgspec.structs.replace(answer, closed_connections=dict(self.closed))
        return answer

    def _too_fast(self, frame: _Frame) -> Answer | None:
        """Refuse what came faster than the rate, on the record as every answer."""
        excess = frame.answered.count(False)
        if not excess:
            return None
        found = f"{excess} requests above the rate"
        self._core.note(Reason.RATE_LIMIT.value, found, asked_by=_user(frame.connection.peer[1]))
        return Refused(
            check="rate",
            reason=Reason.RATE_LIMIT,
            message="this connection asks more often than it may",
            found=found,
            allowed=f"{self._rate_per_s} requests/s",
            fix="ask less often, or raise rate_per_s in signer.toml",
        )


@dataclass
class _Frame:
    connection: Connection
    requests: list[Request]
    answered: list[bool] = field(default_factory=list)


def _weight_bytes(frame: _Frame) -> int:
    return sum(len(getattr(one, "typed", getattr(one, "envelope", b""))) for one in frame.requests)


def _within_rate(frame: _Frame) -> list[bool]:
    """Say which requests of a frame are answered: every freeze, and of the others what the rate allows.

    A freeze is never too fast, and buys nothing for what stands beside it.
    """
    others = sum(not isinstance(one, Freeze) for one in frame.requests)
    room = frame.connection.take(others)
    answered = []
    for one in frame.requests:
        answered.append(isinstance(one, Freeze) or room > 0)
        room -= not isinstance(one, Freeze)
    return answered


def _user(uid: int) -> str:
    return f"uid {uid}"


def _as_frame(answers: Sequence[Answer]) -> bytes:
    """Return answers as one frame. Where they are too long for it, the longest lose their texts.

    Signatures never do: a signed transaction is shorter than the request that it answers.
    """
    fitting = list(answers)
    sizes = [encode_size(answer) for answer in fitting]
    whole = {place for place, answer in enumerate(fitting) if not isinstance(answer, Signed | SignedTyped)}
    while sum(sizes) > PAYLOAD_BYTES_MAX - _ARRAY_BYTES:
        longest = max(whole, key=lambda place: sizes[place])
        whole.remove(longest)
        fitting[longest] = _shortened(fitting[longest])
        sizes[longest] = encode_size(fitting[longest])
    return encode_frame(fitting)


def _shortened(answer: Answer) -> Answer:
    """Return a denial with its check and reason alone, and a refusal in place of anything else."""
    if isinstance(answer, Refused):
        return Refused(check=answer.check, reason=answer.reason, message="refused; ask alone for the details")
    return Refused(
        check="frame",
        reason=Reason.OVERLOADED,
        message="the answers to this frame are longer than a frame",
        allowed="fewer requests in a frame",
    )
