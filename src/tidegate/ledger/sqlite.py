"""A ledger in one SQLite file, in WAL mode: readers never wait for the writer nor it for them."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from tidegate.ledger.lease import Lease
from tidegate.ledger.store import Writing, failures_named, tell
from tidegate.model import ConfigError, Unavailable

_MAGIC = b"SQLite format 3\0"
_BUSY_S = 5.0
_CHECKPOINT_PAGES = 4_000  # 16 MiB of log: moving it into the file costs two more trips to the disk

_SAVING = {
    True: ("PRAGMA wal_autocheckpoint=64", "PRAGMA wal_checkpoint(RESTART)"),  # the log's room is used again
    False: (f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}",),
}


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """The file of a ledger; beside it ``-head`` (the note), ``-lease``, ``-reserve`` and SQLite's own."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def note(self) -> Path:
        """Return ``<ledger>-head``."""
        return self.path.with_name(self.path.name + "-head")

    @property
    def must_have_note(self) -> bool:
        """Say yes: the note lies beside the file."""
        return True

    @property
    def reserve(self) -> Path:
        """Return ``<ledger>-reserve``."""
        return self.path.with_name(self.path.name + "-reserve")

    @property
    def file(self) -> Path:
        """Return the file itself."""
        return self.path

    def refuse_what_is_none(self) -> None:
        """Raise ``ConfigError`` if the file never was a ledger: neither SQLite's, nor with a note.

        A damaged ledger is another matter: it still begins as SQLite's files do, or its note says what
        it was. What is there and is no regular file, as a folder or a device, is refused unread.
        """
        found = _what_lies_at(self.path)
        if found not in (None, "nothing"):
            raise ConfigError(
                f"{str(self.path)[:200]} can not be a ledger",
                code="not_a_ledger",
                found=found,
                allowed="the SQLite file of a ledger, or a name in a folder where one may be made",
                fix="name a file with --ledger, or leave it out for the project's own",
            )
        try:
            with self.path.open("rb") as file:
                beginning = file.read(len(_MAGIC))
        except OSError:
            return  # not there, or not to be read: whoever opens it says so
        if not beginning or beginning == _MAGIC or self.note.exists():
            return
        raise ConfigError(
            f"{str(self.path)[:200]} is not a ledger",
            code="not_a_ledger",
            found=f"a file that begins with {beginning!r}",
            allowed="the SQLite file of a ledger",
            fix="name the ledger.sqlite of a project or of a demo",
        )

    def refuse_absent(self) -> None:
        """Raise ``ConfigError`` if nothing lies there, or something that is no file."""
        found = _what_lies_at(self.path)
        if found is not None:
            raise ConfigError(
                f"there is no ledger at {str(self.path)[:200]}",
                code="no_ledger" if found == "nothing" else None,
                found=found,
                allowed="the SQLite file of a ledger",
                fix="name it with --ledger, or run something that writes one, as: tidegate demo --once",
            )

    def take(self, resources: ExitStack) -> Writing:
        """Make the folder if need be, take the lease and open the file for writing."""
        with place_named(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lease = Lease.take(self.path)
        resources.callback(lease.release)
        engine = create_engine("sqlite://", creator=lambda: _connect(self.path, "rwc"), poolclass=StaticPool)
        with failures_named(str(self), "opening"):
            writing = Writing(
                engine,
                durable="PRAGMA synchronous=FULL",
                lazy="PRAGMA synchronous=NORMAL",
                begin="BEGIN IMMEDIATE",
                saving=_SAVING,
            )
        resources.callback(writing.close)
        return writing

    def reading(self) -> Engine:
        """Return an engine whose connections cannot write."""
        engine = create_engine("sqlite://", creator=lambda: _connect(self.path, "ro"), poolclass=QueuePool)
        event.listen(engine, "begin", lambda connection: tell(connection, "BEGIN"))
        return engine


@contextmanager
def place_named(path: Path) -> Iterator[None]:
    """Turn a failure of the folder or the files beside the ledger into ``Unavailable``."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{path.parent} cannot hold a ledger",
            code="ledger_unavailable",
            found=str(error),
            allowed="a folder that this user may write, with space left",
            fix="free space or name another place with --ledger",
        ) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,  # BEGIN is ours to say: readers must not take the write lock
        check_same_thread=False,
        cached_statements=64,
    )
    if mode != "ro":
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}").close()
    return connection


def _what_lies_at(path: Path) -> str | None:
    """Return what is in a ledger's place that cannot be one, or None for a file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "nothing"
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        return getattr(error, "strerror", None) or str(error)
    if stat.S_ISREG(mode):
        return None
    return "a folder" if stat.S_ISDIR(mode) else "something that is not a regular file"
