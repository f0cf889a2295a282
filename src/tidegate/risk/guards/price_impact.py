"""A trade that moves its own pool too far pays for it: it is too large for the pool."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil

from tidegate.chain import encode_call
from tidegate.model import BPS, GuardResult, Placement
from tidegate.risk.guards.facts import Hop, Read, StepFacts, word
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck

SLOT0 = encode_call("slot0()")
RESERVES = encode_call("getReserves()")
_Q192 = 2**192
_MILLION = 1_000_000


class PriceImpact:
    """Each quoted swap gets within ``max`` of its pools' price for a trade of next to nothing.

    The pools' fees are taken off that price first, so that only the impact is left, rounded up. A swap
    whose pools the address book does not know has not passed. Inside, the swap's own limit holds.
    """

    name = "price_impact"
    placements = frozenset({Placement.PRE})
    parameters: Mapping[str, Parameter] = {"max": Parameter(ParameterKind.BPS, default=50, low=1, high=2_000)}

    def reads(self, context: GuardContext) -> tuple[Read, ...]:
        """Return the state of every pool of the swaps."""
        return tuple(dict.fromkeys(_state(hop) for step in context.steps for hop in step.hops))

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the quoted swap with the largest impact."""
        bound = context.integer("max")
        unknown = next((step.step_id for step in context.steps if not step.hops), None)
        impacts = {step.step_id: _impact_bps(step, context) for step in context.steps if step.hops}
        largest = max(impacts, key=lambda step_id: impacts[step_id], default="")
        measured = impacts.get(largest, 0)
        return verdict(
            self.name,
            Placement.PRE,
            passed=unknown is None and measured <= bound,
            code="pool_unknown" if unknown is not None else "price_impact",
            measured=measured if unknown is None else None,
            bound=bound,
            unit="bps",
            at_block=context.block.number,
            note=largest if unknown is None else unknown,
        )

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the swap's own limit holds inside."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Refuse: the price before the run is not seen at the end of its block."""
        raise NotImplementedError(f"{self.name} does not stand after inclusion")


def _state(hop: Hop) -> Read:
    return Read(hop.pool, SLOT0 if hop.venue == "uniswap_v3" else RESERVES)


def _impact_bps(step: StepFacts, context: GuardContext) -> int:
    """Return ⌈10⁴·(1 − out/(in·rate))⌉, at least 0; the rate is that of the pools, fees taken off."""
    rate = Fraction(1)
    for hop in step.hops:
        rate *= _rate(hop, context.answers[_state(hop)]) * Fraction(_MILLION - hop.fee_millionths, _MILLION)
    lost = 1 - Fraction(step.amount_out) / (step.amount_in * rate)
    return max(ceil(lost * BPS), 0)


def _rate(hop: Hop, answer: bytes) -> Fraction:
    """Return base units out for one base unit in. Tokens of a pool stand in the order of addresses."""
    is_first = int(hop.token_in, 16) < int(hop.token_out, 16)
    if hop.venue == "uniswap_v3":
        price = Fraction(word(answer) ** 2, _Q192)  # token1 for token0
    else:
        price = Fraction(word(answer, 1), word(answer))
    return price if is_first else 1 / price
