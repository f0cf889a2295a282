"""A copy of a ledger at one moment, made while the writer runs: always one SQLite file and its note.

From SQLite it is a copy of the pages, taken in one read transaction. From PostgreSQL it is the records
in one repeatable-read transaction, and projections folded from them: a ledger that SQLite holds.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine

from tidegate.ledger.anchor import write_note
from tidegate.ledger.outputs import refuse_taken, sync
from tidegate.ledger.place import Place
from tidegate.ledger.rebuild import copy_records
from tidegate.ledger.sqlite import SqlitePlace
from tidegate.ledger.store import failures_named
from tidegate.model import Unavailable


def write_snapshot(place: Place, reading: Engine, target: Path) -> tuple[int, str]:
    """Write the copy to ``target`` and its note beside it, both on disk; return its head.

    Raises
    ------
    ConfigError
        ``output`` if ``target`` is taken or its folder is not there.
    Unavailable
        If it cannot be written. Nothing is left then.
    """
    refuse_taken(target, place.file)
    copy = SqlitePlace(target)
    try:
        with failures_named(str(target), "a copy"):
            if place.file is None:
                with reading.begin() as live:
                    copy_records(live, copy)
            else:
                _copy_pages(place.file, target)
            head = _settle(target)
        write_note(copy.note, head)
        sync(target)
        sync(target.parent)
    except OSError as error:
        remove_ledger(copy)
        raise Unavailable(
            f"{target} cannot be written",
            code="output",
            found=str(error),
            allowed="a folder with space left",
            fix="free space or name another place",
        ) from error
    except BaseException:
        remove_ledger(copy)
        raise
    return head


def remove_ledger(place: SqlitePlace) -> None:
    """Remove the files of a copy that was not finished."""
    for suffix in ("", "-wal", "-shm", "-head", "-lease", "-reserve"):
        place.path.with_name(place.path.name + suffix).unlink(missing_ok=True)


def _copy_pages(source: Path, target: Path) -> None:
    """Copy all pages in one step, which is one read transaction: a writer neither waits nor is seen half."""
    with (
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy, pages=-1)


def _settle(target: Path) -> tuple[int, str]:
    """Fold the copy's write-ahead log into the one file; return the head that the copy holds."""
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE").fetchone()
        seq, hash_ = copy.execute("SELECT seq, hash FROM journal_head").fetchone()
    SqlitePlace(target).path.with_name(target.name + "-lease").unlink(missing_ok=True)
    return seq, hash_
