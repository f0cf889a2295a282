"""Commits that tasks share: what all of them append until the loop comes round goes to disk at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tidegate.ledger.commits import Commits
from tidegate.ledger.entry import Entry
from tidegate.ledger.flight import Flight, Waiters, Waiting
from tidegate.ledger.group import Group
from tidegate.ledger.records import Record
from tidegate.ledger.store import failures_named
from tidegate.model import Clock, TidegateError


class SharedCommits:
    """Writes the open group for those who wait, and lets a thread wait for its COMMIT.

    One commit is on its way at a time; whoever needs the store meanwhile lands it first (``land``).

    Parameters
    ----------
    lock
        The journal's. Whoever calls ``wait`` or ``land`` holds it.
    alone
        Commits one entry by itself, durably.
    leave
        What is done with records that are in the open group and nobody waits for.
    """

    def __init__(
        self,
        lock: threading.RLock,
        group: Group,
        commits: Commits,
        waiters: Waiters,
        *,
        where: str,
        clock: Clock,
        alone: Callable[[Entry], Record],
        leave: Callable[[], None],
    ) -> None:
        self._lock = lock
        self._group = group
        self._commits = commits
        self._waiters = waiters
        self._where = where
        self._clock = clock
        self._alone = alone
        self._leave = leave
        self._flight: Flight | None = None
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal disk")

    def wait(self, entry: Entry, record: Record) -> Waiting:
        """Let the running task wait for a record of the open group; it goes when the loop comes round."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(entry, record, loop.create_future())
        self._waiters.add(waiting)
        loop.call_soon(self.take_off, loop)
        return waiting

    def take_off(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write the open group, and let a thread wait for its COMMIT; what comes meanwhile is the next."""
        with self._lock:
            if self._flight is not None and not self._flight.landing.done():
                if self._flight.loop is not loop:
                    self._flight.when_down(loop, lambda: self.take_off(loop))
                return
            with suppress(TidegateError):  # those whom it concerns were told
                self.land()
            if self._waiters.go_apart:
                self._take_apart()
            if not self._waiters:
                self._leave()
                return
            closed, begun_ns = self._group.closed(), self._clock.monotonic_ns()
            try:
                ending = self._commits.begin(closed)
            except Exception:  # noqa: BLE001 - each record by itself raises what is its own
                self._commits.undo()
                self._take_apart()
                return
            self._group.empty()
            self._flight = Flight(closed, begun_ns, loop, self._disk.submit(ending))
            self._flight.when_down(loop, lambda: self.take_off(loop))

    def land(self) -> None:
        """Wait for the commit that is on its way, if there is one; if it failed, its group is open again."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        try:
            with failures_named(self._where, "a commit"):
                flight.landing.result()
        except Exception:  # noqa: BLE001 - each record by itself raises what is its own
            self._group.reopen(flight.closed)
            self._waiters.go_apart = True
            self._commits.undo()
            return
        self._commits.took_place(flight.closed, flight.begun_ns, durable=True)

    def end(self) -> None:
        """Let go of the thread. Whoever waits after that is told that the journal was closed."""
        self._disk.shutdown()

    def _take_apart(self) -> None:
        """After a shared commit that failed: commit each record that is waited for by itself."""
        waiting = self._waiters.everyone()
        self._group.withdraw([one.record for one in waiting])
        for one in waiting:
            try:
                one.tell(self._alone(one.entry))
            except Exception as error:  # noqa: BLE001 - told to whom it concerns
                one.tell(error)
