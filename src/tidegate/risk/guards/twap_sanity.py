"""A pool's price must not have been pushed away from its own mean a moment ago."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.chain import encode_call
from tidegate.model import Address, GuardResult, Placement
from tidegate.risk.guards.facts import Read, word
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck, Position
from tidegate.venues.executor import Comparison

LABEL = "ticks from the mean"
CARDINALITY_MIN = 2
"""A pool that keeps one observation knows nothing older than its last trade: its mean is its price."""

_SLOT0 = encode_call("slot0()")
_CARDINALITY_WORD = 3
_TICK_MAX = 887_272


class TwapSanity:
    """A Uniswap v3 pool's tick is within ``max_gap`` of its mean over ``window``.

    Before: at the head, and the pool must remember the whole window. Inside: by the same view, right
    before what it protects. ``pool`` is its name in the address book. The mean rounds toward minus
    infinity, as the pool's own ticks do; a tick is about one basis point.
    """

    name = "twap_sanity"
    placements = frozenset({Placement.PRE, Placement.IN})
    parameters: Mapping[str, Parameter] = {
        "pool": Parameter(ParameterKind.NAME, is_required=True),
        "window": Parameter(ParameterKind.SECONDS, default=1_800, low=60, high=86_400),
        "max_gap": Parameter(ParameterKind.TICKS, default=100, low=1, high=_TICK_MAX),
    }

    def reads(self, context: GuardContext) -> tuple[Read, ...]:
        """Return the gap by the lens, and the pool's own state."""
        return (_gap(context), Read(_pool(context), _SLOT0))

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the head."""
        cardinality = word(context.answers[Read(_pool(context), _SLOT0)], _CARDINALITY_WORD)
        answer = context.answers.get(_gap(context))
        if cardinality < CARDINALITY_MIN or answer is None:
            return verdict(
                self.name,
                Placement.PRE,
                passed=False,
                code="twap_too_short",
                measured=cardinality,
                bound=CARDINALITY_MIN,
                unit="observations",
                at_block=context.block.number,
                note=f"{context.text('pool')} does not remember {context.integer('window')} s",
            )
        gap, bound = word(answer), context.integer("max_gap")
        return verdict(
            self.name,
            Placement.PRE,
            passed=gap <= bound,
            code="price_far_from_mean",
            measured=gap,
            bound=bound,
            unit="ticks",
            at_block=context.block.number,
            note=context.text("pool"),
        )

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:
        """Return the check, right before what the guard protects."""
        return (
            OnChainCheck(
                label=LABEL,
                read=_gap(context),
                comparison=Comparison.AT_MOST,
                bound=context.integer("max_gap"),
                position=Position.BEFORE,
            ),
        )

    def post(self, context: GuardContext) -> GuardResult:
        """Refuse: the run itself moves the price, so the end of its block says nothing."""
        raise NotImplementedError(f"{self.name} does not stand after inclusion")


def _pool(context: GuardContext) -> Address:
    return context.book.entry(context.text("pool")).address


def _gap(context: GuardContext) -> Read:
    lens = context.book.entry("guard_lens").address
    return Read(lens, encode_call("tick_gap(address,uint32)", _pool(context), context.integer("window")))
