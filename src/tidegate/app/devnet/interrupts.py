"""Being asked to end, by a terminal, a service manager or a lost connection: all the same to us."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Within ``with`` SIGINT, SIGTERM and SIGHUP raise ``KeyboardInterrupt``; within ``held`` at its end.

    Python hands signals to the main thread alone: elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._is_held = False
        self._was_asked = False

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _ASKING:
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Finish what is begun here before an end is thought of."""
        self._is_held, before = True, self._is_held
        try:
            yield
        finally:
            self._is_held = before
        if self._was_asked and not before:
            self._was_asked = False
            raise KeyboardInterrupt

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_held:
            self._was_asked = True
        else:
            raise KeyboardInterrupt
