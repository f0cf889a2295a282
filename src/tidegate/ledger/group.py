"""The open group: records that have their place in the chain and are not in the store yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from tidegate.ledger.body import Body
from tidegate.ledger.entry import Entry, Formed
from tidegate.ledger.records import Record, chain_hash
from tidegate.model import Clock, RecordKind

GROUP_RECORDS = 256
GROUP_AGE_NS = 2_000_000
"""A group is committed when it has so many records, or when its oldest is so old."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What one commit holds: records in order, typed bodies by seq, and the newest's (seq, hash)."""

    records: list[Record]
    bodies: dict[int, Body]
    head: tuple[int, str]


class Group:
    """What was appended since the last commit; ``head`` is (seq, hash) of the newest record of all."""

    def __init__(self, head: tuple[int, str], clock: Clock) -> None:
        self.head = head
        self._clock = clock
        self._records: list[Record] = []
        self._bodies: dict[int, Body] = {}
        self._since_ns = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def is_due(self) -> bool:
        """Say whether it is full, or old enough."""
        age_ns = self._clock.monotonic_ns() - self._since_ns
        return len(self._records) >= GROUP_RECORDS or age_ns >= GROUP_AGE_NS

    def add(self, entries: Sequence[Entry], bodies: Sequence[Formed]) -> list[Record]:
        """Chain entries to the newest record, all or none; return them as the records that they are now."""
        at_ms, head, added = self._clock.now_ms(), self.head, list[Record]()
        for entry, (body_json, _) in zip(entries, bodies, strict=True):
            record = _follow(head, at_ms, entry, body_json)
            head = (record.seq, record.hash)
            added.append(record)
        if not self._records:
            self._since_ns = self._clock.monotonic_ns()
        for record, (_, body) in zip(added, bodies, strict=True):
            if body is not None:
                self._bodies[record.seq] = body
        self._records += added
        self.head = head
        return added

    def closed(self) -> Closed:
        """Return what a commit of all of it holds."""
        return Closed(self._records, self._bodies, self.head)

    def empty(self) -> None:
        """Begin anew: what it held is in the store, or on its way."""
        self._records, self._bodies = [], {}

    def reopen(self, closed: Closed) -> None:
        """Take a commit that failed back, before what was added since."""
        self._records = closed.records + self._records
        self._bodies = closed.bodies | self._bodies

    def withdraw(self, unwanted: Collection[Record]) -> None:
        """Take records out, unless they left it; what was appended after them moves up."""
        gone = {record.seq for record in unwanted}
        if not any(record.seq in gone for record in self._records):
            return
        records, bodies = self._records, self._bodies
        self.head = (records[0].seq - 1, records[0].prev_hash)
        self.empty()
        for record in records:
            if record.seq in gone:
                continue
            moved = _moved(record, self.head)
            if record.seq in bodies:
                self._bodies[moved.seq] = bodies[record.seq]
            self._records.append(moved)
            self.head = (moved.seq, moved.hash)


def _follow(head: tuple[int, str], at_ms: int, entry: Entry, body_json: str) -> Record:
    seq, prev_hash = head[0] + 1, head[1]
    kind = RecordKind(entry.kind)
    hash_ = chain_hash(
        prev_hash,
        seq=seq,
        at_ms=at_ms,
        actor=entry.actor,
        kind=kind,
        correlation_id=entry.correlation_id,
        causation_id=entry.causation_id,
        body_json=body_json,
    )
    return Record(
        seq,
        at_ms,
        entry.actor,
        kind,
        entry.correlation_id,
        entry.causation_id,
        body_json,
        prev_hash,
        hash_,
    )


def _moved(record: Record, head: tuple[int, str]) -> Record:
    """Return the record as the next one after another, with the time at which it was appended."""
    if record.prev_hash == head[1]:
        return record
    parts = msgspec.structs.asdict(record) | {"seq": head[0] + 1}
    del parts["prev_hash"], parts["hash"]
    return Record(**parts, prev_hash=head[1], hash=chain_hash(head[1], **parts))
