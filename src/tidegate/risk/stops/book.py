"""The stops in force, as one process sees them: seen at every step, released by notes alone.

The process that owns the ledger journals each stop and each release before it acts on the release.
So a stop whose file vanishes stays, through a restart too, until people resume it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, Self

from tidegate.ledger import Body, Journal, JournalReader, Record, ResumeBody, StopBody
from tidegate.model import Clock, Metric, NullRecorder, Operation, Recorder, RecordKind, Unavailable
from tidegate.risk.scope import Place, Scope
from tidegate.risk.steady import SteadyClock
from tidegate.risk.stops.folder import StopFolder
from tidegate.risk.stops.order import MACHINE, ResumeNote, StopOrder, count_people
from tidegate.risk.stops.stop import Stop

ACTOR = "stops"


class Appends(Protocol):
    """What journals: the ledger's journal, as far as it is needed here."""

    def append(self, kind: RecordKind, body: Body, *, actor: str) -> Record:
        """Append one record; durable when it returns, for the kinds written here."""
        ...


class StopBook:
    """Stops in force. Safe to ask from several threads.

    Parameters
    ----------
    home
        The project's home; its ``stop.d`` is looked at anew at every question.
    clock
        For expiry; a jump of the machine's time ends no stop.
    journal
        Where stops and releases are written, in the process that owns the ledger; None in any other.
    reader
        Where another process looks up whether a stop whose file is gone was released.
    known, released
        Stops that the journal holds as in force, and ids of those that it holds as released.
    """

    def __init__(
        self,
        home: Path,
        *,
        clock: Clock,
        journal: Appends | None = None,
        reader: JournalReader | None = None,
        known: Iterable[Stop] = (),
        released: Iterable[str] = (),
        recorder: Recorder | None = None,
    ) -> None:
        self.folder = StopFolder(home)
        self._clock = clock
        self._journal = journal
        self._reader = reader
        self._recorder = recorder or NullRecorder()
        self._lock = threading.RLock()
        self._steady = SteadyClock(clock)
        self._released = set(released)
        self._in_force = {stop.id: stop for stop in known if stop.id not in self._released}
        self._unwritten: set[str] = set()
        self._scopes: set[str] = set()
        self._blind: Stop | None = None
        self.refresh()

    @classmethod
    def open(cls, home: Path, *, clock: Clock, journal: Journal, recorder: Recorder | None = None) -> Self:
        """Return the book of the process that owns the ledger."""
        known, released = read_stops(journal)
        return cls(home, clock=clock, journal=journal, known=known, released=released, recorder=recorder)

    @classmethod
    def watch(cls, home: Path, *, clock: Clock, reader: JournalReader) -> Self:
        """Return the book of any other process: it sees the same and changes nothing."""
        known, released = read_stops(reader)
        return cls(home, clock=clock, reader=reader, known=known, released=released)

    def blocking(self, place: Place, operation: Operation) -> Stop | None:
        """Return a stop in force that blocks the operation there, or None; one that forbids exits first.

        The folder is read anew: a stop that was dropped before this call is seen by it. A folder that
        can not be read is itself a stop of everything but exits.
        """
        with self._lock:
            self.refresh()
            blocking = (stop for stop in self._all() if stop.blocks(place, operation))
            return min(blocking, key=lambda stop: (stop.allow_exit, stop.at_ms), default=None)

    def in_force(self) -> tuple[Stop, ...]:
        """Return every stop in force now, oldest first."""
        with self._lock:
            self.refresh()
            return tuple(sorted(self._all(), key=lambda stop: (stop.at_ms, stop.id)))

    def agreed(self, stop: Stop) -> tuple[str, ...]:
        """Return who has agreed so far that the stop may end."""
        return _people(note for _, note in self.folder.notes() if note.stop_id == stop.id)

    def set(self, order: StopOrder) -> Stop:
        """Stop, for a machine or a person in this process: durable first, then in force."""
        with self._lock:
            name = self.folder.write_stop(order)
            self.refresh()
            return next(stop for stop in self._in_force.values() if stop.name == name)

    def refresh(self) -> None:
        """Look at the folders: take up what is new, release what people released, end what is over."""
        with self._lock:
            self._take_up()
            if self._in_force:
                self._release()
                self._expire()
            self._count()

    def _all(self) -> list[Stop]:
        blind = [] if self._blind is None else [self._blind]
        return blind + list(self._in_force.values())

    def _take_up(self) -> None:
        try:
            listing = self.folder.listing()
        except OSError as error:
            self._blind = _unreadable(self.folder.stops, error, self._clock.now_ms())
            return
        self._blind = None
        for dropped in listing:
            if dropped.id not in self._in_force and dropped.id not in self._released:
                self._in_force[dropped.id] = self.folder.read(dropped)
                self._unwritten.add(dropped.id)
        for stop_id in tuple(self._unwritten):
            if self._write(self._in_force[stop_id].body):
                self._unwritten.discard(stop_id)
        if self._reader is not None and not self._in_force.keys() <= {dropped.id for dropped in listing}:
            self._released |= read_stops(self._reader)[1]
            for stop_id in self._released & self._in_force.keys():
                del self._in_force[stop_id]

    def _release(self) -> None:
        notes: dict[str, list[tuple[Path, ResumeNote]]] = {}
        for path, note in self.folder.notes():
            if note.stop_id in self._released and self._journal is not None:
                self.folder.discard_note(path)  # its work was done before a kill
            notes.setdefault(note.stop_id, []).append((path, note))
        for stop in tuple(self._in_force.values()):
            given = notes.get(stop.id, [])
            who = _people(note for _, note in given)
            if count_people(who) >= stop.people_to_release:
                note = given[-1][1]
                body = ResumeBody(
                    scope=str(stop.scope),
                    who=who,
                    reason=note.reason,
                    evidence=note.evidence,
                    at_ms=note.at_ms,
                    stop_id=stop.id,
                )
                self._end(stop, body, [path for path, _ in given])

    def _expire(self) -> None:
        for stop in tuple(self._in_force.values()):
            if stop.until_ms is None:
                continue
            now_ms = min(self._steady.now_ms(), self._clock.now_ms())
            if now_ms >= stop.until_ms:
                body = ResumeBody(
                    scope=str(stop.scope),
                    who=stop.who,
                    reason="its time is over",
                    evidence=f"set until {stop.until_ms}",
                    at_ms=now_ms,
                    stop_id=stop.id,
                )
                self._end(stop, body, [])

    def _end(self, stop: Stop, body: ResumeBody, notes: list[Path]) -> None:
        """Write the release, then act on it: a release that is not on disk releases nothing."""
        if stop.id in self._unwritten or not self._write(body):
            return
        self._released.add(stop.id)
        del self._in_force[stop.id]
        if self._journal is not None:
            self.folder.discard(stop)
            for path in notes:
                self.folder.discard_note(path)

    def _write(self, body: StopBody | ResumeBody) -> bool:
        if self._journal is None:
            return True
        try:
            self._journal.append(body.KIND, body, actor=ACTOR)
        except Unavailable:
            return False  # the stop holds all the same; the next look tries again
        return True

    def _count(self) -> None:
        counted = Counter(str(stop.scope) for stop in self._in_force.values())
        if self._blind is not None:
            counted[str(self._blind.scope)] += 1
        for scope in self._scopes | set(counted):
            self._recorder.set(Metric.STOPS, counted[scope], scope=scope)
        self._scopes = set(counted)


def read_stops(journal: JournalReader) -> tuple[tuple[Stop, ...], frozenset[str]]:
    """Return the stops that a journal holds as in force, and the ids of those that were released."""
    released = frozenset(
        ResumeBody.from_body(record.body).stop_id for record in journal.records(kind=RecordKind.RESUME)
    )
    standing = journal.standing(StopBody.TOPIC)
    return tuple(Stop.of_body(StopBody.from_body(one.body)) for one in standing), released


def _people(notes: Iterable[ResumeNote]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note.who.strip() for note in notes))


def _unreadable(folder: Path, error: OSError, now_ms: int) -> Stop:
    return Stop(
        id="unreadable",
        name="",
        scope=Scope(),
        reason=f"{folder} can not be read, so nobody knows whether there is a stop: {error}",
        who=("tidegate",),
        set_by=MACHINE,
        at_ms=now_ms,
    )
