"""What we announced: the ids of changes that a plan file of ours proposes.

An event of administration that nobody announced is an alert; so whoever proposes changes writes here
first, and whoever looks at an executor compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tidegate.chain import hex_data, octets
from tidegate.venues.executor import Change


class Announcements:
    """The announced changes of one executor: one id a line in ``<home>/announced/<chain>-<name>``."""

    def __init__(self, home: Path, chain: str, name: str) -> None:
        self._path = home / "announced" / f"{chain}-{name}"

    def ids(self) -> frozenset[bytes]:
        """Return the ids of all changes that were ever announced."""
        if not self._path.exists():
            return frozenset()
        lines = self._path.read_text(encoding="utf-8").splitlines()
        return frozenset(octets(line.partition(" ")[0]) for line in lines if line.strip())

    def add(self, changes: Iterable[Change], reason: str) -> None:
        """Announce ``changes``; ``reason`` stands behind each id, for people."""
        known = self.ids()
        lines = [f"{hex_data(one.id)} {' '.join(reason.split())}\n" for one in changes if one.id not in known]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(lines)
