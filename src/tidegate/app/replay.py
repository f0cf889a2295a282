"""Recompute journaled decisions: the same inputs and configuration must give the same answer.

Every desk has one pure ``decide``; its inputs are in the journal. A replayer takes the body of
a decision record and returns the body that the desk's code gives for it today.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tidegate.desks.atomic import replay as replay_atomic
from tidegate.ledger import Record
from tidegate.model import ConfigError, Tampered, digest

Replayer = Callable[[dict[str, Any]], dict[str, Any]]
"""From the body of a decision record to the body recomputed from its inputs and config."""

REPLAYERS: dict[str, Replayer] = {"atomic": replay_atomic}
"""The replayer of each desk, by the desk's name."""


class Replayed(msgspec.Struct, frozen=True):
    """One decision, recomputed. The digests are of the whole canonical bodies."""

    seq: int
    desk: str
    subject: str
    block: int
    recorded_digest: str
    replayed_digest: str
    changed: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Say whether the code of today decides as it was decided then."""
        return self.recorded_digest == self.replayed_digest


def replay(record: Record, replayers: dict[str, Replayer]) -> Replayed:
    """Recompute one decision record and compare.

    Raises
    ------
    ConfigError
        If no replayer knows the desk.
    Tampered
        If the record is not a decision of that desk.
    """
    body = record.body
    desk = str(body.get("desk", ""))
    if desk not in replayers:
        raise ConfigError(
            f"seq {record.seq}: no desk of this release can replay its decision",
            code="no_replayer",
            found=f"desk {desk!r}",
            allowed=", ".join(sorted(replayers)) or "none",
            fix="use the release that wrote the journal",
        )
    try:
        again = replayers[desk](record.body)
    except ValueError as error:
        raise Tampered(
            f"seq {record.seq} is not a decision that the {desk} desk could have written",
            found=str(error),
            fix="tidegate journal verify",
        ) from error
    changed = sorted(key for key in body.keys() | again.keys() if body.get(key) != again.get(key))
    return Replayed(
        seq=record.seq,
        desk=desk,
        subject=str(body.get("subject", "")),
        block=int(body.get("block", 0)),
        recorded_digest=digest(body),
        replayed_digest=digest(again),
        changed=tuple(changed),
    )
