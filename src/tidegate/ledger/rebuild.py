"""Make the projections again from the records alone, in a copy, and compare."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from tidegate.ledger.anchor import note_named, write_note
from tidegate.ledger.outputs import refuse_taken
from tidegate.ledger.place import Place
from tidegate.ledger.projections import Projector
from tidegate.ledger.reader import JournalReader, record_of_row
from tidegate.ledger.records import GENESIS_HASH
from tidegate.ledger.schema import PROJECTIONS, create, records_table
from tidegate.ledger.sqlite import SqlitePlace
from tidegate.ledger.store import failures_named
from tidegate.ledger.tables import insert_records, move_head
from tidegate.model import Tampered

_CHUNK = 512
_SHOWN = 10


class RebuildReport(msgspec.Struct, frozen=True):
    """What a rebuild found.

    ``rows`` counts the rows of each projection as rebuilt; ``differences`` names up to ten rows
    (``table key``) where the live table says something else, or has a row more or less.
    """

    records: int
    rows: dict[str, int]
    differences: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Say whether the live projections are what the records give."""
        return not self.differences


def rebuild(reader: JournalReader, copy: Path) -> RebuildReport:
    """Write a new ledger at ``copy`` with the same records and projections made from them.

    The copy is a SQLite file, wherever the live ledger lies, which is read in one snapshot and is not
    changed.

    Raises
    ------
    ConfigError
        ``output`` if ``copy`` exists, or its folder does not.
    Tampered
        If a record cannot be read or has not the form of its kind.
    Unavailable
        If the copy cannot be written.
    """
    refuse_taken(copy, reader.place.file)
    place = SqlitePlace(copy)
    try:
        with reader.snapshot() as live, failures_named(str(copy), "a rebuild"):
            head = copy_records(live, place)
            reading = place.reading()
            try:
                with reading.begin() as rebuilt:
                    differences = tuple(_differences(live, rebuilt))
                    rows = {table.name: len(_by_key(rebuilt, table)) for table in PROJECTIONS}
            finally:
                reading.dispose()
        with note_named(place):
            write_note(place.note, head)
            copy.with_name(copy.name + "-lease").unlink()
    except BaseException:
        for suffix in ("", "-wal", "-shm", "-head", "-lease"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        raise
    return RebuildReport(head[0], rows, differences[:_SHOWN])


def copy_records(live: Connection, place: Place) -> tuple[int, str]:
    """Copy the records of a snapshot into an empty place and fold the projections; return the head.

    Raises
    ------
    Tampered
        If a record cannot be read or has not the form of its kind.
    """
    with ExitStack() as resources:
        writing = place.take(resources)
        with writing.transaction(durable=True) as copy:
            create(copy)
            return _copy(live, copy)


def _copy(live: Connection, copy: Connection) -> tuple[int, str]:
    projector = Projector()
    seq, hash_ = 0, GENESIS_HASH
    for page in live.execute(select(records_table).order_by(records_table.c.seq)).partitions(_CHUNK):
        records = [record_of_row(row) for row in page]
        insert_records(copy, records)
        try:
            projector.project(copy, records)
        except ValueError as error:
            raise Tampered(
                f"a record among seq {records[0].seq} to {records[-1].seq} has not the form of its kind",
                found=str(error),
                fix="run: tidegate journal verify",
            ) from error
        seq, hash_ = records[-1].seq, records[-1].hash
    move_head(copy, seq, hash_)
    return seq, hash_


def _differences(live: Connection, rebuilt: Connection) -> list[str]:
    found = []
    for table in PROJECTIONS:
        old, new = _by_key(live, table), _by_key(rebuilt, table)
        found += [
            f"{table.name} {' '.join(map(str, key))}"
            for key in sorted(old.keys() | new.keys(), key=str)
            if old.get(key) != new.get(key)
        ]
    return found


def _by_key(connection: Connection, table: Table) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    keys = [list(table.columns).index(column) for column in table.primary_key.columns]
    return {tuple(row[key] for key in keys): tuple(row) for row in connection.execute(select(table))}
