"""One mebibyte beside the ledger that nobody uses, so that a full disk still has room for exits.

It is written out, not only reserved in name, and given up at the first commit that finds no space. What
may be written from then on is what exits and the bytes that are already out need; new intents are
refused until the reserve could be filled again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tidegate.model import RecordKind

RESERVE_BYTES = 1_048_576
_CHUNK = bytes(65_536)

_CHATTER = frozenset(
    {RecordKind.EVENT, RecordKind.MARK, RecordKind.SUMMARY, RecordKind.JUDGEMENT, RecordKind.DRILL}
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
        """Write the reserve out if it is not there whole; say whether it is now."""
        if self._path is None or self._is_whole(self._path):
            return True
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                for at in range(0, RESERVE_BYTES, len(_CHUNK)):
                    os.pwrite(descriptor, _CHUNK, at)
                os.fsync(descriptor)
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


def may_use_reserve(kind: RecordKind, *, is_of_exit: bool) -> bool:
    """Say whether a record may be written while the disk is full.

    Parameters
    ----------
    is_of_exit
        Whether the record belongs to an intent that only lessens what is at risk.
    """
    return is_of_exit if kind in _BEGINNING else kind not in _CHATTER
