"""A commit on its way to the disk, and the tasks that wait for it.

Only the COMMIT itself is waited for in another thread: what the transaction holds was written by whoever
began it, so that nothing of the journal is touched from there. Records that come meanwhile are the next
group's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from tidegate.ledger.entry import Entry
from tidegate.ledger.group import Closed
from tidegate.ledger.records import Record


@dataclass(slots=True)
class Waiting:
    """A record that a task wants on disk, and how the task hears of it."""

    entry: Entry
    record: Record
    heard: asyncio.Future[Record]

    def tell(self, outcome: Record | Exception) -> None:
        """Let the task go on, from whatever thread; a task whose loop is gone hears nothing."""
        on_loop(self.heard.get_loop(), lambda: self._hear(outcome))

    def _hear(self, outcome: Record | Exception) -> None:
        if isinstance(outcome, Exception):
            self.heard.set_exception(outcome)
        else:
            self.heard.set_result(outcome)


class Waiters:
    """Those who wait, in the order of their records."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self.go_apart = False
        """Whether a commit that they share failed: each record is tried by itself then."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, one: Waiting) -> None:
        """Let one more wait; its record is the newest."""
        self._waiting.append(one)

    def up_to(self, seq: int) -> list[Waiting]:
        """Take out those whose record is on disk, in a commit that ended with ``seq``."""
        self.go_apart = False
        there = [one for one in self._waiting if one.record.seq <= seq]
        self._waiting = self._waiting[len(there) :]
        return there

    def everyone(self) -> list[Waiting]:
        """Take all of them out, to be tried one by one."""
        self.go_apart = False
        waiting, self._waiting = self._waiting, []
        return waiting


@dataclass(frozen=True, slots=True)
class Flight:
    """A transaction whose COMMIT a thread is waiting for."""

    closed: Closed
    begun_ns: int
    loop: asyncio.AbstractEventLoop
    landing: Future[None]

    def when_down(self, loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
        """Call ``then`` in the loop once the COMMIT has ended, well or not."""
        self.landing.add_done_callback(lambda _: _call(loop, then))


def on_loop(loop: asyncio.AbstractEventLoop, do: Callable[[], None]) -> None:
    """Do it in the loop's thread: at once if that is this one. A loop that was closed does nothing."""
    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:
        is_here = False
    if is_here:
        do()
    else:
        _call(loop, do)


def _call(loop: asyncio.AbstractEventLoop, do: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # it was closed
        loop.call_soon_threadsafe(do)


async def heard_of(waiting: Waiting) -> Record:
    """Return the record once it is on disk.

    A task that is cancelled meanwhile hears it all the same, and is cancelled where it waits next: what was
    written is never unknown to whoever wrote it.
    """
    task = asyncio.current_task()
    cancels = 0
    while not waiting.heard.done():
        try:
            await asyncio.wait({waiting.heard})
        except asyncio.CancelledError:
            cancels += 1
    for _ in range(cancels if task is not None else 0):
        task.uncancel()  # type: ignore[union-attr]
        task.cancel()  # type: ignore[union-attr]
    return waiting.heard.result()
