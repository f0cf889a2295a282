"""Emergency packs: what a Safe does first when something is wrong, built and simulated ahead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tidegate.model import Address
from tidegate.venues.executor import (
    CHANGES_MAX,
    SWEEP_MAX,
    Change,
    ChangeKind,
    Role,
    encode_pause,
    encode_sweep,
    encode_tighten,
)
from tidegate.venues.safe import SafeCall, SafeTransaction, encode_batch


def executor_packs(
    executor: Address, entries: Iterable[Change], tokens: Sequence[Address]
) -> Mapping[str, tuple[SafeCall, ...]]:
    """Return the calls of each pack for one executor.

    ``pause`` stops it; ``revoke-operator`` takes the role of everyone who may send programs;
    ``revoke-pairs`` removes every (target, selector) of the policy; ``sweep`` sends all ``tokens`` to the
    treasury. All of them narrow: none can be used to take anything elsewhere.

    Parameters
    ----------
    entries
        The executor's policy in force (``venues.executor.policy_in_force``).
    """
    in_force = tuple(entries)
    operators = [
        change.removed()
        for change in in_force
        if change.kind is ChangeKind.ROLE and change.word == Role.OPERATOR
    ]
    pairs = [change.removed() for change in in_force if change.kind is ChangeKind.POLICY]
    packs = {
        "pause": (SafeCall(executor, encode_pause()),),
        "revoke-operator": _tighten(executor, operators),
        "revoke-pairs": _tighten(executor, pairs),
        "sweep": tuple(
            SafeCall(executor, encode_sweep(tokens[start : start + SWEEP_MAX]))
            for start in range(0, len(tokens), SWEEP_MAX)
        ),
    }
    return {name: calls for name, calls in packs.items() if calls}


def pack_transaction(
    calls: Sequence[SafeCall], *, safe: Address, chain_id: int, nonce: int
) -> SafeTransaction:
    """Return the one transaction of a Safe that makes all calls of a pack, or none."""
    call = calls[0] if len(calls) == 1 else encode_batch(calls)
    return SafeTransaction.of(safe, chain_id, nonce, call)


def _tighten(executor: Address, changes: Sequence[Change]) -> tuple[SafeCall, ...]:
    return tuple(
        SafeCall(executor, encode_tighten(changes[start : start + CHANGES_MAX]))
        for start in range(0, len(changes), CHANGES_MAX)
    )
