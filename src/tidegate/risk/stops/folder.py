"""The folders by which a stop and its release travel from one process to another.

``stop.d`` holds stops alone: whatever lies in it is one. ``resume.d`` holds the notes that release
them. What is written is on disk before the name appears, and the name is on disk before we return.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tidegate.risk.stops.order import (
    RESUMES,
    STOPS,
    ResumeNote,
    StopOrder,
    drop_note,
    drop_stop,
    make_folders,
)
from tidegate.risk.stops.stop import Stop

_LARGEST = 64 * 1024


class Dropped(msgspec.Struct, frozen=True):
    """Something in ``stop.d``: where, its name as text, and when it was written."""

    path: Path
    name: str
    written_ns: int

    @property
    def id(self) -> str:
        """Return what tells it from anything else that was ever dropped."""
        return f"{self.name}@{self.written_ns}"


class StopFolder:
    """``stop.d`` and ``resume.d`` below the home of a project; made at the first use."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.stops = home / STOPS
        self.resumes = home / RESUMES
        make_folders(home)

    def write_stop(self, order: StopOrder) -> str:
        """Drop a stop; see ``drop_stop``."""
        return drop_stop(self.home, order)

    def write_note(self, note: ResumeNote) -> None:
        """Drop a note; see ``drop_note``."""
        drop_note(self.home, note)

    def listing(self) -> list[Dropped]:
        """Return everything in ``stop.d``.

        The folder is listed, not its time compared: file systems keep that time in ticks of some
        milliseconds, and a stop that was dropped in the tick of the last look would never be seen.

        Raises
        ------
        OSError
            If the folder can not be read.
        """
        with os.scandir(self.stops) as entries:
            return [Dropped(Path(entry.path), _shown(entry.name), _written_ns(entry)) for entry in entries]

    def read(self, dropped: Dropped) -> Stop:
        """Return the stop of a file; one that can not be read is a stop like an empty one."""
        return Stop.of_file(dropped.name, dropped.written_ns, _content(dropped.path))

    def notes(self) -> Iterator[tuple[Path, ResumeNote]]:
        """Yield every note that says who, why and on what evidence, oldest name first."""
        try:
            paths = sorted(self.resumes.iterdir())
        except OSError:
            return  # nobody releases anything by a folder that can not be read
        for path in paths:
            try:
                note = msgspec.json.decode(_content(path), type=ResumeNote)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if note.is_complete:
                yield path, note

    def discard(self, stop: Stop) -> None:
        """Take a released stop's file away, unless the same name was dropped again meanwhile."""
        aside = self.home / f".released-{secrets.token_hex(8)}"
        try:
            for dropped in self.listing():
                if dropped.id == stop.id:
                    dropped.path.rename(aside)
                    if aside.lstat().st_mtime_ns == dropped.written_ns:
                        aside.unlink()
                    else:
                        aside.rename(dropped.path)
        except OSError:
            return  # it vanished, or can not be moved: its id is known as released

    def discard_note(self, path: Path) -> None:
        """Take a note away that has done its work."""
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return  # what it released is released; it names no other stop


def _shown(name: str) -> str:
    """Return a file's name as printable text that has a canonical form."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(mark if mark.isprintable() else f"\\x{ord(mark):02x}" for mark in text)


def _written_ns(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_mtime_ns
    except OSError:
        return 0  # it is there, and that is enough


def _content(path: Path) -> bytes:
    """Return the first bytes of a regular file, none of anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _LARGEST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)
