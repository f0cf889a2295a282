"""Open an incident: everything that explains a bad moment, kept in one folder with its digests.

Made from the ledger beside the running writer, so that nobody waits for it and nothing is stopped by it. It
holds references to secrets, never secrets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tidegate import __version__
from tidegate.app.atomic_runs import atomic_runs, atomic_strategies
from tidegate.app.config import LoadedConfig, values_of
from tidegate.ledger import (
    AddressesCheckedBody,
    ExecutorStateBody,
    HaltBody,
    JournalReader,
    Place,
    SignalBody,
    StopBody,
    whole_or_nothing,
)
from tidegate.model import Clock, ConfigError, canonical_json, sha256_hex

RUNS = 50
TAIL_RECORDS = 2_000
MANIFEST = "manifest.json"


class IncidentFile(msgspec.Struct, frozen=True):
    """A file of the bundle: its length and the SHA-256 of its bytes."""

    size: int
    sha256: str


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says of itself. ``seq`` and ``hash`` are the newest record that it knows."""

    opened_at_ms: int
    reason: str
    by: str
    made_by: str
    place: str
    seq: int
    hash: str
    files: dict[str, IncidentFile]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the manifest in canonical form: to be kept elsewhere."""
        return sha256_hex(canonical_json(msgspec.to_builtins(self)))


def open_incident(
    place: Place, loaded: LoadedConfig, out: Path, *, reason: str, by: str, clock: Clock
) -> Incident:
    """Write the bundle to the new folder ``out``.

    Raises
    ------
    ConfigError
        If no reason is given, there is no ledger, or ``out`` is no new name in a folder that is there.
    Unavailable
        If it can not be written. Nothing is left then.
    """
    if not reason.strip():
        raise ConfigError("an incident has a reason", found="none", allowed="a sentence", fix="--reason TEXT")
    with JournalReader.open(place) as reader, whole_or_nothing(out, place.file) as folder:
        folder.mkdir(mode=0o700)
        seq, hash_ = reader.head()
        files = {}
        for name, content in _contents(reader, loaded):
            (folder / name).write_bytes(content)
            files[name] = IncidentFile(len(content), hashlib.sha256(content).hexdigest())
        incident = Incident(
            opened_at_ms=clock.now_ms(),
            reason=reason,
            by=by,
            made_by=f"tidegate {__version__}",
            place=str(place),
            seq=seq,
            hash=hash_,
            files=files,
        )
        (folder / MANIFEST).write_bytes(_pretty(incident))
        return incident


def _contents(reader: JournalReader, loaded: LoadedConfig) -> Iterator[tuple[str, bytes]]:
    tail = reader.last_records(TAIL_RECORDS)
    yield "journal-tail.jsonl", b"".join(record.as_line() + b"\n" for record in tail)
    yield "runs.json", _pretty(atomic_runs(reader, RUNS))
    yield "pending.json", _pretty(reader.attempts(open_only=True))
    yield "strategies.json", _pretty(atomic_strategies(reader))
    yield "executors.json", _standing(reader, ExecutorStateBody.TOPIC)
    yield "addresses.json", _standing(reader, AddressesCheckedBody.TOPIC)
    yield "signals.json", _standing(reader, SignalBody.TOPIC)
    yield "stops.json", _standing(reader, StopBody.TOPIC)
    yield "halts.json", _standing(reader, HaltBody.TOPIC)
    rows = [
        {"key": key, "value": value, "set_by": str(loaded.origin(key))}
        for key, value in values_of(loaded.config)
    ]
    yield "config.json", _pretty(rows)


def _standing(reader: JournalReader, topic: str) -> bytes:
    return _pretty(reader.standing(topic))


def _pretty(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
