"""What both back ends share: one connection that writes, prepared statements, failures in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Engine, Insert, Row, Select, Update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tidegate.model import Tampered, TidegateError, Unavailable

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_ERROR")
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE")
LEDGER_FULL = "ledger_full"
"""The code of a failure for want of space."""


class Writing:
    """The one connection that writes: its transactions are on disk at once, or in their turn.

    BEGIN and COMMIT go to the driver, which is told to leave them to us.

    Parameters
    ----------
    engine
        Of a single connection whose driver begins nothing by itself.
    durable, lazy
        The statements that make commits from then on wait for the disk, or not.
    begin
        The statement that begins a transaction which will write.
    saving
        What is said to the store when its disk is full (True), and when it has room again (False).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        durable: str,
        lazy: str,
        begin: str,
        saving: Mapping[bool, Sequence[str]] | None = None,
    ) -> None:
        self._engine = engine
        self._modes = {True: durable, False: lazy}
        self._begin = begin
        self._saving = saving or {}
        self._connection = engine.connect()
        self._is_durable: bool | None = None

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[Connection]:
        """Open a transaction; ``durable``: on disk, with all before it, when it ends well."""
        connection = self.begin(durable=durable)
        try:
            yield connection
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def begin(self, *, durable: bool) -> Connection:
        """Begin a transaction that ``commit`` or ``rollback`` ends."""
        if durable is not self._is_durable:
            tell(self._connection, self._modes[durable])
            self._is_durable = durable
        tell(self._connection, self._begin)
        return self._connection

    def commit(self) -> None:
        """End the transaction well; a durable one is on disk when this returns. From any thread."""
        tell(self._connection, "COMMIT")

    def rollback(self) -> None:
        """Undo the transaction."""
        self._connection.connection.rollback()

    @property
    def connection(self) -> Connection:
        """Return the connection, for reads between transactions by whoever writes."""
        return self._connection

    def save_space(self, *, is_full: bool) -> None:
        """Let the store's own files grow as little as they can, or as is fastest; a failure is none."""
        for statement in self._saving.get(is_full, ()):
            with suppress(DBAPIError, sqlite3.Error):
                tell(self._connection, statement)

    def close(self) -> None:
        """Let go of the store, also of one that was lost."""
        with suppress(DBAPIError):
            self._connection.close()
        self._engine.dispose()


class Prepared:
    """A statement that is compiled once and then run on the driver's own cursor.

    A commit of one record is some five statements; to compile and wrap each of them again
    would take longer than the disk does.
    """

    def __init__(self, statement: Insert | Update | Delete | Select[Any]) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, list[str] | None, dict[str, Any]]] = {}

    def run(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute once for each row of parameters by name, in the connection's transaction."""
        sql, positions, constants = self._for(connection.dialect)
        cursor = connection.connection.cursor()
        if positions is None:
            cursor.executemany(sql, [{**constants, **row} for row in rows])
        else:
            cursor.executemany(sql, [[row[name] for name in positions] for row in rows])
        cursor.close()

    def first(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the first row of a query by column, or None."""
        sql, positions, constants = self._for(connection.dialect)
        given = {**constants, **values}
        cursor = connection.connection.cursor()
        cursor.execute(sql, given if positions is None else [given[name] for name in positions])
        row = cursor.fetchone()
        names = [column[0] for column in cursor.description or ()]
        cursor.close()
        return None if row is None else dict(zip(names, row, strict=True))

    def _for(self, dialect: Dialect) -> tuple[str, list[str] | None, dict[str, Any]]:
        """Return the text, the order of its parameters if they go by place, and those with a fixed value."""
        if dialect.name not in self._compiled:
            compiled = self._statement.compile(dialect=dialect)
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            self._compiled[dialect.name] = (str(compiled), compiled.positiontup, constants)
        return self._compiled[dialect.name]


def columns_of(row: Row[Any]) -> dict[str, Any]:
    """Return a row's values by the plain names of its columns."""
    return {str(name): value for name, value in row._mapping.items()}


def tell(connection: Connection, statement: str) -> None:
    """Run one statement on the driver's own cursor."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()


@contextmanager
def failures_named(where: str, doing: str) -> Iterator[None]:
    """Turn a failure of the store into ``Unavailable``, or ``Tampered`` where its bytes are damaged.

    Want of space has the code ``ledger_full``.
    """
    try:
        yield
    except DBAPIError as error:
        raise _named(error.orig, where, doing) from error
    except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
        raise _named(error, where, doing) from error
    except Exception as error:
        if not _is_of_postgres(error):
            raise
        raise _named(error, where, doing) from error


def _is_of_postgres(error: Exception) -> bool:
    """Say whether the PostgreSQL driver raised it; the driver is not imported where nobody uses it."""
    return any(kind.__module__ == "psycopg" and kind.__name__ == "Error" for kind in type(error).__mro__)


_FILE_FIX = "free space on the disk and check that the folder may be written, then start again"
_SERVER_FIX = (
    "see that the server runs and that host, port, database and user are right (psql says the same), "
    "then start again; a password belongs into PGPASSFILE"
)


def _named(error: Any, where: str, doing: str) -> TidegateError:
    name = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""
    found = f"{name or type(error).__name__}: {error}".strip()
    if name.startswith(_FULL) or name == "53100":  # PostgreSQL's disk_full
        return Unavailable(
            f"the disk of {where} is full: {doing} failed and changed nothing",
            code=LEDGER_FULL,
            found=found,
            fix="free space on the disk; what is open is followed meanwhile, nothing new is begun",
        )
    is_damaged = name.startswith((*_DAMAGED, "23", "XX00"))  # integrity; data or index corrupted
    if isinstance(error, UnicodeDecodeError) or is_damaged or "decode" in str(error):
        return Tampered(
            f"{where} is damaged: {doing} failed",
            found=found,
            fix="stop writing to it, keep the file, and restore the last good copy beside it",
        )
    return Unavailable(
        f"{where} does not answer: {doing} failed and changed nothing",
        code="ledger_unavailable",
        found=found,
        fix=_SERVER_FIX if where.startswith("postgresql") else _FILE_FIX,
    )
