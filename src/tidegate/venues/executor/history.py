"""An executor's life, read back from its events: who holds what, what is allowed, what waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tidegate.chain import address, event_topic
from tidegate.model import ZERO_ADDRESS, Address, Log
from tidegate.venues.executor.changes import GRACE_S, Change, ChangeKind

_SCHEDULED = event_topic("Scheduled(uint256,bytes32,uint256,uint256)")
_APPLIED = event_topic("Applied(uint256,bytes32,uint256)")
_CANCELLED = event_topic("Cancelled(uint256,bytes32,uint256)")
_TIGHTENED = event_topic("Tightened(uint256,bytes32,uint256,address)")
_PAUSED = event_topic("Paused(address)")
_UNPAUSED = event_topic("Unpaused(address)")
_SWEPT = event_topic("Swept(address,uint256)")
_OFFERED = event_topic("OwnershipOffered(address)")
_TAKEN = event_topic("OwnershipTaken(address)")

_CHANGES = {_SCHEDULED: "scheduled", _APPLIED: "applied", _CANCELLED: "cancelled", _TIGHTENED: "tightened"}
_OTHERS = {
    _PAUSED: "paused",
    _UNPAUSED: "unpaused",
    _SWEPT: "swept",
    _OFFERED: "ownership offered",
    _TAKEN: "ownership taken",
}


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A change that waits: may be applied from ``eta_s`` until ``lapses_at_s`` (Unix seconds)."""

    change: Change
    eta_s: int

    @property
    def lapses_at_s(self) -> int:
        """Return the last second at which it may be applied."""
        return self.eta_s + GRACE_S

    def state(self, now_s: int) -> str:
        """Return ``waiting``, ``ripe`` or ``lapsed``."""
        if now_s < self.eta_s:
            return "waiting"
        return "ripe" if now_s <= self.lapses_at_s else "lapsed"


@dataclass(frozen=True, slots=True)
class AdminEvent:
    """One event that changed who may do what, in the order of the chain.

    ``change`` stands with the four events of changes, ``who`` with the others: who paused, was offered or
    took the ownership; the token of a sweep.
    """

    what: str
    change: Change | None = None
    who: Address = ZERO_ADDRESS


@dataclass(slots=True)
class _Fold:
    entries: dict[tuple[ChangeKind, bytes], Change] = field(default_factory=dict)
    scheduled: dict[bytes, Scheduled] = field(default_factory=dict)
    is_paused: bool = False
    owner: Address = ZERO_ADDRESS
    pending_owner: Address = ZERO_ADDRESS
    events: list[AdminEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ExecutorHistory:
    """What all events of an executor amount to.

    Attributes
    ----------
    entries
        What is in force, sorted by kind and key. The constructor's treasury has no event.
    scheduled
        What waits or has lapsed, sorted by eta.
    events
        Every event of its administration, oldest first.
    """

    entries: tuple[Change, ...]
    scheduled: tuple[Scheduled, ...]
    is_paused: bool
    owner: Address
    pending_owner: Address
    events: tuple[AdminEvent, ...]


def read_history(logs: Iterable[Log], executor: Address) -> ExecutorHistory:
    """Return what all of ``logs`` amount to.

    Parameters
    ----------
    logs
        Every log since the executor's creation, oldest first; those of others are left out.
    """
    fold = _Fold()
    for log in logs:
        if log.address == executor and log.topics:
            _take(fold, log)
    return ExecutorHistory(
        entries=tuple(fold.entries[place] for place in sorted(fold.entries)),
        scheduled=tuple(sorted(fold.scheduled.values(), key=lambda one: (one.eta_s, one.change.id))),
        is_paused=fold.is_paused,
        owner=fold.owner,
        pending_owner=fold.pending_owner,
        events=tuple(fold.events),
    )


def policy_in_force(logs: Iterable[Log], executor: Address) -> tuple[Change, ...]:
    """Return the entries in force after all of ``logs``, sorted by kind and key."""
    return read_history(logs, executor).entries


def _take(fold: _Fold, log: Log) -> None:
    topic = log.topics[0]
    if topic in _CHANGES and len(log.topics) == 3:
        change = Change(
            ChangeKind(int.from_bytes(log.topics[1])), log.topics[2], int.from_bytes(log.data[:32])
        )
        _take_change(fold, topic, change, log)
        fold.events.append(AdminEvent(_CHANGES[topic], change))
    elif topic in _OTHERS and len(log.topics) == 2:
        who = address(log.topics[1])
        _take_other(fold, topic, who)
        fold.events.append(AdminEvent(_OTHERS[topic], who=who))


def _take_change(fold: _Fold, topic: bytes, change: Change, log: Log) -> None:
    if topic == _SCHEDULED:
        fold.scheduled[change.id] = Scheduled(change, int.from_bytes(log.data[32:64]))
    elif topic == _CANCELLED:
        fold.scheduled.pop(change.id, None)
    else:
        if topic == _APPLIED:
            fold.scheduled.pop(change.id, None)
        _put(fold.entries, change)


def _take_other(fold: _Fold, topic: bytes, who: Address) -> None:
    if topic in (_PAUSED, _UNPAUSED):
        fold.is_paused = topic == _PAUSED
    elif topic == _OFFERED:
        fold.pending_owner = who
    elif topic == _TAKEN:
        fold.owner, fold.pending_owner = who, ZERO_ADDRESS


def _put(entries: dict[tuple[ChangeKind, bytes], Change], change: Change) -> None:
    if change.kind is ChangeKind.UNGUARD:
        entries.pop((ChangeKind.LOSS_LIMIT, change.key), None)
        return
    if change.kind is ChangeKind.TREASURY:
        for place in [place for place in entries if place[0] is ChangeKind.TREASURY]:
            del entries[place]
    if change.word or change.kind in (ChangeKind.LOSS_LIMIT, ChangeKind.CAP):
        entries[change.kind, change.key] = change
    else:
        entries.pop((change.kind, change.key), None)
