"""What the signer's core needs from outside: keys, a journal, a witness. The process fills these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from tidegate.ledger import Entry, Record
from tidegate.model import Address


class KeyHandle(Protocol):
    """A key that signs digests and never shows itself."""

    @property
    def address(self) -> Address:
        """Return the account that the key controls."""
        ...

    @property
    def is_throw_away(self) -> bool:
        """Say whether the key is marked as a throw-away key, for life."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Return ``r ‖ s ‖ recovery id`` (65 bytes, low s, RFC 6979) over 32 bytes."""
        ...


class AnswerJournal(Protocol):
    """The signer's own journal. ``ledger.Journal`` is one."""

    def append_many(self, entries: Sequence[Entry]) -> list[Record]:
        """Put all entries on disk in one commit, or none and raise."""
        ...

    def records(self) -> Iterator[Record]:
        """Yield every record in order."""
        ...


class CodeReading(msgspec.Struct, frozen=True, kw_only=True):
    """A target's code as the witness last read it.

    ``code_hash`` is keccak-256 of the code (of nothing, where there is none); ``read_at_ms`` is Unix
    time; ``providers`` are the operators whose answers agreed.
    """

    chain_id: int
    address: Address
    code_hash: bytes
    block_hash: bytes
    providers: tuple[str, ...]
    read_at_ms: int


class Witness(Protocol):
    """What the witness last said. The process asks it ahead (``SignerCore.questions``)."""

    def code(self, chain_id: int, address: Address) -> CodeReading | None:
        """Return the newest reading, however old, or None if there is none."""
        ...
