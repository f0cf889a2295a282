"""Changes of an executor as calls of its owner: scheduled now, applied when ripe, narrowed at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.app.deploying.acting import by_safe
from tidegate.app.deploying.announced import Announcements
from tidegate.chain import hex_data
from tidegate.chain.rpc import RpcPool
from tidegate.custody.multisig import write_proposal
from tidegate.venues.executor import (
    CHANGES_MAX,
    Change,
    Diff,
    ExecutorState,
    encode_apply,
    encode_schedule,
    encode_tighten,
)
from tidegate.venues.safe import SafeCall


@dataclass(frozen=True, slots=True)
class Steps:
    """``now`` is one batch; ``later`` another, for when the delay is over. Without a delay all is now."""

    now: tuple[SafeCall, ...]
    later: tuple[SafeCall, ...]
    announced: tuple[Change, ...]


def steps_of(state: ExecutorState, diff: Diff) -> Steps:
    """Return the calls that carry ``diff`` out, at most 32 changes each.

    What waits on chain already, for the same reason, is not scheduled anew: that would start its delay
    again. What narrows goes first, in the same batch as what is scheduled.
    """
    waiting = {one.change.id for one in state.scheduled}
    fresh = [change for change in diff.schedule if change.id not in waiting]
    now = [SafeCall(state.executor, encode_tighten(part)) for part in parts(diff.tighten)]
    now += [SafeCall(state.executor, encode_schedule(part)) for part in parts(fresh)]
    apply = [SafeCall(state.executor, encode_apply(part)) for part in parts(diff.schedule)]
    announced = (*diff.schedule, *diff.tighten)
    if state.delay_s == 0:
        return Steps((*now, *apply), (), announced)
    return Steps(tuple(now), tuple(apply), announced)


async def write_proposals(
    pool: RpcPool,
    state: ExecutorState,
    steps: Steps,
    path: Path,
    reason: str,
    announcements: Announcements,
) -> list[dict[str, Any]]:
    """Announce the changes, then write a proposal of the owner's Safe for each batch; return both.

    The second batch stands in ``NAME.apply.json``, at the nonce after the first: it is for when the delay
    is over, and guardians may apply instead.
    """
    announcements.add(steps.announced, reason)
    told: list[dict[str, Any]] = []
    files = ((path, steps.now), (path.with_name(f"{path.stem}.apply.json"), steps.later))
    for file, calls in files:
        if calls:
            proposal = await by_safe(pool, state.owner, calls, reason=reason, after=len(told))
            write_proposal(proposal, file)
            told.append(
                {
                    "file": str(file),
                    "calls": len(calls),
                    "nonce": proposal.transaction.nonce,
                    "hash": hex_data(proposal.hash),
                }
            )
    return told


def parts(changes: Sequence[Change]) -> list[Sequence[Change]]:
    """Return ``changes`` in parts of at most 32, as the executor takes them in one call."""
    return [changes[start : start + CHANGES_MAX] for start in range(0, len(changes), CHANGES_MAX)]
