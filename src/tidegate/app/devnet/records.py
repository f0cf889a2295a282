"""What is written down about a node that stays: first of all that it is about to be started.

Each chain has a folder: a record (``node.json``), the number of its process (``node.pid``, written by that
process itself before it becomes the node), the devnet that it holds (``devnet.json``), its address book
(``addresses.toml``) and the node's log. So whoever started it may be killed at any moment.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import msgspec
from msgspec import Meta

from tidegate.app.devnet.cache import CachedDevnet
from tidegate.app.devnet.devnet import Devnet
from tidegate.app.devnet.plans import BLOCK_TIME_S, LAST_CHAIN_ID
from tidegate.app.devnet.processes import identity_of_command
from tidegate.app.devnet.toml import to_toml
from tidegate.model import ConfigError
from tidegate.venues import AddressBook, load_book

_LAST_PID = 2**31 - 1
_LAST_S = 253_402_300_799  # the year 9999


class NodeRecord(msgspec.Struct, frozen=True):
    """A node that was started: enough to reach it, and to know it from any other process.

    While it is being started ``pid`` is 0 and ``identity`` is its command alone.
    """

    chain: str
    chain_id: Annotated[int, Meta(ge=1, le=LAST_CHAIN_ID)]
    block_time_s: Annotated[float, Meta(ge=BLOCK_TIME_S[0], le=BLOCK_TIME_S[1])]
    port: Annotated[int, Meta(ge=1, le=65_535)]
    pid: Annotated[int, Meta(ge=0, le=_LAST_PID)]
    identity: str
    started_at_s: Annotated[float, Meta(ge=0, le=_LAST_S)]
    first_height: Annotated[int, Meta(ge=0, le=2**63 - 1)]

    @property
    def url(self) -> str:
        """Return where the node listens, on loopback."""
        return f"http://127.0.0.1:{self.port}"


def write_record(folder: Path, record: NodeRecord, cached: CachedDevnet) -> None:
    """Write everything about a node; ``node.json`` appears whole."""
    place = folder / record.chain
    place.mkdir(parents=True, exist_ok=True)
    (place / "devnet.json").write_bytes(msgspec.json.encode(cached.devnet))
    (place / "addresses.toml").write_text(to_toml(cached.book.as_mapping()), encoding="utf-8")
    replace_record(folder, record)


def replace_record(folder: Path, record: NodeRecord) -> None:
    """Write ``node.json`` anew."""
    new = folder / record.chain / "node.json.new"
    new.write_bytes(msgspec.json.encode(record))
    new.replace(new.with_suffix(""))


def pid_file(folder: Path, chain: str) -> Path:
    """Return where the process of a chain writes its number."""
    return folder / chain / "node.pid"


def recorded_chains(folder: Path) -> list[str]:
    """Return the chains that were started and not stopped, whether or not their record can be read."""
    return [path.parent.name for path in sorted(folder.glob("*/node.json"))]


def read_record(folder: Path, chain: str) -> NodeRecord:
    """Return the record of a chain. If its start was cut off, its process is looked for.

    Raises
    ------
    ConfigError
        ``record`` if it can not be read, or holds what no node of ours can have.
    """
    path = folder / chain / "node.json"
    try:
        record = msgspec.json.decode(path.read_bytes(), type=NodeRecord)
        if record.chain != chain:
            raise msgspec.ValidationError(f"it is the record of {record.chain[:40]!r}")
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    return record if record.pid else _found(record, pid_file(folder, chain))


def read_devnet(folder: Path, chain: str) -> Devnet:
    """Return the devnet that a started chain holds. Raises ``ConfigError`` as ``read_record`` does."""
    path = folder / chain / "devnet.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Devnet)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def read_book(folder: Path, chain: str) -> AddressBook:
    """Return the address book of a started chain. Raises ``ConfigError`` as ``read_record`` does."""
    path = folder / chain / "addresses.toml"
    try:
        return load_book(path.read_text(encoding="utf-8"), where=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[IO[str]]:
    """Let nobody else start or stop chains of this folder meanwhile. Yields the file that holds the lock.

    Raises
    ------
    ConfigError
        ``place`` if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # No chain's name begins with a point.
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise refused_place(folder, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the last process that holds it ends or lets go
        yield lock


def refused_place(folder: Path, error: OSError) -> ConfigError:
    """Return what to tell a person whose folder cannot hold records."""
    return ConfigError(
        "the devnet's records cannot be kept there",
        code="place",
        found=f"{str(folder)[:200]}: {error.strerror}",
        allowed="a folder that this user may write",
        fix="name another with TIDEGATE_HOME",
    )


def unreadable_named(errors: Mapping[str, ConfigError], stopped: Sequence[str]) -> ConfigError:
    """Return one error for all records that can not be read, after everything else was stopped."""
    first = next(iter(errors.values()))
    others = f"; stopped: {', '.join(stopped)}" if stopped else ""
    found = "; ".join(str(error.found) for error in errors.values())
    return ConfigError(first.message, code=first.code, found=found + others, fix=first.fix)


def _found(record: NodeRecord, file: Path) -> NodeRecord:
    try:
        pid = int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        pid = 0  # it never came so far
    identity = identity_of_command(pid, record.identity) if 0 < pid <= _LAST_PID else None
    return msgspec.structs.replace(record, pid=pid if identity else 0, identity=identity or "")


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        "a record of the devnet can not be read",
        code="record",
        found=f"{path}: {error}",
        fix=f"stop the node by hand if it still runs, then delete {path.parent}",
    )
