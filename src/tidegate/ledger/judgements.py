"""What a shadow's plan would have done in a block that followed: the record of a judgement."""

from __future__ import annotations

from typing import ClassVar

from tidegate.ledger.body import Body
from tidegate.model import OutcomeKind, RecordKind


class JudgementBody(Body, frozen=True, kw_only=True):
    """A ``judgement``: the plan's very bytes, run after everything else in ``block_number``.

    ``kind`` is landed, reverted (with ``revert`` and ``failing_step``), or dropped: no block like this one
    could have held the transaction. ``deltas`` are base units as text in the order of the plan's bounds,
    ``drift`` what each lies above the simulated one. ``behind`` counts blocks since the one that was
    simulated on. Nothing was sent.
    """

    KIND: ClassVar[RecordKind] = RecordKind.JUDGEMENT

    block_number: int
    behind: int
    kind: OutcomeKind
    gas_used: int = 0
    deltas: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    revert: str = ""
    failing_step: str | None = None
