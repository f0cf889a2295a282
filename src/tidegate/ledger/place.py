"""Where a ledger lies: a file of SQLite, or a database of PostgreSQL. The rest of the room knows neither."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from tidegate.ledger.store import Writing


class Place(Protocol):
    """What the journal asks of the place of a ledger. ``str`` of it may be shown to anyone."""

    @property
    def note(self) -> Path | None:
        """Return the file that notes the newest record, or None where none is kept."""
        ...

    @property
    def must_have_note(self) -> bool:
        """Say whether records without a note are refused: whoever copies such a ledger copies both."""
        ...

    @property
    def reserve(self) -> Path | None:
        """Return the file that keeps space free for a full disk, or None where the disk is not ours."""
        ...

    @property
    def file(self) -> Path | None:
        """Return the ledger's own file, if it is one."""
        ...

    def refuse_what_is_none(self) -> None:
        """Raise ``ConfigError`` if something lies there that never was a ledger."""
        ...

    def refuse_absent(self) -> None:
        """Raise ``ConfigError`` (``no_ledger``) if nothing that can be read lies there."""
        ...

    def take(self, resources: ExitStack) -> Writing:
        """Take the lease of the one writer and connect; ``resources`` gives both back.

        Raises
        ------
        Unavailable
            ``ledger_leased``, naming the holder, if there is a writer already.
        """
        ...

    def reading(self) -> Engine:
        """Return an engine whose connections cannot write and see one moment a transaction."""
        ...


def place_of(where: Place | Path | str, *, notes: Path | None = None) -> Place:
    """Return the place that a path or a URL ``postgresql+psycopg://…`` names.

    Parameters
    ----------
    notes
        For PostgreSQL: a folder of this machine in which the newest record is noted, so that a database
        that was put back to an older state is seen. SQLite keeps its note beside the file.
    """
    from tidegate.ledger.sqlite import SqlitePlace

    if isinstance(where, str) and where.partition(":")[0].startswith("postgresql"):
        from tidegate.ledger.postgres import PostgresPlace  # psycopg is loaded where it is used alone

        return PostgresPlace.of(where, notes)
    if isinstance(where, (str, Path)):
        return SqlitePlace(Path(where))
    return where
