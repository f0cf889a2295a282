"""What a run left: the ledger, its layout and chain of hashes, and stops in force."""

from __future__ import annotations

from pathlib import Path

from tidegate.app.findings import Finding, examine
from tidegate.app.story import counted
from tidegate.ledger import SCHEMA_VERSION, JournalReader
from tidegate.model import Clock
from tidegate.risk.stops import StopBook, StopFolder


def look_at_state(home: Path, clock: Clock) -> list[Finding]:
    """Return how the ledger and the stops of a home stand."""
    return examine({"ledger": lambda: _ledger(home), "stops": lambda: _stops(home, clock)})


def _ledger(home: Path) -> str:
    path = home / "ledger.sqlite"
    if not path.exists():
        return f"none yet ({path})"
    with JournalReader.open(path) as journal:
        report = journal.verify()
    return f"{counted(report.records, 'record')}, chain intact, layout {SCHEMA_VERSION}"


def _stops(home: Path, clock: Clock) -> str:
    path = home / "ledger.sqlite"
    if path.exists():
        with JournalReader.open(path) as journal:
            stops = StopBook.watch(home, clock=clock, reader=journal).in_force()
    else:
        folder = StopFolder(home)
        stops = tuple(folder.read(one) for one in folder.listing())
    if not stops:
        return "none in force"
    told = "; ".join(f"{stop.scope} by {', '.join(stop.who) or stop.set_by}: {stop.reason}" for stop in stops)
    return f"{counted(len(stops), 'stop')} in force: {told}"
