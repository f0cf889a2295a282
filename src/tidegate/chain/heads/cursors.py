"""Where a follower stands, kept beyond the process.

A record is written before its batch is handed out, and the record of the next batch says that the
one before was taken. So after a kill the newest batch, and no other, is handed out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tidegate.chain.heads.marks import Mark
from tidegate.ledger import BlockMark, CursorBody, Journal, JournalReader
from tidegate.model import RecordKind


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """One batch: blocks ``withdrawn`` from the head down, then ``first`` to ``number`` added.

    ``hash`` is that of block ``number``, ``parent_hash`` that of block ``first - 1``. A batch that adds
    nothing has ``first == number + 1``. ``added`` holds the newest blocks of the batch: those that a
    reorg may still reach.
    """

    first: int
    number: int
    hash: bytes
    parent_hash: bytes
    withdrawn: tuple[Mark, ...] = ()
    added: tuple[Mark, ...] = ()


class CursorStore(Protocol):
    """Keeps the cursors of one follower. What ``append`` was given is durable when it returns."""

    def load(self, blocks: int) -> Sequence[Cursor]:
        """Return the newest cursors, oldest first: enough that ``reaches`` holds, or all."""
        ...

    def append(self, cursor: Cursor) -> None:
        """Keep one more. Raises ``Unavailable`` if it can not be kept: then nothing is handed out."""
        ...


class MemoryCursors:
    """Cursors that end with the object: for tools that start anew each time, and for tests."""

    def __init__(self) -> None:
        self.cursors: list[Cursor] = []

    def load(self, blocks: int) -> Sequence[Cursor]:
        """Return the newest cursors, oldest first, as far down as ``blocks`` below the highest."""
        for count in range(1, len(self.cursors)):
            if reaches(self.cursors[-count:], blocks):
                return tuple(self.cursors[-count:])
        return tuple(self.cursors)

    def append(self, cursor: Cursor) -> None:
        """Keep one more."""
        self.cursors.append(cursor)


class JournalCursors:
    """Cursors as ``cursor`` records of the journal, on disk before a batch is handed out.

    Parameters
    ----------
    journal
        The open journal.
    chain_id
        The chain.
    stream
        Which follower of that chain: each consumer with a position of its own has another name. A
        follower with another filter must have another name, else it would skip what it never saw.
    after
        The seq of a record: cursors from before it are of a history that nobody follows any more.
    """

    def __init__(self, journal: Journal, chain_id: int, stream: str = "all", *, after: int = 0) -> None:
        self._journal = journal
        self._chain_id = chain_id
        self._stream = stream
        self._after = after

    def load(self, blocks: int) -> Sequence[Cursor]:
        """Return the newest cursors, oldest first, as far down as ``blocks`` below the highest."""
        return load_cursors(self._journal, self._chain_id, self._stream, blocks, after=self._after)

    def append(self, cursor: Cursor) -> None:
        """Keep one more; it is on disk when this returns."""
        body = CursorBody(
            chain_id=self._chain_id,
            stream=self._stream,
            first=cursor.first,
            number=cursor.number,
            hash=cursor.hash.hex(),
            parent_hash=cursor.parent_hash.hex(),
            withdrawn=tuple(map(_block_mark, cursor.withdrawn)),
            added=tuple(map(_block_mark, cursor.added)),
        )
        self._journal.append(
            RecordKind.CURSOR, body, actor="heads", correlation_id=correlation(self._chain_id, self._stream)
        )


def correlation(chain_id: int, stream: str) -> str:
    """Return what ties the cursor records of one follower together."""
    return f"cursor:{chain_id}:{stream}"


def load_cursors(
    journal: JournalReader, chain_id: int, stream: str, blocks: int, *, after: int = 0
) -> tuple[Cursor, ...]:
    """Return the newest cursors of a follower, oldest first, as far down as ``blocks`` below the highest.

    None of them is older than the record with the seq ``after``.
    """
    count = blocks
    while True:
        records = journal.last_records(count, RecordKind.CURSOR, correlation(chain_id, stream))
        newer = [record for record in records if record.seq > after]
        cursors = tuple(_cursor(CursorBody.from_body(record.body)) for record in newer)
        if len(newer) < count or reaches(cursors, blocks):
            return cursors
        count *= 2


def held_before_newest(cursors: Sequence[Cursor]) -> tuple[Mark, ...]:
    """Return the blocks below the newest batch as these cursors leave them, without a hole, ascending."""
    known: dict[int, Mark] = {}
    for cursor in cursors:
        known = {number: mark for number, mark in known.items() if number < cursor.first}
        if cursor is not cursors[-1]:
            known.update((mark.number, mark) for mark in cursor.added)
    held: list[Mark] = []
    number = cursors[-1].first - 1
    while number in known:
        held.append(known[number])
        number -= 1
    return tuple(reversed(held))


def highest_of(cursors: Sequence[Cursor]) -> int:
    """Return the highest block that any of these cursors handed out."""
    return max(max((mark.number for mark in cursor.added), default=cursor.number) for cursor in cursors)


def reaches(cursors: Sequence[Cursor], blocks: int) -> bool:
    """Say whether what is held below the newest batch goes ``blocks`` below the highest block."""
    held = held_before_newest(cursors)
    return bool(held) and held[0].number <= highest_of(cursors) - blocks


def _cursor(body: CursorBody) -> Cursor:
    return Cursor(
        first=body.first,
        number=body.number,
        hash=bytes.fromhex(body.hash),
        parent_hash=bytes.fromhex(body.parent_hash),
        withdrawn=tuple(map(_mark, body.withdrawn)),
        added=tuple(map(_mark, body.added)),
    )


def _block_mark(mark: Mark) -> BlockMark:
    return BlockMark(mark.number, mark.hash.hex(), mark.log_runs)


def _mark(stored: BlockMark) -> Mark:
    return Mark(stored.number, bytes.fromhex(stored.hash), stored.log_runs)
