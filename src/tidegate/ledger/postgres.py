"""A ledger in a database of PostgreSQL: one ledger a database, one session that writes.

The writer's lease is an advisory lock of its session, which the server lets go of when the session
ends, however it ends. A session that was lost is never opened again behind the journal's back:
somebody else may be the writer by then.

A password is best left to libpq (``PGPASSFILE``, ``PGPASSWORD``); one in the URL is used and never shown.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from tidegate.ledger.store import Writing, failures_named
from tidegate.model import ConfigError, Unavailable, sha256_hex

_CONNECT_S = 5
_LOCK = 0x7469_6465_6761_7465  # "tidegate"
_DRIVER = "postgresql+psycopg"


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A database, and the folder of this machine in which its newest record is noted."""

    url: URL = field(repr=False)
    notes: Path | None = None

    @classmethod
    def of(cls, given: str, notes: Path | None) -> PostgresPlace:
        """Return the place of a URL.

        Raises
        ------
        ConfigError
            If it is no URL of PostgreSQL or names another driver. The text itself is never shown.
        """
        try:
            url = make_url(given)
        except (ArgumentError, ValueError):
            url = None
        if url is None or url.drivername not in {"postgresql", _DRIVER} or not url.database:
            raise ConfigError(
                "the ledger's URL is not one of PostgreSQL",
                found="a URL without a database" if url is None or not url.database else url.drivername,
                allowed=f"{_DRIVER}://USER@HOST/DATABASE",
                fix="correct it; leave the password to PGPASSFILE",
            )
        return cls(url.set(drivername=_DRIVER), notes)

    def __str__(self) -> str:
        shown = URL.create(
            "postgresql", self.url.username, None, self.url.host, self.url.port, self.url.database
        )
        return shown.render_as_string()

    @property
    def note(self) -> Path | None:
        """Return the note in the folder of notes; databases of one name on two servers have one each."""
        if self.notes is None:
            return None
        return self.notes / f"ledger-{self.url.database}-{sha256_hex(str(self).encode())[:8]}-head"

    @property
    def must_have_note(self) -> bool:
        """Say no: another machine may have written, and noted it there."""
        return False

    @property
    def reserve(self) -> None:
        """Return None: the disk is the server's."""
        return

    @property
    def file(self) -> None:
        """Return None."""
        return

    def refuse_what_is_none(self) -> None:
        """Do nothing: the tables say whether the database holds a ledger."""

    def refuse_absent(self) -> None:
        """Do nothing: connecting says whether the database is there."""

    def take(self, resources: ExitStack) -> Writing:
        """Connect and take the lease."""
        engine = create_engine(
            self.url,
            poolclass=StaticPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": _CONNECT_S, "application_name": _my_name()},
        )
        with failures_named(str(self), "connecting"):
            writing = Writing(
                engine,
                durable="SET synchronous_commit = on",
                lazy="SET synchronous_commit = off",
                begin="BEGIN ISOLATION LEVEL SERIALIZABLE",
            )
            resources.callback(writing.close)
            self._lease(engine)
        if self.notes is not None:
            self.notes.mkdir(parents=True, exist_ok=True)
        return writing

    def reading(self) -> Engine:
        """Return an engine whose transactions cannot write and see one moment each."""
        return create_engine(
            self.url,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
            connect_args={"connect_timeout": _CONNECT_S, "application_name": "tidegate reader"},
        )

    def _lease(self, engine: Engine) -> None:
        with engine.connect() as connection:  # the pool holds one connection: this is the writer's
            if connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK})").scalar():
                return
            raise Unavailable(
                f"{self} has a writer already",
                code="ledger_leased",
                found=_holder(connection),
                allowed="one writer; any number may read",
                fix="stop that process, or name another ledger",
            )


def _my_name() -> str:
    return f"pid {os.getpid()} on {socket.gethostname()}"[:63]


def _holder(connection: Connection) -> str:
    name = connection.execute(
        text(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.classid = :high AND l.objid = :low"
        ),
        {"high": _LOCK >> 32, "low": _LOCK & 0xFFFFFFFF},
    ).scalar()
    return str(name or "a session that does not say its name")
