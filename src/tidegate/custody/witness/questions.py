"""What the signer asks of the witness, and what it answers: the words on their wire."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from tidegate.custody.frames import BrokenFrame, Offence

QUESTIONS_MAX = 64
VALUE_BYTES_MAX = 16_384
DIVERGENCE = "divergence"
"""Operators answer differently for one block hash: one of them lies."""

ChainId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
AddressText = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-fA-F]{40}$")]


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all messages share: immutable, and strict about their fields."""


class CodeHash(_Message, frozen=True, tag="code_hash"):
    """Ask for keccak-256 of an account's code; of nothing where there is none."""

    chain_id: ChainId
    address: AddressText


class Balance(_Message, frozen=True, tag="balance"):
    """Ask for an account's coins, in wei, as 32 bytes big-endian."""

    chain_id: ChainId
    address: AddressText


class Call(_Message, frozen=True, tag="call"):
    """Ask what a view returns: a group's locks, a price ceiling."""

    chain_id: ChainId
    to: AddressText
    data: Annotated[bytes, msgspec.Meta(max_length=VALUE_BYTES_MAX)]


Question: TypeAlias = CodeHash | Balance | Call


class Read(_Message, frozen=True, tag="read"):
    """What the providers agree on at one block.

    ``providers`` are the operators that gave these same bytes for this block hash.
    """

    value: Annotated[bytes, msgspec.Meta(max_length=VALUE_BYTES_MAX)]
    block_number: int
    block_hash: bytes
    providers: tuple[str, ...]


class Unread(_Message, frozen=True, tag="unread"):
    """There is no answer that may be relied on, and why. Never a guess."""

    code: str
    found: str = ""


Answer: TypeAlias = Read | Unread

_questions: msgspec.msgpack.Decoder[list[Question]] = msgspec.msgpack.Decoder(
    Annotated[list[Question], msgspec.Meta(min_length=1, max_length=QUESTIONS_MAX)]
)
_answers: msgspec.msgpack.Decoder[list[Answer]] = msgspec.msgpack.Decoder(list[Answer])


def decode_questions(payload: bytes) -> list[Question]:
    """Return the questions of a frame, or raise ``BrokenFrame``."""
    try:
        return _questions.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BrokenFrame(Offence.MALFORMED, "no questions of that form") from None


def decode_answers(payload: bytes) -> list[Answer]:
    """Return the answers of a frame, or raise ``BrokenFrame``."""
    try:
        return _answers.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BrokenFrame(Offence.MALFORMED, "no answers of that form") from None
