"""One run may not change a holding, a collateral or a debt by more than its author expects."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.changes import change_questions, realised_change
from tidegate.risk.guards.facts import BalanceOf, Before, Question, word
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChain, OnChainCheck, OnChainLine, Position
from tidegate.risk.guards.reserve_active import A_TOKEN_WORD, DEBT_TOKEN_WORD, reserve_data, token_of
from tidegate.venues.executor import Comparison

BALANCE, COLLATERAL, DEBT = "balance", "collateral", "debt"


class PositionDelta:
    """A run changes the executor's ``position`` in ``token`` by at most ``max``, up or down.

    ``balance`` is what it holds, ``collateral`` and ``debt`` what it has on ``protocol``. Inside, the
    chain stops the side that harms: a balance line (so the guard stands on the strategy), or a check last
    in the scope that the collateral has not fallen, or the debt not grown, by more than ``max`` since the
    plan. Before sending, a collateral or debt is judged by what the quote read inside: place both.
    """

    name = "position_delta"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {
        "token": Parameter(ParameterKind.TOKEN, is_required=True),
        "max": Parameter(ParameterKind.AMOUNT, low=0, is_required=True, of="token"),
        "position": Parameter(ParameterKind.NAME, default=BALANCE, choices=(BALANCE, COLLATERAL, DEBT)),
        "protocol": Parameter(ParameterKind.NAME, default="aave_v3", choices=("aave_v3",)),
    }

    def reads(self, context: GuardContext) -> tuple[Question, ...]:
        """Return the balances now and a block earlier; of a position once its token is known."""
        if context.text("position") == BALANCE:
            return change_questions(context, context.text("token"))
        data = _data(context)
        if data not in context.answers:
            return (data,)
        return (data, _position(context), Before(_position(context)))

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the quoted change."""
        if context.text("position") == BALANCE:
            return self._judged(Placement.PRE, context, context.deltas.get(context.text("token"), 0))
        ends = context.measured.get(_label(context))
        if ends is None:
            raise ValueError("a position is judged before sending only if the guard also stands inside")
        return self._judged(Placement.PRE, context, ends - word(context.answers[_position(context)]))

    def ops(self, context: GuardContext) -> tuple[OnChain, ...]:
        """Return the balance line, or the check around the position at planning."""
        most = context.integer("max")
        if context.text("position") == BALANCE:
            return (OnChainLine(context.text("token"), -most),)
        now = word(context.answers[_position(context)])
        is_debt = context.text("position") == DEBT
        return (
            OnChainCheck(
                label=_label(context),
                read=_position(context),
                comparison=Comparison.AT_MOST if is_debt else Comparison.AT_LEAST,
                bound=now + most if is_debt else max(now - most, 0),
                position=Position.AFTER,
            ),
        )

    def post(self, context: GuardContext) -> GuardResult:
        """Judge what the block of inclusion changed."""
        if context.text("position") == BALANCE:
            change = realised_change(context, context.text("token"))
        else:
            now = _position(context)
            change = word(context.answers[now]) - word(context.answers[Before(now)])
        return self._judged(Placement.POST, context, change)

    def _judged(self, placement: Placement, context: GuardContext, change: int) -> GuardResult:
        bound = context.integer("max")
        return verdict(
            self.name,
            placement,
            passed=abs(change) <= bound,
            code="position_moved",
            measured=change,
            bound=bound,
            unit=f"base units of {context.text('token')}",
            at_block=context.block.number,
            note=context.text("position"),
        )


def _data(context: GuardContext) -> Question:
    return reserve_data(context, context.text("protocol"), context.text("token"))


def _position(context: GuardContext) -> BalanceOf:
    index = DEBT_TOKEN_WORD if context.text("position") == DEBT else A_TOKEN_WORD
    return BalanceOf(token_of(context.answers[_data(context)], index), context.executor)


def _label(context: GuardContext) -> str:
    return f"{context.text('position')} in {context.text('token')}"
