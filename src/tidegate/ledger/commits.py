"""A group into the store: records, projections and head in one transaction, then the note beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection

from tidegate.ledger.anchor import HeadWriter, note_named
from tidegate.ledger.attempts import Attempt
from tidegate.ledger.flight import Waiters
from tidegate.ledger.group import Closed, Group
from tidegate.ledger.place import Place
from tidegate.ledger.projections import Projector
from tidegate.ledger.store import Writing, failures_named
from tidegate.ledger.tables import insert_records, move_head
from tidegate.model import Clock, Metric, Recorder, TidegateError


class Commits:
    """Commits groups, one at a time, and tells those who wait for what is on disk.

    Whoever calls holds the journal's lock.
    """

    def __init__(
        self,
        place: Place,
        writing: Writing,
        note: HeadWriter | None,
        waiters: Waiters,
        *,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        self._place, self._where = place, str(place)
        self._writing = writing
        self._note = note
        self._waiters = waiters
        self._clock = clock
        self._recorder = recorder
        self._projector = Projector()
        self.is_on_disk = True
        """Whether the newest commit waited for the disk."""

    def commit(self, group: Group, *, durable: bool) -> None:
        """Commit the open group and empty it, or leave both store and group as they were.

        Raises
        ------
        Unavailable
            If the store fails; or, when all of it is committed, if the note cannot be written.
        """
        closed, begun_ns = group.closed(), self._clock.monotonic_ns()
        try:
            with (
                failures_named(self._where, "a commit"),
                self._writing.transaction(durable=durable) as connection,
            ):
                self._write(connection, closed)
        except BaseException:
            self._projector.forget()
            raise
        group.empty()
        self.took_place(closed, begun_ns, durable=durable)

    def begin(self, closed: Closed) -> Callable[[], None]:
        """Write all of a durable transaction but its end; return what waits for that, in any thread."""
        with failures_named(self._where, "a commit"):
            self._write(self._writing.begin(durable=True), closed)
        return self._writing.commit

    def took_place(self, closed: Closed, begun_ns: int, *, durable: bool) -> None:
        """Take note of a commit that ended well, and tell those who waited for it."""
        self.is_on_disk = durable
        self._recorder.set(Metric.JOURNAL_SEQ, closed.head[0])
        taken_s = (self._clock.monotonic_ns() - begun_ns) / 1e9
        self._recorder.observe(Metric.JOURNAL_COMMIT_SECONDS, taken_s)
        if not durable:
            return
        there, trouble = self._waiters.up_to(closed.head[0]), None
        try:
            if self._note is not None:
                with note_named(self._place):
                    self._note.write(*closed.head)
        except TidegateError as error:
            trouble = error
            raise
        finally:
            for one in there:
                one.tell(trouble or one.record)

    def undo(self) -> None:
        """Roll back what ``begin`` began; a store that is lost has nothing to undo."""
        self._projector.forget()
        with suppress(Exception):
            self._writing.rollback()

    def attempt(self, intent_id: str) -> Attempt | None:
        """Return the attempt of an intent as the tables have it."""
        return self._projector.attempt(self._writing.connection, intent_id)

    def _write(self, connection: Connection, closed: Closed) -> None:
        insert_records(connection, closed.records)
        self._projector.project(connection, closed.records, closed.bodies)
        move_head(connection, *closed.head)
