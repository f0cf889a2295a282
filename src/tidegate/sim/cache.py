"""Cache entries on disk: whole or not there, and never believed without their digest."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tidegate.model import sha256_hex

_DIGEST_LENGTH = 64


def read_entry(path: Path) -> bytes | None:
    """Return an entry's payload; none if it is missing, truncated or changed (so it is made again)."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, payload = stored[:_DIGEST_LENGTH], stored[_DIGEST_LENGTH + 1 :]
    return payload if sha256_hex(payload).encode() == digest else None


def write_entry(path: Path, payload: bytes) -> None:
    """Write an entry at once: another process sees the old one, none, or the new one."""
    write_atomically(path, sha256_hex(payload).encode() + b"\n" + payload)


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that no reader ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
