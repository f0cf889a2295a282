"""Where a demo's journal and report lie, and whether an earlier run is to be continued."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from tidegate.ledger import Journal, JournalReader
from tidegate.model import Clock, ConfigError, RecordKind, Tampered, Unavailable

_RUN = re.compile(r"run-[0-9]{4,9}")


class Settings(msgspec.Struct, frozen=True):
    """What makes a run the one it is: the same settings give the same journal."""

    version: str
    seed: int
    blocks: int
    strategies: dict[str, str]
    """The digest of each strategy file by its name."""

    def as_body(self) -> dict[str, Any]:
        """Return the body of the session record."""
        return {"demo": msgspec.to_builtins(self), "stage": "paper"}


class Place(msgspec.Struct, frozen=True):
    """The folder of one run."""

    folder: Path
    continues: bool

    @property
    def ledger(self) -> Path:
        """Return the journal's file."""
        return self.folder / "ledger.sqlite"

    @property
    def report(self) -> Path:
        """Return the report's file."""
        return self.folder / "report.html"


def choose_place(demo_home: Path, settings: Settings, *, fresh: bool) -> Place:
    """Return the newest run's folder if that run is unfinished, else a new one.

    A run is continued only after every record of its journal was checked: bytes signed there are sent again.

    Raises
    ------
    ConfigError
        If the unfinished run has other settings.
    Tampered, Unavailable
        If the newest run can not be read, or is unfinished and its journal is not as it was written.
    """
    newest = _newest(demo_home)
    if newest is not None and not fresh:
        found = _unfinished(newest)
        if found == settings:
            return Place(newest, continues=True)
        if found is not None:
            raise ConfigError(
                f"an unfinished demo lies in {newest}",
                found=f"seed {found.seed}, {found.blocks} blocks, version {found.version}",
                allowed="the same settings, to continue it",
                fix=f"tidegate demo --seed {found.seed} --blocks {found.blocks}, or start anew with --fresh",
            )
    number = 1 + (int(newest.name[4:]) if newest is not None else 0)
    return Place(demo_home / f"run-{number:04d}", continues=False)


def open_journal(place: Place, settings: Settings, clock: Clock) -> Journal:
    """Open the run's journal; a new one begins with the session record."""
    journal = Journal.open(place.ledger, clock=clock)
    if not place.continues:
        journal.append(RecordKind.SESSION, settings.as_body(), actor="demo")
        journal.flush()
    return journal


def _newest(demo_home: Path) -> Path | None:
    runs = [path for path in demo_home.glob("run-*") if _RUN.fullmatch(path.name)]
    return max(runs, key=lambda path: int(path.name[4:]), default=None)


def _unfinished(folder: Path) -> Settings | None:
    """Return the settings of a run that has no summary yet; None if it has one, or never began."""
    try:
        with JournalReader.open(folder / "ledger.sqlite") as reader:
            if list(reader.records(kind=RecordKind.SUMMARY, limit=1)) or reader.verify().records == 0:
                return None
            return msgspec.convert(next(reader.records()).body["demo"], Settings)
    except (Tampered, Unavailable, ConfigError) as error:
        if error.code == "no_ledger":
            return None  # it was killed before its first record
        raise type(error)(
            f"the newest demo, in {folder}, can not be continued: {error.message}",
            code=error.code,
            found=error.found,
            allowed="a journal that is as it was written",
            fix=f"keep {folder} as evidence, and start anew: tidegate demo --fresh",
        ) from error
    except (KeyError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"an unfinished demo of another release lies in {folder}",
            found=str(error),
            allowed="one that this release began",
            fix="finish it with the release that began it, or start anew: tidegate demo --fresh",
        ) from error
