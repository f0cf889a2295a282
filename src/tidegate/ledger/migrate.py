"""From an older layout to this release's: a copy first, then all of it in one transaction or nothing.

A ledger of an older layout is refused by everyone who opens it, and migrated by a person's command
alone. There is no way back but the copy; the records are never touched, and the projections are
folded from them anew.
"""

from __future__ import annotations

from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

import msgspec
from sqlalchemy import Connection, inspect, select

from tidegate.ledger.place import Place, place_of
from tidegate.ledger.projections import Projector
from tidegate.ledger.reader import record_of_row
from tidegate.ledger.schema import (
    PROJECTIONS,
    SCHEMA_VERSION,
    read_version,
    records_table,
    refuse_other_objects,
    revision_of,
    revision_table,
    schema_table,
)
from tidegate.ledger.snapshot import write_snapshot
from tidegate.ledger.store import failures_named
from tidegate.ledger.verify import verify_chain
from tidegate.model import Clock, ConfigError, Tampered

_CHUNK = 512


class Migration(msgspec.Struct, frozen=True):
    """What a migration did. ``backup`` is None, and nothing was done, if the layout was this release's."""

    place: str
    from_version: int
    to_version: int
    records: int
    backup: Path | None


def migrate(
    where: Place | Path | str, *, backups: Path, clock: Clock, notes: Path | None = None
) -> Migration:
    """Bring a ledger to this release's layout.

    The whole chain is verified first and a copy of the ledger put on disk in the folder ``backups``. Then
    layout and projections change in one transaction: whatever interrupts it leaves the old state, and
    the copy.

    Raises
    ------
    ConfigError
        If there is no ledger, or it has a layout of a newer release.
    Unavailable
        If a writer holds it, or a disk is full.
    Tampered
        If its records are not whole: nothing is migrated that nobody can vouch for.
    """
    place = place_of(where, notes=notes)
    place.refuse_absent()
    place.refuse_what_is_none()
    with ExitStack() as resources:
        writing = place.take(resources)
        reading = place.reading()
        resources.callback(reading.dispose)
        with failures_named(str(place), "opening"), reading.begin() as connection:
            version = read_version(connection, str(place))
        if version is None:
            raise ConfigError(f"{place} is empty: there is nothing to migrate", code="no_ledger")
        if version == SCHEMA_VERSION:
            return Migration(str(place), version, version, 0, None)
        report = verify_chain(reading, place, None, check_objects=False)
        backup = backups / f"schema-{version}-seq-{report.head_seq}-{clock.now_ms()}.sqlite"
        write_snapshot(place, reading, backup)
        with failures_named(str(place), "a migration"), writing.transaction(durable=True) as connection:
            change_layout(connection, version)
            fold_again(connection)
            refuse_other_objects(connection, str(place))
    return Migration(str(place), version, SCHEMA_VERSION, report.records, backup)


def change_layout(connection: Connection, version: int) -> None:
    """Run Alembic's migrations from ``version`` (0: an empty store) to the newest, and note the layout."""
    from alembic import command  # takes a quarter of a second, for something that is done once a release
    from alembic.config import Config

    config = Config()
    folder = str(files("tidegate.ledger") / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if version and not inspect(connection).has_table(revision_table.name):
        command.stamp(config, revision_of(version))
    command.upgrade(config, revision_of(SCHEMA_VERSION))
    connection.execute(schema_table.delete())
    connection.execute(schema_table.insert(), {"version": SCHEMA_VERSION})


def fold_again(connection: Connection) -> None:
    """Empty every projection and fold it from the records."""
    for table in PROJECTIONS:
        connection.execute(table.delete())
    projector, after = Projector(), 0
    while True:
        wanted = select(records_table).where(records_table.c.seq > after)
        rows = connection.execute(wanted.order_by(records_table.c.seq).limit(_CHUNK)).all()
        if not rows:
            return
        try:
            projector.project(connection, [record_of_row(row) for row in rows])
        except ValueError as error:
            raise Tampered(
                f"a record among seq {rows[0][0]} to {rows[-1][0]} has not the form of its kind",
                found=str(error),
                fix="run: tidegate journal verify",
            ) from error
        after = rows[-1][0]
