"""What is looked at before a ledger is written to: its tables, its newest record, its note."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy import Connection, select

from tidegate.ledger.anchor import (
    HeadWriter,
    note_named,
    read_head,
    refuse_empty_store,
    refuse_missing_note,
)
from tidegate.ledger.place import Place
from tidegate.ledger.records import GENESIS_HASH
from tidegate.ledger.schema import check_version, create, head_table, records_table
from tidegate.model import Tampered


def open_tables(connection: Connection, place: Place) -> tuple[int, str]:
    """Create the tables in an empty store; return the head of a store that has lost nothing."""
    if not check_version(connection, str(place)):
        refuse_empty_store(place)
        create(connection)
    seq, hash_ = connection.execute(select(head_table.c.seq, head_table.c.hash)).one()
    _refuse_other_tail(connection, place, (seq, hash_))
    refuse_missing_note(place, (seq, hash_))
    return seq, hash_


def _refuse_other_tail(connection: Connection, place: Place, head: tuple[int, str]) -> None:
    newest = connection.execute(
        select(records_table.c.seq, records_table.c.hash).order_by(records_table.c.seq.desc()).limit(1)
    ).first()
    last = (0, GENESIS_HASH) if newest is None else (newest[0], newest[1])
    noted = read_head(place) or head
    if last != head or noted[0] > head[0]:
        raise Tampered(
            f"the newest records of {place} do not fit its head",
            code="journal_tampered",
            found=f"the last record is seq {last[0]}, the head row says {head[0]}, the head file {noted[0]}",
            fix="keep the file as evidence and run: tidegate journal verify",
        )


def note_of(place: Place, head: tuple[int, str], resources: ExitStack) -> HeadWriter | None:
    """Open the note of the newest record, where the place keeps one; a new one begins at ``head``."""
    if place.note is None:
        return None
    with note_named(place):
        is_new = head[0] == 0 or not place.note.exists()
        note = HeadWriter(place.note)
        resources.callback(note.close)
        if is_new:
            note.begin(*head)
    return note
