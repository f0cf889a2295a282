"""One writer at a time: a lease that names its holder and dies with it.

The lease is an advisory lock on ``<ledger>-lease``. The kernel lets go of it when the holder
ends, however it ends, so a dead holder's lease is taken over without a timeout or a guess.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from tidegate.model import Unavailable


class Lease:
    """The right to write to one ledger, held until ``release`` or the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, ledger: Path) -> Lease:
        """Take the lease, or say who holds it.

        Raises
        ------
        Unavailable
            If another writer, in this process or another, holds it (code ``ledger_leased``).
        """
        path = ledger.with_name(ledger.name + "-lease")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise Unavailable(
                f"{ledger} has a writer already",
                code="ledger_leased",
                found=holder or "a process that has not yet written its name",
                allowed="one writer; any number may read",
                fix="stop that process, or name another ledger",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Give the lease back. Doing so twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
