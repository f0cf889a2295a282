"""Whoever borrows from one lender alone stops when that lender does."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import BPS, GuardResult, Placement, mul_div_up
from tidegate.risk.guards.facts import Question
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck

LOANS_MIN = 20
"""Fewer loans are no habit: the first one is always the whole. The failure ratio waits for as many."""


class LenderConcentration:
    """No lender of the plan lent more than ``share`` of what the desk borrowed in the last seven days.

    Counted in dollars over the desk's plans, and only once they took 20 loans.
    """

    name = "lender_concentration"
    placements = frozenset({Placement.PRE})
    parameters: Mapping[str, Parameter] = {
        "share": Parameter(ParameterKind.BPS, default=5_000, low=1, high=BPS)
    }

    def reads(self, context: GuardContext) -> tuple[Question, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the desk knows whom it borrowed from."""
        return ()

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the lender of the plan with the largest share, rounded up."""
        lent = dict(context.lent.usd_e6)
        total, bound = sum(lent.values()), context.integer("share")
        shares = {
            loan.lender: mul_div_up(lent.get(loan.lender, 0), BPS, max(total, 1)) for loan in context.loans
        }
        largest = max(shares, key=lambda lender: shares[lender], default="")
        measured = shares.get(largest, 0)
        return verdict(
            self.name,
            Placement.PRE,
            passed=measured <= bound or context.lent.loans < LOANS_MIN,
            code="one_lender",
            measured=measured,
            bound=bound,
            unit="bps",
            at_block=context.block.number,
            note=largest,
        )

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the chain does not know other runs."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Refuse: what is asked is whether to borrow at all."""
        raise NotImplementedError(f"{self.name} does not stand after inclusion")
