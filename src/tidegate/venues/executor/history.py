"""An executor's policy, read back from the events of its changes."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.chain import event_topic
from tidegate.model import Address, Log
from tidegate.venues.executor.changes import Change, ChangeKind

_APPLIED = event_topic("Applied(uint256,bytes32,uint256)")
_TIGHTENED = event_topic("Tightened(uint256,bytes32,uint256,address)")


def policy_in_force(logs: Iterable[Log], executor: Address) -> tuple[Change, ...]:
    """Return the entries in force after all of ``logs``, sorted by kind and key.

    Parameters
    ----------
    logs
        Every log since the executor's creation, oldest first; those of others are left out.

    Notes
    -----
    The treasury of the constructor has no event: read it with ``treasury()``.
    """
    entries: dict[tuple[ChangeKind, bytes], Change] = {}
    for log in logs:
        if log.address == executor and len(log.topics) == 3 and log.topics[0] in (_APPLIED, _TIGHTENED):
            _put(entries, _change(log))
    return tuple(entries[place] for place in sorted(entries))


def _change(log: Log) -> Change:
    kind = ChangeKind(int.from_bytes(log.topics[1]))
    return Change(kind, log.topics[2], int.from_bytes(log.data[:32]))


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
