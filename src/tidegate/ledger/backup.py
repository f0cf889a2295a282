"""A backup: the ledger at one moment, whatever else was asked for, and a manifest with every digest.

It is made beside the running writer, verified before it is called one, and appears whole or not at all.
Whoever restores it needs nothing but this folder; whoever doubts it compares ``seq:hash`` with what
was kept elsewhere.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tidegate import __version__
from tidegate.ledger.anchor import read_head
from tidegate.ledger.outputs import sync_all, whole_or_nothing
from tidegate.ledger.place import Place, place_of
from tidegate.ledger.reader import JournalReader
from tidegate.ledger.schema import SCHEMA_VERSION
from tidegate.ledger.snapshot import write_snapshot
from tidegate.ledger.sqlite import SqlitePlace
from tidegate.model import Clock, ConfigError, Tampered, Unavailable

LEDGER = "ledger.sqlite"
MANIFEST = "manifest.json"
FORMAT = 1
_LARGEST_MANIFEST = 16 * 2**20


class FileDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of a backup must be: its length and the SHA-256 of its bytes."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a backup holds. ``seq`` and ``hash`` are the newest record in it."""

    format: int
    made_at_ms: int
    made_by: str
    place: str
    schema: int
    seq: int
    hash: str
    files: dict[str, FileDigest]


def back_up(
    where: Place | Path | str,
    out: Path,
    *,
    clock: Clock,
    also: Mapping[str, Path] | None = None,
    notes: Path | None = None,
) -> Manifest:
    """Write a backup to the new folder ``out``, while the writer runs.

    Parameters
    ----------
    where, notes
        As for ``Journal.open``.
    also
        What else is kept, by its name in the backup: a journal (copied as a ledger is), a folder of
        plain files, or a file. Whatever is not there is left out.

    Raises
    ------
    ConfigError
        If there is no ledger, or ``out`` is no new name in a folder that is there.
    Tampered
        If the copy does not verify: a backup of a damaged ledger is none.
    Unavailable
        If it cannot be written. Nothing is left then.
    """
    place = place_of(where, notes=notes)
    JournalReader.open(place).close()
    with whole_or_nothing(out, place.file) as folder:
        folder.mkdir(mode=0o700)
        head = _copy_ledger(place, folder / LEDGER)
        for name, source in (also or {}).items():
            _copy(source, folder / name)
        manifest = Manifest(
            format=FORMAT,
            made_at_ms=clock.now_ms(),
            made_by=f"tidegate {__version__}",
            place=str(place),
            schema=SCHEMA_VERSION,
            seq=head[0],
            hash=head[1],
            files={name: digest_of(folder / name) for name in files_in(folder)},
        )
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        sync_all(folder)
    return manifest


def read_backup(folder: Path) -> Manifest:
    """Return the manifest of a backup whose every file is what it says.

    Raises
    ------
    ConfigError
        If there is no backup, or one that a newer release made.
    Tampered
        If a file is missing, was changed, or is not of the backup.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_MANIFEST)
    except OSError as error:
        raise ConfigError(
            f"there is no backup at {str(folder)[:200]}",
            code="no_backup",
            found=error.strerror or str(error),
            allowed=f"a folder with a {MANIFEST}, as tidegate backup writes it",
            fix="name the folder that tidegate backup made",
        ) from error
    manifest = _decoded(content, path)
    if manifest.format != FORMAT or manifest.schema > SCHEMA_VERSION:
        raise ConfigError(
            f"{folder} was made by a newer release",
            code="backup_format",
            found=f"format {manifest.format}, ledger schema {manifest.schema}, {manifest.made_by}",
            allowed=f"format {FORMAT}, ledger schema {SCHEMA_VERSION} or older",
            fix="restore it with that release",
        )
    _refuse_other_files(folder, manifest)
    return manifest


def files_in(folder: Path) -> list[str]:
    """Return the names of all files below a folder, but the manifest, in order."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in paths if name != MANIFEST)


def digest_of(path: Path) -> FileDigest:
    """Return length and SHA-256 of a file."""
    with path.open("rb") as file:
        return FileDigest(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _copy_ledger(place: Place, target: Path) -> tuple[int, str]:
    noted = read_head(place)  # before the copy: what it names must be in there
    reading = place.reading()
    try:
        head = write_snapshot(place, reading, target)
    finally:
        reading.dispose()
    with JournalReader.open(target) as copy:
        copy.verify(checkpoint=noted or head)
    _remove_side_files(target)
    return head


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif SqlitePlace(source).note.exists():
        _copy_ledger(SqlitePlace(source), target)
    else:
        shutil.copy2(source, target)


def _remove_side_files(ledger: Path) -> None:
    for suffix in ("-wal", "-shm", "-lease"):
        ledger.with_name(ledger.name + suffix).unlink(missing_ok=True)


def _decoded(content: bytes, path: Path) -> Manifest:
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Tampered(
            f"{path} is not a manifest",
            found=str(error),
            fix="use another backup",
        ) from error


def _refuse_other_files(folder: Path, manifest: Manifest) -> None:
    try:
        found = set(files_in(folder))
        if LEDGER not in manifest.files or found != manifest.files.keys():
            differing = sorted(found ^ manifest.files.keys()) or [LEDGER]
            raise _changed(folder, f"{differing[0]} is {'extra' if differing[0] in found else 'missing'}")
        for name, expected in manifest.files.items():
            actual = digest_of(folder / name)
            if actual != expected:
                raise _changed(folder, f"{name} has {actual.size} bytes, SHA-256 {actual.sha256}")
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be read", code="backup", found=str(error), fix="check its permissions"
        ) from error


def _changed(folder: Path, found: str) -> Tampered:
    return Tampered(
        f"{folder} is not the backup that its manifest describes",
        code="backup_tampered",
        found=found,
        allowed="every file of the manifest as it was written, and no other",
        fix="use another backup",
    )
