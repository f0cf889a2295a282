"""A plan's guards, put back together from the plan alone: so that a restart loses none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidegate.desks.atomic.machine.lent import lent_before
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.safeguards import Judgement, lendings_of, paid_out, safeguards_of
from tidegate.desks.atomic.machine.terms import GuardKey
from tidegate.model import Block, Plan
from tidegate.risk.guards import GuardContext, LoanFacts, RunFacts, StepFacts


def guard_notes(
    quoted_at_block: int,
    steps: Sequence[StepFacts],
    loans: Sequence[LoanFacts],
    measured: Mapping[GuardKey, Mapping[str, int]],
) -> dict[str, Any]:
    """Return what the guards of a plan need beside the strategy, for the plan's notes; amounts as text."""
    return {
        "quoted_at_block": quoted_at_block,
        "swaps": [
            {
                key: str(value) if isinstance(value, int) else value
                for key, value in msgspec.to_builtins(step).items()
            }
            for step in steps
        ],
        "borrowed": [
            {
                **msgspec.to_builtins(loan),
                "amount": str(loan.amount),
                "lent_around": str(loan.lent_around),
            }
            for loan in loans
        ],
        "measured": [
            [owner, index, label, str(value)]
            for (owner, index), values in sorted(measured.items())
            for label, value in sorted(values.items())
        ],
    }


def judgement_of(plan: Plan, job: Assignment) -> Judgement:
    """Return the guards of a plan, ready to judge; ``guard_notes`` are part of ``plan.notes``."""
    gas = job.strategy.gas
    measured: dict[GuardKey, dict[str, int]] = {}
    for owner, index, label, value in plan.notes["measured"]:
        measured.setdefault((owner, int(index)), {})[label] = int(value)
    return Judgement(
        safeguards=safeguards_of(job.strategy, job.blinds),
        base=GuardContext(
            parameters={},
            book=job.book,
            executor=plan.to,
            block=_UNKNOWN_BLOCK,
            run=RunFacts(
                gas_limit=plan.gas_limit,
                max_gas=gas.max_gas,
                max_base_fee_wei=gas.max_base_fee_wei,
                deadline_s=plan.deadline_s,
                quoted_at_block=int(plan.notes["quoted_at_block"]),
            ),
            steps=tuple(msgspec.convert(item, StepFacts, strict=False) for item in plan.notes["swaps"]),
            loans=tuple(msgspec.convert(item, LoanFacts, strict=False) for item in plan.notes["borrowed"]),
            lendings=lendings_of(job.strategy),
            deltas={symbol: int(delta) for symbol, delta in plan.notes["quoted_deltas"].items()},
            paid_out=paid_out(job.strategy),
            lent=lent_before(plan.notes),
            targets=(plan.to, *(step.target for step in plan.steps)),
        ),
        measured=measured,
    )


_UNKNOWN_BLOCK = Block(number=0, timestamp=0, base_fee_wei=0, gas_limit=0)
"""Stands in until a view is judged at: the judgement puts that view's block in its place."""
