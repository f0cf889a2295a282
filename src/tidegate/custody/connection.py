"""One peer of the signer: who it is, one frame in flight, and nothing that breaks the form."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Protocol

from tidegate.custody.frames import FRAME_BYTES_MAX, BrokenFrame, FrameBuffer, Offence, decode_requests
from tidegate.custody.rate import RateLimit
from tidegate.custody.requests import Request
from tidegate.custody.sockets import peer_uid

FRAME_S = 5.0
"""How long a frame may take from its first byte to its last."""


@dataclass(frozen=True)
class Door:
    """A listening socket, and who may come through it."""

    listener: socket.socket
    uids: frozenset[int]
    is_admin: bool


class Desk(Protocol):
    """What a connection hands its frames to: ``custody.SignerServer``."""

    frame_s: float

    def limit(self) -> RateLimit:
        """Return a new connection's rate limit."""
        ...

    def admit(self, connection: Connection) -> bool:
        """Take in a connection, unless there are too many."""
        ...

    def forget(self, connection: Connection) -> None:
        """Let a closed connection go."""
        ...

    def submit(self, connection: Connection, requests: list[Request]) -> None:
        """Take a frame; the answer comes by ``Connection.answer``."""
        ...

    def offend(self, offence: Offence, detail: str, uid: int) -> None:
        """Count and journal an offence for which a connection is closed."""
        ...


class Connection(asyncio.Protocol):
    """One peer: at most one frame in flight, and nothing that breaks the form."""

    def __init__(self, desk: Desk, door: Door) -> None:
        self._desk = desk
        self._door = door
        self._buffer = FrameBuffer()
        self._limit = desk.limit()
        self._transport: asyncio.Transport | None = None
        self._uid = -1
        self._is_waiting = False
        self._is_full = False
        self._is_over = False
        self._slow: asyncio.TimerHandle | None = None

    @property
    def peer(self) -> tuple[bool, int]:
        """Return whether it came through the administrators' door, and which user it is."""
        return self._door.is_admin, self._uid

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look who it is."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=FRAME_BYTES_MAX)
        self._uid = peer_uid(transport.get_extra_info("socket"))
        if not self._desk.admit(self):
            self._close_for(Offence.TOO_MANY_CONNECTIONS, "more than may be open at once")
        elif self._uid not in self._door.uids:
            self._close_for(Offence.WRONG_UID, "not a user that the configuration names")

    def data_received(self, octets: bytes) -> None:
        """Collect a frame; hand it over when it is whole."""
        if self._is_over:
            return
        try:
            if self._is_waiting:
                raise BrokenFrame(Offence.NOT_YOUR_TURN, "bytes before the answer")
            if self._is_full:
                raise BrokenFrame(Offence.NOT_READING, "answers that nobody reads")
            payload = self._buffer.feed(octets)
            if payload is None:
                self._expect_the_rest()
                return
            requests = decode_requests(payload)
        except BrokenFrame as broken:
            self._close_for(broken.offence, broken.detail)
            return
        self._expect_nothing()
        self._is_waiting = True
        self._desk.submit(self, requests)

    def pause_writing(self) -> None:
        """Remember that the peer does not read its answers: they would fill our memory."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Remember that it reads again."""
        self._is_full = False

    def connection_lost(self, _: Exception | None) -> None:
        """Let go. What was asked is still answered on the record; nobody hears it."""
        self._is_over = True
        self._expect_nothing()
        self._desk.forget(self)

    def take(self, wanted: int) -> int:
        """Return how many of ``wanted`` requests the rate allows now."""
        return self._limit.take(wanted)

    def answer(self, octets: bytes) -> None:
        """Send the answers to the frame in flight."""
        self._is_waiting = False
        if not self._is_over and self._transport is not None:
            self._transport.write(octets)

    def finish(self) -> None:
        """Close, after what was written has left."""
        self._is_over = True
        self._expect_nothing()
        if self._transport is not None:
            self._transport.close()

    def _close_for(self, offence: Offence, detail: str) -> None:
        self._desk.offend(offence, detail, self._uid)
        self._is_over = True
        self._expect_nothing()
        if self._transport is not None:
            self._transport.abort()

    def _expect_the_rest(self) -> None:
        if self._slow is None:
            self._slow = asyncio.get_running_loop().call_later(
                self._desk.frame_s,
                self._close_for,
                Offence.TOO_SLOW,
                f"no whole frame in {self._desk.frame_s:g} s",
            )

    def _expect_nothing(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
