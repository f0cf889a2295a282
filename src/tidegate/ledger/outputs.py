"""Files that are written from a ledger: new ones, whole or not there, never over anything.

What lies at the path may be the ledger itself, or its write-ahead log: nothing is ever replaced.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from tidegate.model import ConfigError, Unavailable


def refuse_taken(target: Path, ledger: Path | None) -> None:
    """Raise ``ConfigError`` unless ``target`` is a new name in a folder that is there.

    A name that SQLite or the journal may give to a file beside the ledger is not new either.
    """
    try:
        is_taken, has_folder = _is_taken(target), target.parent.is_dir()
        beside = has_folder and ledger is not None and target.parent.resolve() == ledger.parent.resolve()
    except OSError as error:
        raise _unwritable(target, error) from error
    if is_taken:
        raise ConfigError(
            f"{target} exists", code="output", allowed="a path where nothing is", fix="name another"
        )
    if not has_folder:
        raise ConfigError(
            f"there is no folder {target.parent}",
            code="output",
            found=str(target),
            allowed="a new file in a folder that exists",
            fix=f"mkdir -p {target.parent}, or name another",
        )
    if ledger is not None and beside and target.name.startswith(f"{ledger.name}-"):
        raise ConfigError(
            f"{target} is a name that the ledger uses for itself",
            code="output",
            allowed=f"a name that does not begin with {ledger.name}-",
            fix="name another",
        )


@contextmanager
def whole_or_nothing(target: Path, ledger: Path | None) -> Iterator[Path]:
    """Give a path to write to, which becomes ``target`` at the end; a failure leaves nothing.

    Raises
    ------
    ConfigError
        ``output`` if ``target`` is no new name, or its folder cannot be written.
    Unavailable
        ``output`` if writing fails, as on a full disk.
    """
    refuse_taken(target, ledger)
    try:
        scratch = Path(mkdtemp(dir=target.parent, prefix=".tidegate-"))
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        yield scratch / "whole"
        refuse_taken(target, ledger)
        (scratch / "whole").replace(target)
    except OSError as error:
        raise Unavailable(
            f"{target} cannot be written",
            code="output",
            found=str(error),
            allowed="a file name that the system takes, on a disk with space left",
            fix="free space or name another; nothing was left behind",
        ) from error
    finally:
        with suppress(OSError):
            shutil.rmtree(scratch)


def sync(path: Path) -> None:
    """Put a file's content, or a folder's names, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(folder: Path) -> None:
    """Put every file below a folder, and every name, on disk."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def _is_taken(target: Path) -> bool:
    try:
        target.lstat()
    except FileNotFoundError:
        return False
    return True


def _unwritable(target: Path, error: OSError) -> ConfigError:
    return ConfigError(
        "the file cannot be written there",
        code="output",
        found=str(error)[:300],
        allowed="a new file in a folder that this user may write",
        fix=f"name another path than {str(target)[:100]}",
    )
