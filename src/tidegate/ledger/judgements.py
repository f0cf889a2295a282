"""What a shadow's plan would have done in a block that followed: the record of a judgement."""

from __future__ import annotations

from typing import Any, ClassVar

from tidegate.ledger.body import Body
from tidegate.model import OutcomeKind, RecordKind


class JudgementBody(Body, frozen=True, kw_only=True):
    """A ``judgement``: the plan's very bytes, run after everything else in ``block_number``.

    ``kind`` is landed, reverted (with ``revert`` and ``failing_step``), or dropped: no block like this one
    could have held the transaction. ``deltas`` are base units as text in the order of the plan's bounds,
    ``drift`` what each lies above the simulated one. ``behind`` counts blocks since the one that was
    simulated on. Nothing was sent.

    ``value_usd_e6`` is what it would have earned at the plan's own prices, gas taken off, negative where it
    would have reverted; None where no such transaction fits, and in records of earlier releases.
    ``gas_cost_wei`` is its gas at the block's base fee and the plan's tip, without a rollup's data fee,
    which only a sent transaction tells.
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
    gas_cost_wei: int = 0
    value_usd_e6: int | None = None

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, with the cost as decimal text."""
        return {**super().to_body(), "gas_cost_wei": str(self.gas_cost_wei)}
