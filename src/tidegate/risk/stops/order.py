"""What people and machines drop into the folders: orders to stop, notes to resume. Durable, and quick.

``tidegate stop`` loads this file and little else: a stop must not wait until Python has read a library
that it does not need.
"""

from __future__ import annotations

import os
import secrets
import unicodedata
from pathlib import Path

import msgspec

from tidegate.model import Unavailable

STOPS, RESUMES = "stop.d", "resume.d"
PERSON = "person"
MACHINE = "machine"
NO_EXIT_PEOPLE = 2
"""How many different people it takes to forbid exits, and to allow them again."""


class StopOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a stop file says. ``until_ms`` None: until it is resumed."""

    scope: str
    reason: str
    who: tuple[str, ...]
    at_ms: int
    set_by: str = PERSON
    until_ms: int | None = None
    allow_exit: bool = True


class ResumeNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person's word that something may end: who, why, on what evidence.

    It names one stop by its id, one breaker of ``scope``, one halt by its own scope, or one endpoint in
    quarantine as ``CHAIN.NAME``.
    """

    scope: str
    who: str
    reason: str
    evidence: str
    at_ms: int
    stop_id: str = ""
    breaker: str = ""
    halt: str = ""
    endpoint: str = ""

    @property
    def is_complete(self) -> bool:
        """Say whether it names who, why and which evidence; a note that does not releases nothing."""
        return all(text.strip() for text in (self.who, self.reason, self.evidence))


def count_people(names: tuple[str, ...]) -> int:
    """Return how many different people are named; what a reader can not see makes no other person.

    Case, spaces, marks of no width and other widths of the same letter are such: ``ann``, ``Ann `` and
    ``ann`` with an invisible mark behind it are one.
    """
    return len({seen for name in names if (seen := _as_seen(name))})


def _as_seen(name: str) -> str:
    visible = "".join(one for one in name if unicodedata.category(one)[0] not in "CZ")
    return unicodedata.normalize("NFKC", visible).casefold()


def make_folders(home: Path) -> None:
    """Make both folders in a project's home. Raises ``Unavailable`` if they can not be made."""
    try:
        for folder in (STOPS, RESUMES):
            (home / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(home / STOPS, error) from error


def drop_stop(home: Path, order: StopOrder) -> str:
    """Drop a stop and return its file's name. It is on disk when this returns.

    Raises
    ------
    Unavailable
        If it can not be written.
    """
    make_folders(home)
    return _drop(home, STOPS, order.at_ms, msgspec.json.encode(order))


def drop_note(home: Path, note: ResumeNote) -> str:
    """Drop a note and return its file's name. It is on disk when this returns; else ``Unavailable``."""
    make_folders(home)
    return _drop(home, RESUMES, note.at_ms, msgspec.json.encode(note))


def _drop(home: Path, folder: str, at_ms: int, content: bytes) -> str:
    """Write whole beside the folder, then move in: whoever looks never sees half of it."""
    path = home / folder / f"{at_ms}-{secrets.token_hex(4)}"
    temporary = home / f".writing-{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error
    return path.name


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{path} can not be written, so nothing is stopped or resumed by it",
        code="stop_folder",
        found=str(error),
        allowed="a home that this user may write, with space left",
        fix="name it by TIDEGATE_HOME, or create the file stop.d/NAME in it by hand",
    )
