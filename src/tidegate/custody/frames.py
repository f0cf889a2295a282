"""Frames: a length of four bytes, big-endian, then msgpack; at most 64 KiB with the length.

A frame to the signer is an array of 1 to 64 requests, a frame from it the array of their answers in
the same order. A connection has one frame in flight: bytes that come before the answer are an
offence, as are a length out of bounds, an unknown verb, and whatever else does not decode. There is
no resynchronising: the connection is closed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from tidegate.custody.requests import REQUESTS_MAX, Answer, Request

FRAME_BYTES_MAX = 64 * 1024
LENGTH_BYTES = 4
PAYLOAD_BYTES_MAX = FRAME_BYTES_MAX - LENGTH_BYTES


class Offence(StrEnum):
    """Why a connection is closed. A bounded set: it is a metric's label and stands in the journal."""

    WRONG_UID = "wrong_uid"
    OVERSIZED = "oversized"
    EMPTY = "empty"
    MALFORMED = "malformed"
    UNKNOWN_VERB = "unknown_verb"
    TOO_MANY_REQUESTS = "too_many_requests"
    NOT_YOUR_TURN = "not_your_turn"  # bytes before the answer to the last frame
    TOO_SLOW = "too_slow"  # a frame that was begun and not finished
    NOT_READING = "not_reading"  # asks on and lets its answers lie
    TOO_MANY_CONNECTIONS = "too_many_connections"


class BrokenFrame(Exception):
    """The other side does not speak as it must."""

    def __init__(self, offence: Offence, detail: str) -> None:
        super().__init__(f"{offence.value}: {detail}")
        self.offence = offence
        self.detail = detail


class FrameBuffer:
    """Collects the bytes of one frame at a time."""

    def __init__(self) -> None:
        self._octets = bytearray()

    @property
    def is_empty(self) -> bool:
        """Say whether no frame was begun."""
        return not self._octets

    def feed(self, octets: bytes) -> bytes | None:
        """Return the payload when its last byte is here, else None.

        Raises
        ------
        BrokenFrame
            If the length is out of bounds, or more bytes than the frame's came.
        """
        self._octets += octets
        if len(self._octets) < LENGTH_BYTES:
            return None
        length = int.from_bytes(self._octets[:LENGTH_BYTES])
        if length == 0:
            raise BrokenFrame(Offence.EMPTY, "a length of 0")
        if length > PAYLOAD_BYTES_MAX:
            raise BrokenFrame(Offence.OVERSIZED, f"a length of {length}, at most {PAYLOAD_BYTES_MAX}")
        end = LENGTH_BYTES + length
        if len(self._octets) < end:
            return None
        if len(self._octets) > end:
            raise BrokenFrame(Offence.NOT_YOUR_TURN, f"{len(self._octets) - end} bytes after the frame")
        payload = bytes(self._octets[LENGTH_BYTES:])
        self._octets.clear()
        return payload


_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[list[Request]] = msgspec.msgpack.Decoder(
    Annotated[list[Request], msgspec.Meta(min_length=1)]
)
_answers: msgspec.msgpack.Decoder[list[Answer]] = msgspec.msgpack.Decoder(list[Answer])
_EMPTY_ARRAY = b"\x90"


def encode_frame(message: Any) -> bytes:
    """Return a message as one frame.

    Raises
    ------
    ValueError
        If it takes more than ``FRAME_BYTES_MAX``.
    """
    payload = _encoder.encode(message)
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a frame's payload has at most {PAYLOAD_BYTES_MAX} bytes, was {len(payload)}")
    return len(payload).to_bytes(LENGTH_BYTES) + payload


def encode_size(message: Any) -> int:
    """Return how many bytes of a payload a message takes, in an array with others."""
    return len(_encoder.encode(message))


def decode_requests(payload: bytes) -> list[Request]:
    """Return the requests of a frame.

    Raises
    ------
    BrokenFrame
        For anything else; no other exception is raised, whatever the bytes.
    """
    try:
        requests = _requests.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BrokenFrame(*_diagnosis(payload, error)) from None
    if len(requests) > REQUESTS_MAX:
        raise BrokenFrame(Offence.TOO_MANY_REQUESTS, f"{len(requests)} requests, at most {REQUESTS_MAX}")
    return requests


def decode_answers(payload: bytes) -> list[Answer]:
    """Return the answers of a frame, or raise ``BrokenFrame``."""
    try:
        return _answers.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BrokenFrame(Offence.MALFORMED, _told(error)) from None


def _diagnosis(payload: bytes, error: Exception) -> tuple[Offence, str]:
    """Return which offence a payload is. It is never decoded loosely: nesting would end the process."""
    if payload == _EMPTY_ARRAY:
        return Offence.EMPTY, "no requests"
    said = str(error)
    if said.startswith("Invalid value") and said.endswith(".type`"):
        return Offence.UNKNOWN_VERB, _told(error)
    return Offence.MALFORMED, _told(error)


def _told(error: Exception) -> str:
    """Return where the form is wrong, and nothing of what was sent."""
    place = str(error).rpartition(" - at ")[2] if " - at " in str(error) else "the payload"
    return f"{type(error).__name__} at {place[:100]}"
