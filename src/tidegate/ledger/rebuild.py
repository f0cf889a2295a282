"""Make the projections again from the records alone, in a copy, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from tidegate.ledger.projections import Projector
from tidegate.ledger.reader import JournalReader, record_of_row
from tidegate.ledger.records import GENESIS_HASH
from tidegate.ledger.schema import PROJECTIONS, create, records_table
from tidegate.ledger.store import Writing, failures_named
from tidegate.ledger.tables import insert_records, move_head
from tidegate.model import ConfigError

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

    The live ledger is read in one snapshot and is not changed.

    Raises
    ------
    ConfigError
        If ``copy`` exists.
    """
    if copy.exists():
        raise ConfigError(f"{copy} exists", allowed="a path where nothing is", fix="name another")
    writing = Writing(copy)
    try:
        with (
            failures_named(copy, "a rebuild"),
            reader.snapshot() as live,
            writing.transaction(durable=True) as rebuilt,
        ):
            count = _copy_records(live, rebuilt)
            differences = tuple(_differences(live, rebuilt))
            rows = {table.name: len(_by_key(rebuilt, table)) for table in PROJECTIONS}
    finally:
        writing.close()
    return RebuildReport(count, rows, differences[:_SHOWN])


def _copy_records(live: Connection, copy: Connection) -> int:
    create(copy)
    projector = Projector()
    seq, hash_ = 0, GENESIS_HASH
    for page in live.execute(select(records_table).order_by(records_table.c.seq)).partitions(_CHUNK):
        records = [record_of_row(row) for row in page]
        insert_records(copy, records)
        projector.project(copy, records)
        seq, hash_ = records[-1].seq, records[-1].hash
    move_head(copy, seq, hash_)
    return seq


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
