"""Reading the journal: records in order, the head, the projections, an export.

Readers see only what is committed, take no lock that a writer would wait for, and cannot write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, TextClause, func, select

from tidegate.ledger.anchor import refuse_empty_store
from tidegate.ledger.attempts import Attempt
from tidegate.ledger.outputs import whole_or_nothing
from tidegate.ledger.place import Place, place_of
from tidegate.ledger.positions import Position, positions_at
from tidegate.ledger.profit import ProfitLine
from tidegate.ledger.records import GENESIS_HASH, Record
from tidegate.ledger.schema import (
    EVERYWHERE,
    IS_RARE,
    attempts_table,
    check_version,
    head_table,
    pnl_table,
    positions_table,
    records_table,
    standing_table,
)
from tidegate.ledger.states import Standing
from tidegate.ledger.store import columns_of, failures_named
from tidegate.ledger.verify import VerifyReport, verify_chain
from tidegate.model import ConfigError, OutcomeKind, RecordKind, Stage, Tampered, Unavailable

_PAGE = 512
_ROW = tuple[int, int, str, RecordKind, str, str, str, str, str]


class JournalReader:
    """A journal that can be read. Open one with ``JournalReader.open``."""

    def __init__(self, place: Place, engine: Engine) -> None:
        self.place = place
        self._reading = engine

    @classmethod
    def open(cls, where: Place | Path | str, *, notes: Path | None = None) -> JournalReader:
        """Open an existing ledger for reading, beside a live writer or without one.

        Parameters
        ----------
        where, notes
            As for ``Journal.open``.

        Raises
        ------
        ConfigError
            ``no_ledger`` if nothing was ever written there; or if what lies there is something else,
            or has a layout of another release.
        Tampered
            If it is damaged, holds tables or triggers that are not the journal's, or is gone while
            the note beside it knows of records.
        """
        place = place_of(where, notes=notes)
        try:
            place.refuse_absent()
        except ConfigError as absent:
            if absent.code == "no_ledger":
                refuse_empty_store(place)
            raise
        place.refuse_what_is_none()
        reader = cls(place, place.reading())
        try:
            reader._demand_ledger()
        except BaseException:
            reader.close()
            raise
        return reader

    def _demand_ledger(self) -> None:
        place = self.place
        with self.snapshot("opening") as connection:
            if not check_version(connection, str(place)):
                refuse_empty_store(place)
                raise ConfigError(
                    f"{place} is empty: no ledger was ever written there",
                    code="no_ledger",
                    allowed="a ledger",
                    fix="name another",
                )

    def close(self) -> None:
        """Let go of the file."""
        self._reading.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def head(self) -> tuple[int, str]:
        """Return (seq, hash) of the newest record; (0, 64 zeros) before the first."""
        rows = self._rows(select(head_table.c.seq, head_table.c.hash), "reading the head")
        return (rows[0].seq, rows[0].hash) if rows else (0, GENESIS_HASH)

    def records(
        self,
        kind: RecordKind | None = None,
        correlation_id: str | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """Yield records with ``seq > after`` in order, at most ``limit`` of them.

        Records that are appended meanwhile are yielded too: a tail calls this again with the
        last seq that it saw.
        """
        columns = records_table.c
        wanted = select(records_table).order_by(columns.seq)
        if kind is not None:
            wanted = wanted.where(*_is_of_kind(kind))
        if correlation_id is not None:
            wanted = wanted.where(columns.correlation_id == correlation_id)
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = self._rows(wanted.where(columns.seq > after).limit(size), f"reading after seq {after}")
            for row in page:
                yield record_of_row(row)
            if len(page) < size:
                return
            after = page[-1][0]
            left = None if left is None else left - size

    def last_records(
        self, count: int, kind: RecordKind | None = None, correlation_id: str | None = None
    ) -> list[Record]:
        """Return the newest ``count`` records (of one kind, of one correlation), oldest first."""
        newest = select(records_table).order_by(records_table.c.seq.desc()).limit(count)
        if kind is not None:
            newest = newest.where(*_is_of_kind(kind))
        if correlation_id is not None:
            newest = newest.where(records_table.c.correlation_id == correlation_id)
        return [record_of_row(row) for row in reversed(self._rows(newest, "reading the tail"))]

    def attempts(self, *, open_only: bool = False, intent_id: str | None = None) -> list[Attempt]:
        """Return one row an intent, oldest first; ``open_only``: those without a final outcome."""
        columns = attempts_table.c
        wanted = select(attempts_table).order_by(columns.first_seq)
        if open_only:
            wanted = wanted.where(
                columns.outcome.is_(None) | (columns.outcome == OutcomeKind.AMBIGUOUS.value)
            )
        if intent_id is not None:
            wanted = wanted.where(columns.intent_id == intent_id)
        return [Attempt.from_columns(columns_of(row)) for row in self._rows(wanted, "reading attempts")]

    def unsettled(self, *, since_ms: int) -> list[Attempt]:
        """Return what a start must know again, oldest first.

        Intents without a final outcome, those whose nonce is not used for good, and all that ended since.
        """
        columns = attempts_table.c
        is_open = columns.outcome.is_(None) | (columns.outcome == OutcomeKind.AMBIGUOUS.value)
        is_final = columns.states.like(f"%{RecordKind.FINALISED.value}%")
        is_recent = func.coalesce(columns.settled_at_ms, columns.intent_at_ms) > since_ms
        wanted = select(attempts_table).where(is_open | is_recent | (columns.nonce.is_not(None) & ~is_final))
        rows = self._rows(wanted.order_by(columns.first_seq), "reading what is not settled")
        return [Attempt.from_columns(columns_of(row)) for row in rows]

    def highest_nonces(self, chain_id: int, account: str) -> tuple[int | None, int | None]:
        """Return the highest nonce of an account that was ever reserved, and that a block held."""
        columns = attempts_table.c
        of_account = (columns.chain_id == chain_id, columns.sender == account)
        reserved = select(func.max(columns.nonce)).where(*of_account)
        included = reserved.where(columns.block_number.is_not(None))
        with self.snapshot("reading nonces") as connection:
            return connection.execute(reserved).scalar(), connection.execute(included).scalar()

    def profit_and_loss(self) -> list[ProfitLine]:
        """Return every booked line, oldest first, with its running totals."""
        wanted = select(pnl_table).order_by(pnl_table.c.seq, pnl_table.c.line)
        return [
            ProfitLine.from_columns(columns_of(row)) for row in self._rows(wanted, "reading profit and loss")
        ]

    def positions(self) -> list[Position]:
        """Return what the books say that each account holds, in order of its key."""
        wanted = select(positions_table).order_by(*positions_table.primary_key.columns)
        return [Position.from_columns(columns_of(row)) for row in self._rows(wanted, "reading positions")]

    def positions_at(
        self, stage: Stage, desk: str, chain_id: int, block_number: int
    ) -> dict[tuple[str, str], Position]:
        """Return a desk's positions by (account, token) as the books had them at a block."""
        with self.snapshot("reading positions") as connection:
            return positions_at(connection, stage, desk, chain_id, block_number)

    def standing(self, topic: str) -> list[Standing]:
        """Return what stands of a topic, the oldest record first; see ``StandingBody``."""
        columns = standing_table.c
        wanted = select(standing_table).where(columns.topic == topic).order_by(columns.seq, columns.name)
        return [
            msgspec.convert({**columns_of(row), "body": msgspec.json.decode(row.body)}, Standing)
            for row in self._rows(wanted, f"reading what stands of {topic}")
        ]

    def verify(self, *, checkpoint: tuple[int, str] | None = None) -> VerifyReport:
        """Check every record's hash, the order, the tail and the store's own structure.

        Parameters
        ----------
        checkpoint
            A (seq, hash) that someone kept elsewhere; the journal must contain it.

        Raises
        ------
        Tampered
            Naming the first seq that was changed, removed, reordered, inserted or cut off.
        Unavailable
            ``head_note_missing`` if every record is whole, but the note of the newest is gone and
            ``checkpoint`` is not that record: then nobody can tell whether the tail was cut off.
        """
        return verify_chain(self._reading, self.place, checkpoint)

    def export(self, target: Path | IO[bytes]) -> int:
        """Write every record as one JSON object a line, in order; return how many.

        A file appears whole or not at all, and only where nothing was.

        Raises
        ------
        ConfigError
            ``output`` if something lies at ``target``, or its folder cannot be written.
        Unavailable
            ``output`` if writing fails, as on a full disk.
        """
        if isinstance(target, Path):
            with whole_or_nothing(target, self.place.file) as path, path.open("xb") as stream:
                return _write_lines(self, stream)
        try:
            count = _write_lines(self, target)
            target.flush()
        except BrokenPipeError:
            raise  # whoever read it has seen enough
        except OSError as error:
            raise Unavailable(
                "the export cannot be written out",
                code="output",
                found=str(error),
                allowed="a place with space left",
                fix="free space, or name a file with --output",
            ) from error
        return count

    @contextmanager
    def snapshot(self, doing: str = "reading") -> Iterator[Connection]:
        """Read several things as they stood at one moment."""
        with failures_named(str(self.place), doing), self._reading.begin() as connection:
            yield connection

    def _rows(self, wanted: Select[Any], doing: str) -> list[Row[Any]]:
        with self.snapshot(doing) as connection:
            return list(connection.execute(wanted))


def _is_of_kind(kind: RecordKind) -> tuple[ColumnElement[bool] | TextClause, ...]:
    """Return what holds for records of a kind, so that the store sees whether its index has them."""
    is_it = records_table.c.kind == str(kind)
    return (is_it,) if kind in EVERYWHERE else (is_it, IS_RARE)


def record_of_row(row: Row[Any]) -> Record:
    """Return the typed record of a row, or say that the row cannot be one."""
    try:
        return Record(*msgspec.convert(tuple(row), _ROW))
    except msgspec.ValidationError as error:
        raise Tampered(
            f"seq {row[0]!r}: the record does not have the form that was written",
            found=str(error),
            fix="run: tidegate journal verify",
        ) from error


def _write_lines(reader: JournalReader, stream: IO[bytes]) -> int:
    count = 0
    for count, record in enumerate(reader.records(), start=1):  # noqa: B007
        stream.write(record.as_line() + b"\n")
    return count
