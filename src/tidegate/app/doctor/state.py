"""What a run left: the ledger, its layout and chain of hashes, books, and stops in force."""

from __future__ import annotations

from pathlib import Path

from tidegate.app.findings import Finding, examine
from tidegate.app.stopping.known import standing_differences
from tidegate.app.story import counted
from tidegate.ledger import SCHEMA_VERSION, JournalReader, Place
from tidegate.model import Clock, ConfigError, Halted
from tidegate.risk.stops import StopBook, StopFolder


def look_at_state(home: Path, ledger: Place, clock: Clock) -> list[Finding]:
    """Return how a ledger, and the stops of a home, stand."""
    checks = {
        "ledger": lambda: _ledger(ledger),
        "books": lambda: _books(ledger),
        "stops": lambda: _stops(home, ledger, clock),
    }
    return examine(checks)


def _ledger(ledger: Place) -> str:
    journal = _opened(ledger)
    if journal is None:
        return f"none yet ({ledger})"
    with journal:
        report = journal.verify()
    return f"{counted(report.records, 'record')}, chain intact, layout {SCHEMA_VERSION}"


def _books(ledger: Place) -> str:
    journal = _opened(ledger)
    if journal is None:
        return "none yet"
    with journal:
        differences = standing_differences(journal)
    if not differences:
        return "no difference from the chain stands"
    raise Halted(
        "books and chain differ, so nothing new begins",
        found="; ".join(one.found for one in differences),
        fix=f"find out why, stop what runs, then: {differences[0].way_out}",
    )


def _stops(home: Path, ledger: Place, clock: Clock) -> str:
    journal = _opened(ledger)
    if journal is not None:
        with journal:
            stops = StopBook.watch(home, clock=clock, reader=journal).in_force()
    else:
        folder = StopFolder(home)
        stops = tuple(folder.read(one) for one in folder.listing())
    if not stops:
        return "none in force"
    told = "; ".join(f"{stop.scope} by {', '.join(stop.who) or stop.set_by}: {stop.reason}" for stop in stops)
    return f"{counted(len(stops), 'stop')} in force: {told}"


def _opened(ledger: Place) -> JournalReader | None:
    try:
        return JournalReader.open(ledger)
    except ConfigError as error:
        if error.code == "no_ledger":
            return None
        raise
