"""Where the tables lie: an engine over one SQLite file, and its failures in our words.

SQLite runs in WAL mode, so that readers never wait for the writer nor it for them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from tidegate.model import Tampered, TidegateError, Unavailable

_BUSY_S = 5.0
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_ERROR")


def open_for_writing(path: Path) -> Engine:
    """Return an engine with one connection that may write, in WAL mode."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: _connect(path, "rwc"),
        poolclass=StaticPool,
    )
    event.listen(engine, "begin", _begin_to_write)
    return engine


@contextmanager
def transaction(engine: Engine, *, durable: bool) -> Iterator[Connection]:
    """Open a transaction to write; ``durable``: on disk, with all before it, when it ends well."""
    with engine.connect().execution_options(durable=durable) as connection, connection.begin():
        yield connection


def _begin_to_write(connection: Connection) -> None:
    is_durable = connection.get_execution_options().get("durable", True)
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if is_durable else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def open_for_reading(path: Path) -> Engine:
    """Return an engine whose connections cannot write."""
    engine = create_engine("sqlite://", creator=lambda: _connect(path, "ro"), poolclass=QueuePool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


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


@contextmanager
def failures_named(path: Path, doing: str) -> Iterator[None]:
    """Turn a failure of the store into ``Unavailable``, or ``Tampered`` where its bytes are damaged."""
    try:
        yield
    except DBAPIError as error:
        raise _named(error.orig, path, doing) from error
    except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
        raise _named(error, path, doing) from error


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
