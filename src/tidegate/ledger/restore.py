"""From a backup back to a ledger: into an empty place only, verified, with projections folded anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from tidegate.ledger.anchor import write_note
from tidegate.ledger.backup import LEDGER, Manifest, digest_of, files_in, read_backup
from tidegate.ledger.migrate import migrate
from tidegate.ledger.outputs import sync, sync_all
from tidegate.ledger.place import Place
from tidegate.ledger.reader import JournalReader
from tidegate.ledger.rebuild import copy_records
from tidegate.ledger.schema import SCHEMA_VERSION, read_version
from tidegate.ledger.sqlite import SqlitePlace
from tidegate.ledger.store import failures_named
from tidegate.model import Clock, ConfigError, Tampered, Unavailable

_OLDER = ".older"


class Restored(msgspec.Struct, frozen=True):
    """What was restored: where the ledger is, its newest record, and the other files."""

    home: Path
    place: str
    seq: int
    hash: str
    files: tuple[str, ...]


def restore(
    backup: Path,
    home: Path,
    *,
    clock: Clock,
    stop: Callable[[Path], object],
    ledger: Place | None = None,
    checkpoint: tuple[int, str] | None = None,
) -> Restored:
    """Make a new home out of a backup, stopped.

    Parameters
    ----------
    home
        A folder that is not there yet, or empty. It appears whole, with its stop in it, or not at all.
    stop
        Writes a stop of everything into a home; called before the home appears.
    ledger
        An empty PostgreSQL database that takes the records; without it they lie in the home.
    checkpoint
        A (seq, hash) that was kept elsewhere; the backup must contain it.

    Raises
    ------
    ConfigError
        If there is no backup, or ``home`` or ``ledger`` is not empty.
    Tampered
        If a file is not what the manifest says, or the chain does not verify.
    Unavailable
        If something cannot be read or written. Nothing is left then.
    """
    manifest = read_backup(backup)
    _refuse_taken(home, ledger)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(mkdtemp(dir=home.parent, prefix=".tidegate-restore-"))
    except OSError as error:
        raise _unwritable(home, error) from error
    try:
        with JournalReader.open(_source(backup, manifest, scratch, clock)) as source:
            head = source.verify(checkpoint=(manifest.seq, manifest.hash)).head_seq
            if checkpoint is not None:
                source.verify(checkpoint=checkpoint)
            others = _copy_others(backup, manifest, scratch)
            stop(scratch)
            _fill(source, ledger or SqlitePlace(scratch / LEDGER))
        shutil.rmtree(scratch / _OLDER, ignore_errors=True)
        sync_all(scratch)
        scratch.rename(home)  # over an empty folder, never over a full one
        sync(home.parent)
    except OSError as error:
        raise _unwritable(home, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    place = ledger or SqlitePlace(home / LEDGER)
    return Restored(home, str(place), head, manifest.hash, others)


def _refuse_taken(home: Path, ledger: Place | None) -> None:
    try:
        is_taken = home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir())))
    except OSError as error:
        raise _unwritable(home, error) from error
    if is_taken:
        raise ConfigError(
            f"{home} is not empty",
            code="restore_place",
            allowed="a folder that is not there yet, or an empty one",
            fix="name another with --into, and set TIDEGATE_HOME to it",
        )
    if ledger is None:
        return
    reading = ledger.reading()
    try:
        with failures_named(str(ledger), "opening"), reading.begin() as connection:
            version = read_version(connection, str(ledger))
    finally:
        reading.dispose()
    if version is not None:
        raise ConfigError(
            f"{ledger} holds a ledger already",
            code="restore_place",
            allowed="an empty database",
            fix="create another",
        )


def _source(backup: Path, manifest: Manifest, scratch: Path, clock: Clock) -> Path:
    """Return the backup's ledger; one of an older layout as a migrated copy, the backup stays as it is."""
    if manifest.schema == SCHEMA_VERSION:
        return backup / LEDGER
    folder = scratch / _OLDER
    (folder / "before").mkdir(parents=True)
    for name in (LEDGER, LEDGER + "-head"):
        shutil.copy2(backup / name, folder / name)
    migrate(folder / LEDGER, backups=folder / "before", clock=clock)
    return folder / LEDGER


def _copy_others(backup: Path, manifest: Manifest, home: Path) -> tuple[str, ...]:
    others = tuple(name for name in files_in(backup) if name not in {LEDGER, LEDGER + "-head"})
    for name in others:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(backup / name, home / name)
        if digest_of(home / name) != manifest.files[name]:
            raise Tampered(
                f"{backup / name} changed while it was read", code="backup_tampered", fix="use another backup"
            )
    return others


def _fill(source: JournalReader, target: Place) -> None:
    with source.snapshot() as live, failures_named(str(target), "a restore"):
        head = copy_records(live, target)
    if target.note is not None:
        target.note.parent.mkdir(parents=True, exist_ok=True)
        write_note(target.note, head)
    with JournalReader.open(target) as restored:
        restored.verify(checkpoint=head)
    if target.file is not None:
        target.file.with_name(target.file.name + "-lease").unlink(missing_ok=True)


def _unwritable(home: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{home} cannot be restored into",
        code="restore_place",
        found=str(error),
        allowed="an empty folder that this user may write, with space left",
        fix="free space or name another; nothing was left behind",
    )
