"""A run must gain something in a token, or it is not worth the risk."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.changes import change_questions, realised_change
from tidegate.risk.guards.facts import Question
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainLine


class MinProfit:
    """The run gains ``amount`` of ``token`` or more, gas not counted.

    Before: the quoted change. Inside: the token's balance line has at least this floor; a line spans the
    whole run, so the guard stands on the strategy. After: what the block of inclusion changed, payouts
    counted in.
    """

    name = "min_profit"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {
        "token": Parameter(ParameterKind.TOKEN, is_required=True),
        "amount": Parameter(ParameterKind.AMOUNT, low=1, is_required=True, of="token"),
    }

    def reads(self, context: GuardContext) -> tuple[Question, ...]:
        """Return the balances that the change after inclusion is made of."""
        return change_questions(context, context.text("token"))

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the quoted change."""
        return self._judged(Placement.PRE, context, context.deltas.get(context.text("token"), 0))

    def ops(self, context: GuardContext) -> tuple[OnChainLine, ...]:
        """Return the balance line."""
        return (OnChainLine(context.text("token"), context.integer("amount")),)

    def post(self, context: GuardContext) -> GuardResult:
        """Judge what was realised."""
        return self._judged(Placement.POST, context, realised_change(context, context.text("token")))

    def _judged(self, placement: Placement, context: GuardContext, gain: int) -> GuardResult:
        bound = context.integer("amount")
        return verdict(
            self.name,
            placement,
            passed=gain >= bound,
            code="profit_low",
            measured=gain,
            bound=bound,
            unit=f"base units of {context.text('token')}",
            at_block=context.block.number,
        )
