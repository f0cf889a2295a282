"""Writing the journal: append, group commit, one writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tidegate.ledger.anchor import HeadWriter, note_named
from tidegate.ledger.bodies import IntentBody
from tidegate.ledger.body import Body
from tidegate.ledger.entry import Entry, Formed
from tidegate.ledger.opening import note_of, open_tables
from tidegate.ledger.place import Place, place_of
from tidegate.ledger.projections import Projector
from tidegate.ledger.reader import JournalReader
from tidegate.ledger.records import Record, chain_hash
from tidegate.ledger.reserve import Reserve, Space, may_use_reserve, out_of_space
from tidegate.ledger.store import LEDGER_FULL, Writing, failures_named
from tidegate.ledger.tables import insert_records, move_head
from tidegate.ledger.timer import GroupTimer
from tidegate.ledger.verify import VerifyReport
from tidegate.model import (
    DURABLE_KINDS,
    Clock,
    Metric,
    NullRecorder,
    Recorder,
    RecordKind,
    TidegateError,
    Unavailable,
)

GROUP_RECORDS = 256
GROUP_AGE_NS = 2_000_000
"""A group is committed when it has so many records, or when its oldest is so old."""


class Journal(JournalReader):
    """The one writer of a ledger. Open one with ``Journal.open``; close it, or use ``with``.

    A record of ``DURABLE_KINDS`` is on disk, with all before it, when ``append`` returns. Others
    are committed in groups: at 256 records or when the group is 2 ms old by its clock, before a read
    through this object, at ``flush`` and at ``close``. A process that is killed loses at most its open
    group, never a record that something acted on.
    """

    def __init__(
        self,
        place: Place,
        clock: Clock,
        *,
        writing: Writing,
        note: HeadWriter | None,
        head: tuple[int, str],
        resources: ExitStack,
        recorder: Recorder,
        on_full: Callable[[bool], None] | None,
    ) -> None:
        super().__init__(place, place.reading())
        self._clock = clock
        self._writing = writing
        self._note = note
        self._seq, self._hash = head
        self._resources = resources
        self._recorder = recorder
        self._projector = Projector()
        self._group: list[Record] = []
        self._bodies: dict[int, Body] = {}
        self._group_since_ns = 0
        self._is_on_disk = True
        self._is_closed = False
        self._lock = threading.RLock()
        self._timer = GroupTimer(self._commit_if_due, GROUP_AGE_NS / 1e9)
        self._space = Space(place.reserve, clock, writing, on_full)

    @classmethod
    def open(  # type: ignore[override]
        cls,
        where: Place | Path | str,
        *,
        clock: Clock,
        recorder: Recorder | None = None,
        notes: Path | None = None,
        on_full: Callable[[bool], None] | None = None,
    ) -> Journal:
        """Open or create the ledger and take its lease.

        Parameters
        ----------
        where
            The path of a SQLite file, or ``postgresql+psycopg://USER@HOST/DATABASE``.
        clock
            What stamps the records.
        recorder
            Where the newest seq and the time of each commit are measured.
        notes
            See ``place_of``.
        on_full
            Called with True when the disk is full, with False when it has room again: for an alert.

        Raises
        ------
        Unavailable
            If another writer holds it, or the place cannot be written; ``head_note_missing`` if it
            has records and nothing vouches for the newest.
        ConfigError
            If it is no ledger, or has a layout of another release.
        Tampered
            If it is damaged, or its newest records are gone.
        """
        place = place_of(where, notes=notes)
        place.refuse_what_is_none()
        try:
            return cls._open(place, clock, recorder or NullRecorder(), on_full)
        except Unavailable as silence:
            if silence.code != LEDGER_FULL:
                raise
            Reserve(place.reserve).release()  # a start on a full disk needs some of it already
            return cls._open(place, clock, recorder or NullRecorder(), on_full)

    @classmethod
    def _open(
        cls, place: Place, clock: Clock, recorder: Recorder, on_full: Callable[[bool], None] | None
    ) -> Journal:
        with ExitStack() as resources:
            writing = place.take(resources)
            with failures_named(str(place), "opening"), writing.transaction(durable=True) as connection:
                head = open_tables(connection, place)
            return cls(
                place,
                clock,
                writing=writing,
                note=note_of(place, head, resources),
                head=head,
                resources=resources.pop_all(),
                recorder=recorder,
                on_full=on_full,
            )

    def append(
        self,
        kind: RecordKind,
        body: Body | Mapping[str, Any],
        *,
        actor: str,
        correlation_id: str = "",
        causation_id: str = "",
    ) -> Record:
        """Append one record and return it, chained to the one before.

        Parameters
        ----------
        kind
            What happened. Kinds in ``DURABLE_KINDS`` are on disk when this returns.
        body
            A body of ``ledger.bodies``, or a mapping that has a canonical form.
        actor
            Who writes: a desk, a step of the pipeline, a person.
        correlation_id, causation_id
            The intent that the record belongs to, and what it answers.

        Raises
        ------
        TypeError, ValueError
            If the body has no canonical form, or not the form of its kind. Nothing is appended.
        Unavailable
            If the store fails. This record is not in the journal (a database that was lost in the
            middle of a commit may have it; open the ledger again to know); earlier ones of the open
            group are kept, and written by the next commit that succeeds. ``ledger_full`` if the disk
            is: then exits, and what follows sent bytes, are taken as long as the reserve lasts.
        """
        entry = Entry(kind, body, actor=actor, correlation_id=correlation_id, causation_id=causation_id)
        return self._append([entry], durable=kind in DURABLE_KINDS)[0]

    def append_many(self, entries: Sequence[Entry]) -> list[Record]:
        """Append several records in one commit, which is on disk, with all before it, at the return.

        All of them are in the journal or none is. Other writers' records never come between.

        Raises
        ------
        TypeError, ValueError
            If a body has no canonical form, or not the form of its kind.
        Unavailable
            If the store fails; earlier records of the open group are kept.
        """
        return self._append(entries, durable=True) if entries else []

    def _append(self, entries: Sequence[Entry], *, durable: bool) -> list[Record]:
        bodies = [entry.formed() for entry in entries]
        with self._lock:
            if self._is_closed:
                raise Unavailable(f"the journal {self.place} was closed", fix="open it again")
            if self._space.is_full:
                self._demand_room(entries, bodies)
            is_new_group = not self._group
            if is_new_group:
                self._group_since_ns = self._clock.monotonic_ns()
            added = self._chained(entries, bodies)
            self._seq, self._hash = added[-1].seq, added[-1].hash
            self._group += added
            self._bodies |= {
                record.seq: body for record, (_, body) in zip(added, bodies, strict=True) if body is not None
            }
            if durable or self._group_is_due():
                self._commit_added(added, entries, bodies, durable=durable)
            elif is_new_group:
                self._timer.begin()
            return added

    def _commit_added(
        self, added: list[Record], entries: Sequence[Entry], bodies: Sequence[Formed], *, durable: bool
    ) -> None:
        """Commit what was just added with all before it, or take it back."""
        try:
            try:
                self._commit(durable=durable)
            except Unavailable as silence:
                if silence.code != LEDGER_FULL or self._space.is_full:
                    raise
                self._space.ran_out()
                self._demand_room(entries, bodies, silence)
                self._commit(durable=durable)
        except BaseException:
            self._withdraw(added)
            raise

    @property
    def is_full(self) -> bool:
        """Say whether the disk is full: no new intent is taken."""
        return self._space.is_full

    def _demand_room(
        self, entries: Sequence[Entry], bodies: Sequence[Formed], why: Unavailable | None = None
    ) -> None:
        """Refuse what may not use the reserve, unless the disk has room again."""
        if self._space.has_room_again():
            return
        for entry, (_, body) in zip(entries, bodies, strict=True):
            if not self._may_use_reserve(entry, body):
                raise out_of_space(str(self.place), entry.kind, why) from why

    def _may_use_reserve(self, entry: Entry, body: Body | None) -> bool:
        is_of_exit = False
        if isinstance(body, IntentBody):
            is_of_exit = body.intent.operation.is_exit
        elif entry.correlation_id:
            attempt = self._projector.attempt(self._writing.connection, entry.correlation_id)
            is_of_exit = attempt is not None and attempt.operation.is_exit
        return may_use_reserve(entry.kind, is_of_exit=is_of_exit)

    def _commit_if_due(self) -> None:
        """Commit the open group if it is old enough; a failure is left to whoever adds next."""
        with self._lock:
            if self._group and self._group_is_due() and not self._is_closed:
                with suppress(TidegateError):
                    self._commit_taken(durable=False)

    def flush(self) -> None:
        """Put every record so far on disk."""
        with self._lock:
            if self._group or not self._is_on_disk:
                self._commit_taken(durable=True)

    def close(self) -> None:
        """Flush, give the lease back and let go of the file. Doing so twice is harmless."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._timer.end()
        with self._lock:
            try:
                self.flush()
            finally:
                super().close()
                self._resources.close()

    def head(self) -> tuple[int, str]:
        """Return (seq, hash) of the newest record, committed or not."""
        with self._lock:
            return self._seq, self._hash

    def verify(self, *, checkpoint: tuple[int, str] | None = None) -> VerifyReport:
        """Flush, then check every record; see ``JournalReader.verify``."""
        self.flush()
        return super().verify(checkpoint=checkpoint)

    @contextmanager
    def snapshot(self, doing: str = "reading") -> Iterator[Connection]:
        """Commit the open group, then read several things as they stood at one moment."""
        with self._lock:
            if self._group:
                self._commit_taken(durable=False)
        with super().snapshot(doing) as connection:
            yield connection

    def _chained(self, entries: Sequence[Entry], bodies: Sequence[Formed]) -> list[Record]:
        """Return the entries as records that follow the head, which stays where it is."""
        seq, last_hash, at_ms = self._seq, self._hash, self._clock.now_ms()
        records = []
        for entry, (body_json, _) in zip(entries, bodies, strict=True):
            seq += 1
            parts: dict[str, Any] = {
                "seq": seq,
                "at_ms": at_ms,
                "actor": entry.actor,
                "kind": RecordKind(entry.kind),
                "correlation_id": entry.correlation_id,
                "causation_id": entry.causation_id,
                "body_json": body_json,
            }
            record = Record(**parts, prev_hash=last_hash, hash=chain_hash(last_hash, **parts))
            records.append(record)
            last_hash = record.hash
        return records

    def _group_is_due(self) -> bool:
        age_ns = self._clock.monotonic_ns() - self._group_since_ns
        return len(self._group) >= GROUP_RECORDS or age_ns >= GROUP_AGE_NS

    def _commit_taken(self, *, durable: bool) -> None:
        """Commit what was taken before; it may use the reserve, whatever it is."""
        try:
            self._commit(durable=durable)
        except Unavailable as silence:
            if silence.code != LEDGER_FULL or self._space.is_full:
                raise
            self._space.ran_out()
            self._commit(durable=durable)

    def _commit(self, *, durable: bool) -> None:
        begun_ns = self._clock.monotonic_ns()
        try:
            with (
                failures_named(str(self.place), "a commit"),
                self._writing.transaction(durable=durable) as connection,
            ):
                insert_records(connection, self._group)
                self._projector.project(connection, self._group, self._bodies)
                move_head(connection, self._seq, self._hash)
        except BaseException:
            self._projector.forget()
            raise
        self._group, self._bodies = [], {}
        self._is_on_disk = durable
        self._recorder.set(Metric.JOURNAL_SEQ, self._seq)
        taken_s = (self._clock.monotonic_ns() - begun_ns) / 1e9
        self._recorder.observe(Metric.JOURNAL_COMMIT_SECONDS, taken_s)
        if durable and self._note is not None:
            with note_named(self.place):
                self._note.write(self._seq, self._hash)

    def _withdraw(self, added: list[Record]) -> None:
        """Take back records whose commit failed, unless they are in the store after all."""
        if self._group and self._group[-1] is added[-1]:
            del self._group[-len(added) :]
            for record in added:
                self._bodies.pop(record.seq, None)
            self._seq, self._hash = added[0].seq - 1, added[0].prev_hash
