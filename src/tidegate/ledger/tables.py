"""Records and the head as rows, written inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam

from tidegate.ledger.records import Record
from tidegate.ledger.schema import head_table, records_table
from tidegate.ledger.store import Prepared

_INSERT = Prepared(records_table.insert())
_MOVE_HEAD = Prepared(
    head_table.update()
    .where(head_table.c.id == bindparam("one"))
    .values(seq=bindparam("new_seq"), hash=bindparam("new_hash"))
)


def insert_records(connection: Connection, records: Sequence[Record]) -> None:
    """Add rows for ``records``, in order."""
    _INSERT.run(
        connection,
        [
            {
                "seq": record.seq,
                "at_ms": record.at_ms,
                "actor": record.actor,
                "kind": record.kind.value,
                "correlation_id": record.correlation_id,
                "causation_id": record.causation_id,
                "body": record.body_json,
                "prev_hash": record.prev_hash,
                "hash": record.hash,
            }
            for record in records
        ],
    )


def move_head(connection: Connection, seq: int, hash_: str) -> None:
    """Say that the newest record is ``seq``."""
    _MOVE_HEAD.run(connection, [{"one": 1, "new_seq": seq, "new_hash": hash_}])
