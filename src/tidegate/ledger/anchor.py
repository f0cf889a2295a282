"""A note beside the ledger of the newest record known to be on disk.

The file ``<ledger>-head`` says ``seq hash`` and is written after each durable commit. It is
never ahead of the ledger, so a ledger that is behind it, or has another hash at that seq, has
lost records: its tail was cut, an older copy was put in its place, or its write-ahead log was
damaged (which SQLite itself answers by silently forgetting the commits in it).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tidegate.model import Tampered

_LINE = re.compile(rb"([0-9]{20}) ([0-9a-f]{64})\n")


class HeadFile:
    """The note beside one ledger. Without a file there is nothing to compare with."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + "-head")

    def read(self) -> tuple[int, str] | None:
        """Return (seq, hash), or None when the file is absent or was never completed.

        Raises
        ------
        Tampered
            If it holds anything else.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        if not content:
            return None
        match = _LINE.fullmatch(content)
        if match is None:
            raise Tampered(
                f"{self.path} does not hold the head of a journal",
                found=repr(content[:100]),
                allowed="a seq of 20 digits, a space and a hash of 64 hex digits",
                fix="compare the journal with its last checkpoint; remove the file only after that",
            )
        return int(match[1]), match[2].decode()

    def refuse_empty_store(self) -> None:
        """Raise ``Tampered`` if there were records where there are none now."""
        noted = self.read()
        if noted is not None and noted[0] > 0:
            raise Tampered(
                f"seq 1 is missing: the ledger is empty, {self.path} knows of {noted[0]} records",
                code="journal_tampered",
                fix=f"restore the ledger; if it was removed on purpose, remove {self.path} too",
            )

    def write(self, seq: int, hash_: str) -> None:
        """Note the newest durable record, in one write: a kill leaves the old line or the new."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, b"%020d %s\n" % (seq, hash_.encode()), 0)
        finally:
            os.close(descriptor)
