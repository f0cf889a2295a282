"""A note beside the ledger of the newest record known to be on disk.

The file ``<ledger>-head`` says ``seq hash`` and is written after each durable commit. It is
never ahead of the ledger, so a ledger that is behind it, or has another hash at that seq, has
lost records: its tail was cut, an older copy was put in its place, or its write-ahead log was
damaged (which SQLite itself answers by silently forgetting the commits in it).

The note is on disk before the first record, so a ledger that has records and no note was copied
without it or robbed of it. Nobody can tell which: it is neither written to nor called whole until
someone vouches for its newest record, with a checkpoint (``verify``) or with a copy (``rebuild``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidegate.ledger.place import Place
from tidegate.model import Tampered, Unavailable

_LINE = re.compile(rb"([0-9]{20}) ([0-9a-f]{64})\n")


def read_head(place: Place) -> tuple[int, str] | None:
    """Return the noted (seq, hash), or None when there is no note or it was never completed.

    Raises
    ------
    Tampered
        If the file holds anything else, or is none.
    Unavailable
        If it cannot be read.
    """
    path = place.note
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        content = b"a folder"
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read",
            code="ledger_unavailable",
            found=str(error),
            allowed="the file that the journal keeps beside its ledger",
            fix="check its permissions",
        ) from error
    if not content:
        return None
    match = _LINE.fullmatch(content)
    if match is None:
        raise Tampered(
            f"{path} does not hold the head of a journal",
            found=repr(content[:100]),
            allowed="a seq of 20 digits, a space and a hash of 64 hex digits",
            fix="compare the journal with its last checkpoint; remove the file only after that",
        )
    return int(match[1]), match[2].decode()


def refuse_empty_store(place: Place) -> None:
    """Raise ``Tampered`` if there were records in a ledger that has none now."""
    noted = read_head(place)
    if noted is not None and noted[0] > 0:
        raise Tampered(
            f"seq 1 is missing: the ledger is empty, {place.note} knows of {noted[0]} records",
            code="journal_tampered",
            fix=f"restore the ledger; if it was removed on purpose, remove {place.note} too",
        )


def refuse_missing_note(place: Place, head: tuple[int, str]) -> None:
    """Raise ``Unavailable`` (``head_note_missing``) if nothing vouches for the newest of some records."""
    if head[0] == 0 or not place.must_have_note or read_head(place) is not None:
        return
    seq, hash_ = head
    raise Unavailable(
        f"{place.note} is missing: nobody can tell whether records after seq {seq} were cut off",
        code="head_note_missing",
        found=f"records up to {seq}:{hash_}",
        allowed="a ledger together with its -head file, which is copied along with it",
        fix=f"restore that file; or, if you know that this is the newest record, accept it: tidegate "
        f"journal verify --checkpoint {seq}:{hash_}, and to write on, tidegate journal rebuild --output COPY",
    )


@contextmanager
def note_named(place: Place) -> Iterator[None]:
    """Turn a failure of the note's folder or file into ``Unavailable``."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the note of the newest record of {place} cannot be written",
            code="ledger_unavailable",
            found=str(error),
            allowed="a folder that this user may write, with space left",
            fix="free space or name another place with --ledger",
        ) from error


def write_note(note_path: Path, head: tuple[int, str]) -> None:
    """Write the note of a ledger that is made at once, and put it on disk."""
    note = HeadWriter(note_path)
    try:
        note.begin(*head)
    finally:
        note.close()


class HeadWriter:
    """Keeps the note of one ledger, open for as long as the ledger is."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def begin(self, seq: int, hash_: str) -> None:
        """Write the first line of a note and put the file itself on disk."""
        self.write(seq, hash_)
        os.fsync(self._descriptor)

    def write(self, seq: int, hash_: str) -> None:
        """Note the newest durable record, in one write: a kill leaves the old line or the new."""
        os.pwrite(self._descriptor, b"%020d %s\n" % (seq, hash_.encode()), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
