"""Where the tables lie: one SQLite file, who may touch it, and its failures in our words.

SQLite runs in WAL mode, so that readers never wait for the writer nor it for them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Dialect, Engine, Insert, Select, Update, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from tidegate.model import Tampered, TidegateError, Unavailable

_BUSY_S = 5.0
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_ERROR")


class Writing:
    """The one connection that writes: its transactions are on disk at once, or in their turn."""

    def __init__(self, path: Path) -> None:
        self._engine = create_engine("sqlite://", creator=lambda: _connect(path, "rwc"), poolclass=StaticPool)
        self._connection = self._engine.connect()
        self._is_full = True

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[Connection]:
        """Open a transaction; ``durable``: on disk, with all before it, when it ends well.

        BEGIN and COMMIT go to the driver, which is told to leave them to us.
        """
        if durable is not self._is_full:
            _tell(self._connection, f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._is_full = durable
        _tell(self._connection, "BEGIN IMMEDIATE")
        try:
            yield self._connection
            _tell(self._connection, "COMMIT")
        except BaseException:
            self._connection.connection.rollback()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        self._engine.dispose()


class Prepared:
    """A statement that is compiled once and then run on the driver's own cursor.

    A commit of one record is some five statements; to compile and wrap each of them again
    would take longer than the disk does.
    """

    def __init__(self, statement: Insert | Update | Select[Any]) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, list[str] | None]] = {}

    def run(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute once for each row of parameters by name, in the connection's transaction."""
        sql, positions = self._for(connection.dialect)
        cursor = connection.connection.cursor()
        if positions is None:
            cursor.executemany(sql, list(rows))
        else:
            cursor.executemany(sql, [[row[name] for name in positions] for row in rows])

    def first(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the first row of a query by column, or None."""
        sql, positions = self._for(connection.dialect)
        cursor = connection.connection.cursor()
        cursor.execute(sql, values if positions is None else [values[name] for name in positions])
        row = cursor.fetchone()
        names = [column[0] for column in cursor.description or ()]
        cursor.close()
        return None if row is None else dict(zip(names, row, strict=True))

    def _for(self, dialect: Dialect) -> tuple[str, list[str] | None]:
        if dialect.name not in self._compiled:
            compiled = self._statement.compile(dialect=dialect)
            self._compiled[dialect.name] = (str(compiled), compiled.positiontup)
        return self._compiled[dialect.name]


def open_for_reading(path: Path) -> Engine:
    """Return an engine whose connections cannot write."""
    engine = create_engine("sqlite://", creator=lambda: _connect(path, "ro"), poolclass=QueuePool)
    event.listen(engine, "begin", lambda connection: _tell(connection, "BEGIN"))
    return engine


@contextmanager
def failures_named(path: Path, doing: str) -> Iterator[None]:
    """Turn a failure of the store into ``Unavailable``, or ``Tampered`` where its bytes are damaged."""
    try:
        yield
    except DBAPIError as error:
        raise _named(error.orig, path, doing) from error
    except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
        raise _named(error, path, doing) from error


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
        connection.execute("PRAGMA synchronous=FULL").close()
    return connection


def _tell(connection: Connection, statement: str) -> None:
    connection.connection.cursor().execute(statement)


def _named(error: Any, path: Path, doing: str) -> TidegateError:
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    found = f"{name}: {error}"
    if isinstance(error, UnicodeDecodeError) or name.startswith(_DAMAGED) or "decode" in str(error):
        return Tampered(
            f"{path} is damaged: {doing} failed",
            found=found,
            fix="stop writing to it, keep the file, and restore the last good copy beside it",
        )
    return Unavailable(
        f"{path} does not answer: {doing} failed and changed nothing",
        code="ledger_unavailable",
        found=found,
        fix="free space on the disk and check that the folder may be written, then start again",
    )
