"""A lender must hold more than the loan: what is there to the last unit now is gone a block later."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import BPS, GuardResult, Placement
from tidegate.risk.guards.facts import LoanFacts, Read
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck

HEADROOM_BPS = 1_000


class FlashLiquidity:
    """Before sending, every loan's lender still holds the loan and ``headroom`` more.

    The lenders are chosen by the same headroom. Inside, the lender itself refuses what it does not have.
    """

    name = "flash_liquidity"
    placements = frozenset({Placement.PRE})
    parameters: Mapping[str, Parameter] = {
        "headroom": Parameter(ParameterKind.BPS, default=HEADROOM_BPS, low=0, high=BPS)
    }

    def reads(self, context: GuardContext) -> tuple[Read, ...]:
        """Return, for each loan, the question of how much its lender has."""
        return tuple(loan.liquidity for loan in context.loans)

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the loan whose lender has the least left over, in bps of the loan, rounded down."""
        return self._judged(Placement.PRE, context)

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: a lender refuses by itself what it does not have."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Judge the same at the block of inclusion."""
        return self._judged(Placement.POST, context)

    def _judged(self, placement: Placement, context: GuardContext) -> GuardResult:
        wanted = context.integer("headroom")
        left = {loan.step_id: _left_bps(loan, context) for loan in context.loans}
        tightest = min(left, key=lambda step_id: left[step_id], default=None)
        return verdict(
            self.name,
            placement,
            passed=tightest is None or left[tightest] >= wanted,
            code="lender_too_small",
            measured=None if tightest is None else left[tightest],
            bound=wanted,
            unit="bps",
            at_block=context.block.number,
            note="" if tightest is None else _named(tightest, context),
        )


def _left_bps(loan: LoanFacts, context: GuardContext) -> int:
    has = int.from_bytes(context.answers[loan.liquidity][:32]) - loan.lent_around
    return (has - loan.amount) * BPS // max(loan.amount, 1)


def _named(step_id: str, context: GuardContext) -> str:
    lender = next(loan.lender for loan in context.loans if loan.step_id == step_id)
    return f"{lender} for {step_id}"
