"""What is stopped just now, as any process can know it: the folder, and the journal if there is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.app.stopping.letting_go import let_go, quarantined
from tidegate.app.stopping.lifting import lift_halts
from tidegate.ledger import (
    BreakerBody,
    EndpointBody,
    HaltBody,
    Journal,
    JournalReader,
    Place,
    ReconciliationBody,
)
from tidegate.ledger.reconcile import DIFFERENT
from tidegate.model import ConfigError, SystemClock, Unavailable, format_units
from tidegate.risk import Stop, StopBook

_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    """Books that differ from the chain's, so that nothing new begins; ``seq`` is what a person explains."""

    seq: int
    body: ReconciliationBody

    @property
    def found(self) -> str:
        """Return what differs, in whole tokens."""
        return "; ".join(
            f"{one.symbol} of {one.account}: chain {format_units(one.found, one.decimals)}, "
            f"books {format_units(one.booked, one.decimals)}"
            for one in self.body.counted
        )

    @property
    def way_out(self) -> str:
        """Return what a person types once it is known why; whatever runs on the ledger is stopped for it."""
        return f'tidegate journal explain {self.seq} --reason "…"'


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that a person may have to end. ``agreed`` says who wants a stop ended so far, by its id."""

    stops: tuple[Stop, ...]
    agreed: dict[str, tuple[str, ...]]
    breakers: tuple[BreakerBody, ...]
    halts: tuple[HaltBody, ...]
    endpoints: tuple[EndpointBody, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def tripped(self) -> tuple[BreakerBody, ...]:
        """Return the breakers that stand above level 0."""
        return tuple(breaker for breaker in self.breakers if breaker.level > 0)


def known_now(home: Path, ledger: Place) -> Known:
    """Return what is in force by the folder of ``home`` and by the ledger, if one was ever written."""
    clock = SystemClock()
    try:
        reader = JournalReader.open(ledger)
    except ConfigError as error:
        if error.code != "no_ledger":
            raise
        book = StopBook(home, clock=clock)
        return _known(book, (), ())
    with reader:
        book = StopBook.watch(home, clock=clock, reader=reader)
        breakers = (BreakerBody.from_body(one.body) for one in reader.standing(BreakerBody.TOPIC))
        halts = (HaltBody.from_body(one.body) for one in reader.standing(HaltBody.TOPIC))
        return _known(book, tuple(breakers), tuple(halts), quarantined(reader), standing_differences(reader))


def standing_differences(reader: JournalReader) -> tuple[Difference, ...]:
    """Return where books and chain differ and nobody has explained it yet."""
    found = (
        Difference(one.seq, ReconciliationBody.from_body(one.body))
        for one in reader.standing(ReconciliationBody.TOPIC)
    )
    return tuple(one for one in found if one.body.verdict == DIFFERENT)


def journaled_now(home: Path, ledger: Place) -> bool:
    """Write into the ledger what was dropped, if no process owns it; say whether that was so.

    A stop whose file vanishes before any process saw it would be forgotten. While a process runs, that one
    writes it within its next look. Halts of desks and chains that a person lifted are lifted, endpoints let
    go; a breaker or a key's halt needs the process that measures.
    """
    with suppress(ConfigError, Unavailable):
        JournalReader.open(ledger).close()  # where nothing was ever written, nothing is begun
        with Journal.open(ledger, clock=SystemClock()) as journal:
            book = StopBook.open(home, clock=SystemClock(), journal=journal)
            if any(note.halt for _, note in book.folder.notes()):
                from tidegate.pipeline import HaltBook  # a second to load, and seldom needed

                lift_halts(book.folder, HaltBook(journal))
            for path, note in book.folder.notes():
                if note.endpoint:
                    let_go(journal, note)
                    book.folder.discard_note(path)
            return True
    return False


def until_gone(is_gone: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until a running process has acted on what was dropped; say whether it did in time."""
    deadline = time.monotonic() + seconds
    while not is_gone():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_AGAIN_S)
    return True


def _known(
    book: StopBook,
    breakers: tuple[BreakerBody, ...],
    halts: tuple[HaltBody, ...],
    endpoints: tuple[EndpointBody, ...] = (),
    differences: tuple[Difference, ...] = (),
) -> Known:
    stops = book.in_force()
    agreed = {stop.id: book.agreed(stop) for stop in stops}
    return Known(stops, agreed, breakers, halts, endpoints, differences)
