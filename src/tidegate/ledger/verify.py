"""Is the journal the one that was written? Every hash again, from the first record to the last."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, select

from tidegate.ledger.anchor import read_head, refuse_missing_note
from tidegate.ledger.place import Place
from tidegate.ledger.records import GENESIS_HASH, chain_hash
from tidegate.ledger.schema import head_table, records_table, refuse_other_objects
from tidegate.ledger.store import failures_named
from tidegate.model import Tampered

_CHUNK = 1_024
_FIX = "keep the file as evidence, stop the desk, and compare with a backup or an export from before"


class VerifyReport(msgspec.Struct, frozen=True):
    """A journal that was found whole: how many records, and the head that vouches for them."""

    records: int
    head_seq: int
    head_hash: str


def verify_chain(
    engine: Engine, place: Place, checkpoint: tuple[int, str] | None, *, check_objects: bool = True
) -> VerifyReport:
    """Walk the chain in one snapshot; see ``JournalReader.verify``."""
    # The note is read first: what it names was committed before the snapshot is taken.
    anchors = {"checkpoint": checkpoint, "head file": read_head(place)}
    with failures_named(str(place), "opening a snapshot"), engine.begin() as connection:
        if check_objects:
            refuse_other_objects(connection, str(place))
        stored = connection.execute(select(head_table.c.seq, head_table.c.hash)).all()
        anchors["head row"] = (stored[0][0], stored[0][1]) if stored else (0, GENESIS_HASH)
        walk = _Walk({name: anchor for name, anchor in anchors.items() if anchor is not None})
        try:
            walk.over(connection, _CHUNK)
        except _Unreadable:
            walk.over(connection, 1)  # again, one by one, so that the record can be named
        walk.finish(place)
        _check_structure(connection, place)
    if checkpoint != (walk.seq, walk.hash):
        refuse_missing_note(place, (walk.seq, walk.hash))
    return VerifyReport(walk.seq, walk.seq, walk.hash)


class _Unreadable(Exception):
    """A chunk that the store could not read."""


class _Walk:
    """Where the walk stands, and the (seq, hash) pairs that it has yet to meet."""

    def __init__(self, anchors: dict[str, tuple[int, str]]) -> None:
        self.seq, self.hash = 0, GENESIS_HASH
        self._anchors = anchors

    def over(self, connection: Connection, chunk: int) -> None:
        """Go on from the last good record to the end."""
        seq = records_table.c.seq
        while True:
            wanted = select(records_table).order_by(seq).limit(chunk)
            if self.seq:  # not before: a record put in front of the first must be seen
                wanted = wanted.where(seq > self.seq)
            try:
                with failures_named("the ledger", "reading"):
                    rows = connection.execute(wanted).all()
            except Tampered as error:
                if chunk > 1:
                    raise _Unreadable from error
                raise _tampered(self.seq + 1, "cannot be read", str(error.found)) from error
            for row in rows:
                self._step(row)
            if len(rows) < chunk:
                return

    def _step(self, row: Any) -> None:
        seq, at_ms, actor, kind, correlation_id, causation_id, body, prev_hash, stored_hash = row
        expected = self.seq + 1
        if type(seq) is not int or seq != expected:
            raise _tampered(expected, "is missing: removed, or out of order", f"seq {seq!r} in its place")
        texts = (actor, kind, correlation_id, causation_id, body, prev_hash, stored_hash)
        if type(at_ms) is not int or any(type(text) is not str for text in texts):
            raise _tampered(seq, "was changed: a column holds another type", repr(row)[:300])
        if prev_hash != self.hash:
            raise _tampered(
                seq, "does not follow the record before it", f"prev_hash {prev_hash}, which has {self.hash}"
            )
        try:
            msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            actual = chain_hash(
                prev_hash,
                seq=seq,
                at_ms=at_ms,
                actor=actor,
                kind=kind,
                correlation_id=correlation_id,
                causation_id=causation_id,
                body_json=body,
            )
        except (msgspec.DecodeError, ValueError) as error:
            raise _tampered(seq, "was changed: its body is not JSON", str(error)) from error
        if actual != stored_hash:
            raise _tampered(seq, "was changed", f"hash {stored_hash}, its content has {actual}")
        self.seq, self.hash = seq, stored_hash
        for name, anchor in self._anchors.items():
            if anchor[0] == seq and anchor[1] != stored_hash:
                raise _tampered(
                    seq, f"is not the one that the {name} vouches for", f"{stored_hash}, not {anchor[1]}"
                )

    def finish(self, place: Place) -> None:
        """Say what is missing at the end, and what stands past it."""
        for name, (seq, _) in self._anchors.items():
            if seq > self.seq:
                raise _tampered(
                    self.seq + 1,
                    f"is missing: the tail of {place} was cut off",
                    f"{self.seq} records, the {name} knows of {seq}",
                )
        if self._anchors["head row"][0] != self.seq:
            raise _tampered(
                self._anchors["head row"][0] + 1,
                "was added by something that is not the journal",
                f"{self.seq} records, the head row knows of {self._anchors['head row'][0]}",
            )


def _check_structure(connection: Connection, place: Place) -> None:
    """Ask the store about its own pages and indexes: a record that an index hides is lost too."""
    if connection.dialect.name != "sqlite":
        return
    with failures_named(str(place), "checking the structure"):
        verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    if verdict != "ok":
        raise Tampered(
            f"every record of {place} is whole, but its indexes or pages are not",
            found=str(verdict),
            fix=_FIX,
        )


def _tampered(seq: int, what: str, found: str) -> Tampered:
    return Tampered(f"seq {seq} {what}", code="journal_tampered", found=found, fix=_FIX)
