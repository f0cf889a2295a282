"""One mebibyte beside the ledger that nobody uses, so that a full disk still has room for exits.

Its blocks are taken from the disk, not only its name, and given up at the first commit that finds no
space. What may be written from then on is what exits and the bytes that are already out need; new
intents are refused until the reserve could be filled again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tidegate.ledger.store import LEDGER_FULL, Writing
from tidegate.model import Clock, RecordKind, Unavailable

RESERVE_BYTES = 1_048_576
_LOOK_AGAIN_NS = 1_000_000_000
_CHUNK = bytes(65_536)

_CHATTER = frozenset(
    {
        RecordKind.EVENT,
        RecordKind.MARK,
        RecordKind.SUMMARY,
        RecordKind.JUDGEMENT,
        RecordKind.DRILL,
        RecordKind.SIGNAL,
    }
)
"""What nothing acts on: it may not use up the room that exits need."""

_BEGINNING = frozenset(
    {RecordKind.INTENT, RecordKind.LIMITS, RecordKind.PLAN, RecordKind.NONCE, RecordKind.SIGNATURE}
)
"""What leads to new bytes: for an exit's intent alone."""


class Reserve:
    """The file that keeps the space, or nothing where ``path`` is None (the disk is not ours)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def fill(self) -> bool:
        """Take the reserve from the disk if it is not there whole; say whether it is now."""
        if self._path is None or self._is_whole(self._path):
            return True
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _allocate(descriptor)
            finally:
                os.close(descriptor)
            if self._is_whole(self._path):
                return True
        except OSError:
            pass  # no space, or no right: either way there is no reserve
        self.release()
        return False

    def release(self) -> None:
        """Give the space back to the disk. Doing so twice is harmless."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    @staticmethod
    def _is_whole(path: Path) -> bool:
        try:
            return path.stat().st_size == RESERVE_BYTES
        except OSError:
            return False


def _allocate(descriptor: int) -> None:
    """Take the blocks from the disk; where the system cannot be asked for them, by writing them."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
    for at in range(0, RESERVE_BYTES, len(_CHUNK)):
        os.pwrite(descriptor, _CHUNK, at)


class Space:
    """Whether the disk of a ledger has room: holds the reserve, gives it up, and fills it again.

    Parameters
    ----------
    path
        Where the reserve lies, or None.
    clock
        By which the disk is looked at again, once a second.
    writing
        The store, which is told to save space.
    on_full
        Is told when the disk is full, and when it has room again.
    """

    def __init__(
        self, path: Path | None, clock: Clock, writing: Writing, on_full: Callable[[bool], None] | None
    ) -> None:
        self._reserve = Reserve(path)
        self._clock = clock
        self._writing = writing
        self._on_full = on_full
        self._looked_ns = clock.monotonic_ns()
        self.is_full = False
        if not self._reserve.fill():
            self.ran_out()

    def ran_out(self) -> None:
        """Give the reserve up: a commit found no space."""
        self._looked_ns = self._clock.monotonic_ns()
        self._reserve.release()
        self._tell(is_full=True)

    def has_room_again(self) -> bool:
        """Fill the reserve again if there is room, and say whether there is; looks once a second."""
        now_ns = self._clock.monotonic_ns()
        if self.is_full and now_ns - self._looked_ns >= _LOOK_AGAIN_NS:
            self._looked_ns = now_ns
            if self._reserve.fill():
                self._tell(is_full=False)
        return not self.is_full

    def _tell(self, *, is_full: bool) -> None:
        self.is_full = is_full
        self._writing.save_space(is_full=is_full)
        if self._on_full is not None:
            self._on_full(is_full)


def out_of_space(where: str, refused: RecordKind, why: Unavailable | None) -> Unavailable:
    """Return the refusal of a record that may not use the reserve."""
    return Unavailable(
        f"the disk of {where} is full: nothing new is begun",
        code=LEDGER_FULL,
        found=f"{refused} refused, the reserve is kept for exits" + (f": {why.found}" if why else ""),
        allowed="exits, and what follows the bytes that are out",
        fix="free space on the disk: new intents are taken again within seconds",
    )


def may_use_reserve(kind: RecordKind, *, is_of_exit: bool) -> bool:
    """Say whether a record may be written while the disk is full.

    Parameters
    ----------
    is_of_exit
        Whether the record belongs to an intent that only lessens what is at risk.
    """
    return is_of_exit if kind in _BEGINNING else kind not in _CHATTER
