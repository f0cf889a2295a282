"""A borrowing position must stay clear of liquidation."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.chain import decode_output, encode_call
from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.facts import Read
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck, Position
from tidegate.venues.executor import Comparison

LABEL = "health factor"
EXECUTOR = "executor"
MARKETS = ("aave_v3", "aave_v3.prime")
"""The lending markets whose health factors can be asked for, by their names in the address book."""


class MinHealthFactor:
    """The health factor of ``user``, Σ(collateral·price·threshold)/debt, is at least ``min``.

    ``user`` is the executor, or a name of the address book such as ``treasury``.
    Before: what the quoted run ended with, if the guard also stands inside; else the health factor
    at the head. Inside: last in its scope, so after the last lending step. After: at the block of
    inclusion. An account without debt has 2²⁵⁶ − 1.
    """

    name = "min_health_factor"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {
        "min": Parameter(ParameterKind.RATIO_E18, default=12 * 10**17, low=101 * 10**16, high=100 * 10**18),
        "protocol": Parameter(ParameterKind.NAME, default="aave_v3", choices=MARKETS),
        "user": Parameter(ParameterKind.NAME, default=EXECUTOR),
    }

    def reads(self, context: GuardContext) -> tuple[Read, ...]:
        """Return the health factor by the lens, which is what the chain itself will check."""
        return (_read(context),)

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the quoted end of the run, or the head."""
        measured = context.measured.get(LABEL)
        return self._judged(Placement.PRE, context, _answer(context) if measured is None else measured)

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:
        """Return the check, last in the scope."""
        return (
            OnChainCheck(
                label=LABEL,
                read=_read(context),
                comparison=Comparison.AT_LEAST,
                bound=context.integer("min"),
                position=Position.AFTER,
            ),
        )

    def post(self, context: GuardContext) -> GuardResult:
        """Judge the block of inclusion."""
        return self._judged(Placement.POST, context, _answer(context))

    def _judged(self, placement: Placement, context: GuardContext, measured: int) -> GuardResult:
        bound = context.integer("min")
        return verdict(
            self.name,
            placement,
            passed=measured >= bound,
            code="health_factor_low",
            measured=measured,
            bound=bound,
            unit="ratio_e18",
            at_block=context.block.number,
        )


def _read(context: GuardContext) -> Read:
    pool = context.book.entry(f"{context.text('protocol')}.pool").address
    lens = context.book.entry("guard_lens").address
    user = context.text("user")
    account = context.executor if user == EXECUTOR else context.book.entry(user).address
    return Read(lens, encode_call("health_factor(address,address)", pool, account))


def _answer(context: GuardContext) -> int:
    (health_factor,) = decode_output(("uint256",), context.answers[_read(context)])
    assert isinstance(health_factor, int)
    return health_factor
