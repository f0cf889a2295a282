"""Where breakers get their measures from: a board that others write to, and the book of limits."""

from __future__ import annotations

import threading
from typing import Protocol

from tidegate.model import BPS, Clock
from tidegate.risk.breakers.step import Reading
from tidegate.risk.limits import LIMITS, LimitBook, Measure, Over

LOSS_USED_BPS = "loss_used_bps"
FAILED_SHARE_BPS = "failed_share_bps"
CONSECUTIVE_FAILURES = "consecutive_failures"


class Inputs(Protocol):
    """Where measures come from. Whatever it raises is blindness, and blindness trips."""

    def read(self, name: str, scope: str) -> Reading | None:
        """Return the newest measure ``name`` of ``scope``, or None if there is none."""
        ...


class InputBoard:
    """The newest measure of each name and scope, as its owner wrote it. Safe to use from several threads.

    Parameters
    ----------
    clock
        The one by which the breakers are evaluated: an age is a difference of its times.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._readings: dict[tuple[str, str], Reading] = {}

    def write(self, name: str, scope: str, value: float) -> None:
        """Write a measure that was taken now."""
        with self._lock:
            self._readings[name, scope] = Reading(value, self._clock.now_ms())

    def read(self, name: str, scope: str) -> Reading | None:
        """Return the newest measure, or None if there was never one."""
        with self._lock:
            return self._readings.get((name, scope))


class LimitInputs:
    """Losses and failures of desks, out of the book of limits at the moment of the question.

    Parameters
    ----------
    book
        Who counts them.
    clock
        The one by which the breakers are evaluated.
    events
        Event time, by which the book counts; the same clock if None.
    """

    def __init__(self, book: LimitBook, clock: Clock, *, events: Clock | None = None) -> None:
        self._book, self._clock, self._events = book, clock, events or clock

    def read(self, name: str, scope: str) -> Reading | None:
        """Return the measure, or None if the book does not keep one of this name."""
        now_s = self._events.now_ms() // 1000
        match name:
            case "loss_used_bps":
                value = max(self._share_used(limit.name, scope, now_s) for limit in _LOSSES)
            case "failed_share_bps" | "consecutive_failures":
                value = self._book.used(name, scope, now_s=now_s)
            case _:
                return None
        return Reading(value, self._clock.now_ms())

    def _share_used(self, name: str, scope: str, now_s: int) -> int:
        limit = next(one for one in _LOSSES if one.name == name)
        used, allowed = self._book.used(name, scope, now_s=now_s), self._book.table.allows(limit, scope)
        if allowed == 0:
            return BPS if used > 0 else 0
        return -(-used * BPS // allowed)


class FirstOf:
    """Several sources, asked in order: the first that knows the measure answers."""

    def __init__(self, *sources: Inputs) -> None:
        self._sources = sources

    def read(self, name: str, scope: str) -> Reading | None:
        """Return the first measure that a source has, or None."""
        for source in self._sources:
            reading = source.read(name, scope)
            if reading is not None:
                return reading
        return None


_LOSSES = tuple(limit for limit in LIMITS if limit.measure is Measure.LOSS and limit.over is Over.DESK)
