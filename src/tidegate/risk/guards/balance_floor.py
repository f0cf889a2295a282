"""The executor must be left with a reserve, whatever the run gains elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.facts import BalanceOf, word
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck, Position
from tidegate.venues.executor import Comparison


class BalanceFloor:
    """The executor holds ``amount`` of ``token`` or more when the guard's scope has run.

    Before: what it holds at the head and what the quoted run changes. Inside: last in its scope; where
    the strategy pays the token's gain out, also before it, for then the gain does not stay. After: at the
    end of the block of inclusion.
    """

    name = "balance_floor"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {
        "token": Parameter(ParameterKind.TOKEN, is_required=True),
        "amount": Parameter(ParameterKind.AMOUNT, low=1, is_required=True, of="token"),
    }

    def reads(self, context: GuardContext) -> tuple[BalanceOf, ...]:
        """Return the executor's balance."""
        return (_balance(context),)

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge what the quoted run leaves; a gain that is paid out does not count."""
        symbol = context.text("token")
        change = context.deltas.get(symbol, 0)
        if symbol in context.paid_out:
            change = min(change, 0)
        return self._judged(Placement.PRE, context, change)

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:
        """Return the check after the scope, and the one before it that a payout asks for."""
        symbol = context.text("token")
        places = [Position.BEFORE, Position.AFTER] if symbol in context.paid_out else [Position.AFTER]
        return tuple(
            OnChainCheck(
                label=f"{symbol} held {place.value}",
                read=_balance(context),
                comparison=Comparison.AT_LEAST,
                bound=context.integer("amount"),
                position=place,
            )
            for place in places
        )

    def post(self, context: GuardContext) -> GuardResult:
        """Judge the end of the block of inclusion."""
        return self._judged(Placement.POST, context, 0)

    def _judged(self, placement: Placement, context: GuardContext, change: int) -> GuardResult:
        held, bound = word(context.answers[_balance(context)]) + change, context.integer("amount")
        return verdict(
            self.name,
            placement,
            passed=held >= bound,
            code="balance_low",
            measured=held,
            bound=bound,
            unit=f"base units of {context.text('token')}",
            at_block=context.block.number,
        )


def _balance(context: GuardContext) -> BalanceOf:
    return BalanceOf(context.book.token(context.text("token")).address, context.executor)
