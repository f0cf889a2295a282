"""Writing the journal: append, group commit, one writer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from tidegate.ledger.anchor import HeadWriter, note_named
from tidegate.ledger.attempts import attempt_exists
from tidegate.ledger.bodies import IntentBody
from tidegate.ledger.body import Body
from tidegate.ledger.entry import Entry, Formed
from tidegate.ledger.flight import Flight, Waiting, heard_of
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
_HASHED = ("seq", "at_ms", "actor", "kind", "correlation_id", "causation_id", "body_json")


class Journal(JournalReader):
    """The one writer of a ledger. Open one with ``Journal.open``; close it, or use ``with``.

    A record of ``DURABLE_KINDS`` is on disk, with all before it, when ``append`` returns. Others
    are committed in groups: at 256 records or when the group is 2 ms old by its clock, before a read
    through this object, at ``flush`` and at ``close``. A process that is killed loses at most its open
    group, never a record that something acted on.

    Tasks that write beside each other use ``append_and_wait``: their records share commits, and the event
    loop goes on while the disk works.
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
        self._waiting: list[Waiting] = []
        self._flight: Flight | None = None
        self._has_crashed = False
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal disk")

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

    async def append_and_wait(
        self,
        kind: RecordKind,
        body: Body | Mapping[str, Any],
        *,
        actor: str,
        correlation_id: str = "",
        causation_id: str = "",
    ) -> Record:
        """Append one record as ``append`` does; other tasks go on while it is brought to disk.

        Its place in the chain is that of the call. Records that wait at the same time share one commit; if
        that fails, each is tried again by itself, so that one fails for what it is itself. A task that is
        cancelled meanwhile is cancelled where it waits next, after the record.

        Parameters, Raises
        ------------------
        As ``append``.
        """
        entry = Entry(kind, body, actor=actor, correlation_id=correlation_id, causation_id=causation_id)
        if kind not in DURABLE_KINDS:
            return self._append([entry], durable=False)[0]
        bodies = [entry.formed()]
        with self._lock:
            self._demand_open()
            if self._space.is_full:
                return self._append([entry], durable=True)[0]
            loop = asyncio.get_running_loop()
            waiting = Waiting(entry, self._add([entry], bodies)[0], loop.create_future())
            self._waiting.append(waiting)
        loop.call_soon(self._take_off, loop)  # with all that is appended until the loop comes round
        return await heard_of(waiting)

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
            self._demand_open()
            if durable or self._space.is_full:
                self._land()
            if self._space.is_full:
                self._demand_room(entries, bodies)
            is_new_group = not self._group
            added = self._add(entries, bodies)
            if durable or (self._group_is_due() and not self._waiting):
                self._commit_added(added, entries, bodies, durable=durable)
            elif is_new_group:
                self._timer.begin()
            return added

    def _demand_open(self) -> None:
        if self._is_closed:
            raise Unavailable(f"the journal {self.place} was closed", fix="open it again")

    def _add(self, entries: Sequence[Entry], bodies: Sequence[Formed]) -> list[Record]:
        """Chain the entries to the head and put them into the open group."""
        if not self._group:
            self._group_since_ns = self._clock.monotonic_ns()
        added = self._chained(entries, bodies)
        self._seq, self._hash = added[-1].seq, added[-1].hash
        self._group += added
        self._bodies |= {
            record.seq: body for record, (_, body) in zip(added, bodies, strict=True) if body is not None
        }
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
            if not self._group or not self._group_is_due() or self._is_closed or self._waiting:
                return  # with those that wait, it goes to disk at once
            with suppress(TidegateError):
                self._commit_taken(durable=False)

    def flush(self) -> None:
        """Put every record so far on disk."""
        with self._lock:
            self._land()
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
                self._disk.shutdown()
                super().close()
                self._resources.close()

    def head(self) -> tuple[int, str]:
        """Return (seq, hash) of the newest record, committed or not."""
        with self._lock:
            return self._seq, self._hash

    def has_intent(self, intent_id: str) -> bool:
        """Say whether an intent is on disk; the open group, which can not hold one alone, stays open."""
        with super().snapshot("looking for an intent") as connection:
            return attempt_exists(connection, intent_id)

    def verify(self, *, checkpoint: tuple[int, str] | None = None) -> VerifyReport:
        """Flush, then check every record; see ``JournalReader.verify``."""
        self.flush()
        return super().verify(checkpoint=checkpoint)

    @contextmanager
    def snapshot(self, doing: str = "reading") -> Iterator[Connection]:
        """Commit the open group, then read several things as they stood at one moment."""
        with self._lock:
            self._land()
            if self._group:
                self._commit_taken(durable=bool(self._waiting))
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
                self._write_group(connection)
        except BaseException:
            self._projector.forget()
            raise
        self._group, self._bodies = [], {}
        self._committed((self._seq, self._hash), begun_ns, durable=durable)

    def _write_group(self, connection: Connection) -> None:
        insert_records(connection, self._group)
        self._projector.project(connection, self._group, self._bodies)
        move_head(connection, self._seq, self._hash)

    def _committed(self, head: tuple[int, str], begun_ns: int, *, durable: bool) -> None:
        """Take note of a commit, and tell those who waited for it."""
        self._is_on_disk = durable
        self._recorder.set(Metric.JOURNAL_SEQ, head[0])
        taken_s = (self._clock.monotonic_ns() - begun_ns) / 1e9
        self._recorder.observe(Metric.JOURNAL_COMMIT_SECONDS, taken_s)
        if not durable:
            return
        self._has_crashed = False
        there = [one for one in self._waiting if one.record.seq <= head[0]]
        self._waiting = [one for one in self._waiting if one.record.seq > head[0]]
        trouble: Exception | None = None
        try:
            if self._note is not None:
                with note_named(self.place):
                    self._note.write(*head)
        except TidegateError as error:
            trouble = error
            raise
        finally:
            for one in there:
                one.tell(trouble or one.record)

    def _take_off(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write the open group, and let a thread wait for its COMMIT; what comes meanwhile is the next."""
        with self._lock:
            if self._flight is not None and not self._flight.landing.done():
                if self._flight.loop is not loop:
                    self._flight.when_down(loop, lambda: self._take_off(loop))
                return
            with suppress(TidegateError):  # those whom it concerns were told
                self._land()
            if self._has_crashed:
                self._take_apart()
            if not self._waiting or self._is_closed:
                if self._group:
                    self._timer.begin()
                return
            begun_ns = self._clock.monotonic_ns()
            try:
                with failures_named(str(self.place), "a commit"):
                    self._write_group(self._writing.begin(durable=True))
            except Exception:  # noqa: BLE001 - each record by itself raises what is its own
                self._crash()
                self._take_apart()
                return
            landing = self._disk.submit(self._writing.commit)
            head = (self._seq, self._hash)
            self._flight = Flight(self._group, self._bodies, head, begun_ns, loop, landing)
            self._group, self._bodies = [], {}
            self._flight.when_down(loop, lambda: self._take_off(loop))

    def _land(self) -> None:
        """Wait for the commit that is on its way, if there is one; if it failed, its group is open again."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        try:
            with failures_named(str(self.place), "a commit"):
                flight.landing.result()
        except Exception:  # noqa: BLE001 - each record by itself raises what is its own
            self._group = flight.records + self._group
            self._bodies = flight.bodies | self._bodies
            self._crash()
            return
        self._committed(flight.head, flight.begun_ns, durable=True)

    def _crash(self) -> None:
        self._has_crashed = True
        self._projector.forget()
        with suppress(Exception):  # a store that is lost has nothing to undo
            self._writing.rollback()

    def _take_apart(self) -> None:
        """After a shared commit that failed: commit each record that is waited for by itself."""
        self._has_crashed = False
        waiting, self._waiting = self._waiting, []
        self._withdraw([one.record for one in waiting])
        for one in waiting:
            try:
                one.tell(self._append([one.entry], durable=True)[0])
            except Exception as error:  # noqa: BLE001 - told to whom it concerns
                one.tell(error)

    def _withdraw(self, unwanted: Sequence[Record]) -> None:
        """Take back records whose commit failed, unless they are in the store after all.

        What was appended after them moves up.
        """
        gone = {record.seq for record in unwanted}
        if not any(record.seq in gone for record in self._group):
            return
        group, bodies = self._group, self._bodies
        self._seq, self._hash = group[0].seq - 1, group[0].prev_hash
        self._group, self._bodies = [], {}
        for record in group:
            if record.seq in gone:
                continue
            moved = _after(record, self._seq, self._hash)
            if record.seq in bodies:
                self._bodies[moved.seq] = bodies[record.seq]
            self._group.append(moved)
            self._seq, self._hash = moved.seq, moved.hash


def _after(record: Record, seq: int, last_hash: str) -> Record:
    """Return the record as the next one after another."""
    if record.prev_hash == last_hash:
        return record
    parts = {name: getattr(record, name) for name in _HASHED} | {"seq": seq + 1}
    return msgspec.structs.replace(
        record, seq=seq + 1, prev_hash=last_hash, hash=chain_hash(last_hash, **parts)
    )
