"""Writing the journal: append, group commit, one writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tidegate.ledger.anchor import HeadWriter
from tidegate.ledger.attempts import attempt_exists
from tidegate.ledger.bodies import IntentBody
from tidegate.ledger.body import Body
from tidegate.ledger.commits import Commits
from tidegate.ledger.entry import Entry, Formed
from tidegate.ledger.flight import Waiters, heard_of
from tidegate.ledger.group import GROUP_AGE_NS, Group
from tidegate.ledger.opening import note_of, open_tables
from tidegate.ledger.place import Place, place_of
from tidegate.ledger.reader import JournalReader
from tidegate.ledger.records import Record
from tidegate.ledger.reserve import Reserve, Space, may_use_reserve, out_of_space
from tidegate.ledger.sharing import SharedCommits
from tidegate.ledger.store import LEDGER_FULL, Writing, failures_named
from tidegate.ledger.timer import GroupTimer
from tidegate.ledger.verify import VerifyReport
from tidegate.model import (
    DURABLE_KINDS,
    Clock,
    NullRecorder,
    Recorder,
    RecordKind,
    TidegateError,
    Unavailable,
)


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
        self._writing = writing
        self._resources = resources
        self._is_closed = False
        self._lock = threading.RLock()
        self._timer = GroupTimer(self._commit_if_due, GROUP_AGE_NS / 1e9)
        self._space = Space(place.reserve, clock, writing, on_full)
        self._group = Group(head, clock)
        self._waiters = Waiters()
        self._commits = Commits(place, writing, note, self._waiters, clock=clock, recorder=recorder)
        self._shared = SharedCommits(
            self._lock,
            self._group,
            self._commits,
            self._waiters,
            where=str(place),
            clock=clock,
            alone=lambda entry: self._append([entry], durable=True)[0],
            leave=self._leave,
        )

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
            waiting = self._shared.wait(entry, self._group.add([entry], bodies)[0])
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
                self._shared.land()
            if self._space.is_full:
                self._demand_room(entries, bodies)
            is_new_group = not self._group
            added = self._group.add(entries, bodies)
            if durable or (self._group.is_due and not self._waiters):
                self._commit_added(added, entries, bodies, durable=durable)
            elif is_new_group:
                self._timer.begin()
            return added

    def _demand_open(self) -> None:
        if self._is_closed:
            raise Unavailable(f"the journal {self.place} was closed", fix="open it again")

    def _commit_added(
        self, added: list[Record], entries: Sequence[Entry], bodies: Sequence[Formed], *, durable: bool
    ) -> None:
        """Commit what was just added with all before it, or take it back."""
        try:
            self._commit(durable=durable, refuse=lambda why: self._demand_room(entries, bodies, why))
        except BaseException:
            self._group.withdraw(added)
            raise

    def _commit(self, *, durable: bool, refuse: Callable[[Unavailable], None] | None = None) -> None:
        """Commit the open group, out of the reserve if the disk is full; ``refuse`` what may not use it."""
        try:
            self._commits.commit(self._group, durable=durable)
        except Unavailable as silence:
            if silence.code != LEDGER_FULL or self._space.is_full:
                raise
            self._space.ran_out()
            if refuse is not None:
                refuse(silence)
            self._commits.commit(self._group, durable=durable)

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
            if not may_use_reserve(entry.kind, is_of_exit=self._is_of_exit(entry, body)):
                raise out_of_space(str(self.place), entry.kind, why) from why

    def _is_of_exit(self, entry: Entry, body: Body | None) -> bool:
        if isinstance(body, IntentBody):
            return body.intent.operation.is_exit
        attempt = self._commits.attempt(entry.correlation_id) if entry.correlation_id else None
        return attempt is not None and attempt.operation.is_exit

    def _commit_if_due(self) -> None:
        """Commit the open group if it is old enough; a failure is left to whoever adds next."""
        with self._lock:
            if not self._group or not self._group.is_due or self._is_closed or self._waiters:
                return  # with those that wait, it goes to disk at once
            with suppress(TidegateError):
                self._commit(durable=False)

    def _leave(self) -> None:
        """Leave what nobody waits for to its age."""
        if self._group:
            self._timer.begin()

    def flush(self) -> None:
        """Put every record so far on disk."""
        with self._lock:
            self._shared.land()
            if self._group or not self._commits.is_on_disk:
                self._commit(durable=True)

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
                self._shared.end()
                super().close()
                self._resources.close()

    def head(self) -> tuple[int, str]:
        """Return (seq, hash) of the newest record, committed or not."""
        with self._lock:
            return self._group.head

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
            self._shared.land()
            if self._group:
                self._commit(durable=bool(self._waiters))
        with super().snapshot(doing) as connection:
            yield connection
