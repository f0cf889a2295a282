"""No swap may give more than ``max`` less than its quote."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import BPS, GuardResult, Placement, mul_div_up
from tidegate.risk.guards.facts import Read, StepFacts
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck
from tidegate.venues import LimitKind

QUOTE_AGE_MAX_BLOCKS = 1


class Slippage:
    """Before: every swap's limit lies within ``max`` of a quote at most one block old.

    Inside, the swap's own limit word enforces it. After: what was realised lies within ``max``.
    """

    name = "slippage"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {
        "max": Parameter(ParameterKind.BPS, low=1, high=300, is_required=True)
    }

    def reads(self, context: GuardContext) -> tuple[Read, ...]:  # noqa: ARG002 - the interface
        """Return nothing: quotes and limits are part of the plan."""
        return ()

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the limits, and the age of the quotes that they were made from."""
        bound = context.integer("max")
        age = context.block.number - context.run.quoted_at_block
        if age > QUOTE_AGE_MAX_BLOCKS:
            return verdict(
                self.name,
                Placement.PRE,
                passed=False,
                code="quote_too_old",
                measured=age,
                bound=QUOTE_AGE_MAX_BLOCKS,
                unit="blocks",
                at_block=context.block.number,
            )
        worst = max((_loss_bps(step, step.limit) for step in context.steps), default=0)
        return self._judged(Placement.PRE, worst, bound, context)

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the compiler writes the limit into the swap's own call."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Judge what each swap really gave or took."""
        worst = max((_loss_bps(step, context.realised[step.step_id]) for step in context.steps), default=0)
        return self._judged(Placement.POST, worst, context.integer("max"), context)

    def _judged(self, placement: Placement, worst: int, bound: int, context: GuardContext) -> GuardResult:
        return verdict(
            self.name,
            placement,
            passed=worst <= bound,
            code="slippage_above_max",
            measured=worst,
            bound=bound,
            unit="bps",
            at_block=context.block.number,
        )


def _loss_bps(step: StepFacts, actual: int) -> int:
    """Return how much worse than its quote ``actual`` is, rounded up to whole bps; a gain is 0.

    A limit made by ``minimum_out`` or ``maximum_in`` at n bps may round to just above n; the base
    unit that rounding adds is taken off first, so that n bps read as n.
    """
    worse = step.quote - actual if step.limit_kind is LimitKind.MINIMUM_OUT else actual - step.quote
    return mul_div_up(max(worse - 1, 0), BPS, step.quote)
