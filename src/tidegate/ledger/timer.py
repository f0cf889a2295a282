"""Commits a group that nobody adds to: the second half of "256 records or 2 ms"."""

from __future__ import annotations

import threading
from collections.abc import Callable


class GroupTimer:
    """Calls ``work`` some time after each ``begin``, in a thread of its own, until ``end``."""

    def __init__(self, work: Callable[[], None], delay_s: float) -> None:
        self._work = work
        self._delay_s = delay_s
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Ask for a call; several before it is made are one."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="journal group", daemon=True)
            self._thread.start()
        self._wanted.set()

    def end(self) -> None:
        """Make no further call; one that is being made is waited for."""
        self._ended.set()
        self._wanted.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait() and not self._ended.is_set():
            self._wanted.clear()
            if not self._ended.wait(self._delay_s):
                self._work()
