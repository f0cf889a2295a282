"""What we announced: the ids of changes that a plan file of ours proposes, and of acts such as a pause.

An event of administration that nobody announced is an alert; so whoever proposes changes writes here
first, and whoever looks at an executor compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tidegate.chain import hex_data, octets
from tidegate.model import Address, digest
from tidegate.venues.executor import Change

PAUSED = "paused"


def act_id(executor: Address, what: str, who: Address, ordinal: int) -> bytes:
    """Return what an act without a change is known by: the ``ordinal``-th time that ``who`` did it, from 1.

    An announcement is so used up by the event that it speaks of: the next one needs another.
    """
    return bytes.fromhex(digest([executor, what, who, ordinal]))


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
        self._write([one.id for one in changes if one.id not in known], reason)

    def add_act(self, executor: Address, what: str, who: Address, reason: str) -> None:
        """Announce that ``who`` does something to ``executor`` once more, such as to pause it."""
        known, ordinal = self.ids(), 1
        while act_id(executor, what, who, ordinal) in known:
            ordinal += 1
        self._write([act_id(executor, what, who, ordinal)], reason)

    def _write(self, ids: Iterable[bytes], reason: str) -> None:
        lines = [f"{hex_data(one)} {' '.join(reason.split())}\n" for one in ids]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(lines)
