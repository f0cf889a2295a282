"""The projection ``standing``: of each topic the newest record by name, while it stands."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam

from tidegate.ledger.body import StandingBody
from tidegate.ledger.records import Record
from tidegate.ledger.schema import standing_table
from tidegate.ledger.store import Prepared


class StandingFold:
    """Folds records that set or end what stands."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[str, Any] | None] = {}

    def forget(self) -> None:
        """Drop what was taken and not written."""
        self._rows.clear()

    def take(self, record: Record, body: StandingBody) -> None:
        """Fold one record."""
        for name in body.names:
            row = {
                "topic": body.TOPIC,
                "name": name,
                "seq": record.seq,
                "at_ms": record.at_ms,
                "kind": record.kind.value,
                "body": record.body_json,
            }
            self._rows[(body.TOPIC, name)] = row if body.stands else None

    def write(self, connection: Connection) -> None:
        """Write what was taken since the last time."""
        if not self._rows:
            return
        gone = [{"of_topic": topic, "of_name": name} for topic, name in sorted(self._rows)]
        _REMOVE.run(connection, gone)
        standing = [row for _, row in sorted(self._rows.items()) if row is not None]
        if standing:
            _ADD.run(connection, standing)
        self._rows.clear()


_ADD = Prepared(standing_table.insert())
_REMOVE = Prepared(
    standing_table.delete().where(
        standing_table.c.topic == bindparam("of_topic"), standing_table.c.name == bindparam("of_name")
    )
)
