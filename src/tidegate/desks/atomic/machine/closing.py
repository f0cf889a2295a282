"""Closing a quote: limits from slippage, fees from the author's maximum, floors from bounds and gas."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.machine.loans import flash_steps
from tidegate.desks.atomic.machine.names import Names
from tidegate.desks.atomic.machine.pools import hops_of
from tidegate.desks.atomic.machine.prospect import Prospect
from tidegate.desks.atomic.machine.quoting import Assignment, Quoted
from tidegate.desks.atomic.machine.valuation import net_floor
from tidegate.model import BPS, ConfigError, maximum_in, minimum_out, mul_div_up
from tidegate.risk.guards import StepFacts
from tidegate.venues import NATIVE, ActionSpec, LimitKind, catalogue
from tidegate.venues.executor import TokenPrice


def floors_of(
    strategy: syntax.Strategy,
    prices: Mapping[str, TokenPrice],
    asked: Mapping[str, int],
    *,
    gas_limit: int,
    max_fee_wei: int,
) -> dict[str, int]:
    """Return the floor of each token that is bounded, or that a guard asks a line of: the higher holds."""
    floors: dict[str, int] = {}
    for bound in strategy.bounds:
        floor = bound.minimum
        if bound.net_of_gas:
            floor = net_floor(floor, gas_limit, max_fee_wei, prices[NATIVE], prices[bound.token])
        floors[bound.token] = floor
    for symbol, floor in asked.items():
        floors[symbol] = max(floor, floors.get(symbol, 0))  # what moves without a bound has floor 0
    return floors


def slippage_bps_of(step: syntax.ActionStep, strategy: syntax.Strategy) -> int:
    """Return the slippage that a limited step may have: its own, else that of the guards over it.

    Raises
    ------
    ConfigError
        ATM101 if the step does not say: there is no plan without tolerance.
    """
    slippage_bps = Scene.of(strategy).slippage_bps_of(step)
    if slippage_bps is None:
        raise ConfigError(
            f"{step.id} has no slippage",
            code="ATM101",
            found="none",
            allowed="1 to 300 bps",
            fix=f"add `slippage:` to {step.id} of {strategy.name}",
            position=step.position,
        )
    return slippage_bps


def limits_of(strategy: syntax.Strategy, quoted: Quoted) -> dict[str, int]:
    """Return the minimum output or maximum input of each limited step."""
    limits = {}
    for step, spec in _limited(strategy):
        assert spec.limit is not None, "only limited steps are listed"
        bound = minimum_out if spec.limit.kind is LimitKind.MINIMUM_OUT else maximum_in
        limits[step.id] = bound(quoted.values[step.id, spec.limit.of], slippage_bps_of(step, strategy))
    return limits


def max_fees_of(strategy: syntax.Strategy, prospect: Prospect) -> dict[str, int]:
    """Return ⌈planned amount·max_fee⌉ of each loan, or the quoted fee where the author names no maximum."""
    fees = {}
    for step in flash_steps(strategy):
        amount = prospect.quoted.values[step.id, "amount"]
        if step.max_fee_bps is not None:
            fees[step.id] = mul_div_up(amount, step.max_fee_bps, BPS)
        else:
            chosen = prospect.quoted.loans[step.id].lender
            fees[step.id] = next(item.fee for item in prospect.lenders[step.id] if item.lender == chosen)
    return fees


def step_facts(job: Assignment, quoted: Quoted, limits: Mapping[str, int]) -> tuple[StepFacts, ...]:
    """Return each swap as it was quoted and limited."""
    names, facts = Names(job.book, job.executor), []
    for step, spec in _limited(job.strategy):
        assert spec.limit is not None, "only limited steps are listed"
        limited = quoted.values[step.id, spec.limit.of]
        faced = quoted.values[step.id, f"in.{spec.amount_input}"]
        takes_less = spec.limit.kind is LimitKind.MINIMUM_OUT
        facts.append(
            StepFacts(
                step_id=step.id,
                limit_kind=spec.limit.kind,
                token_in=names.token(spec, step, "token_in").symbol,
                token_out=names.token(spec, step, "token_out").symbol,
                amount_in=faced if takes_less else limited,
                amount_out=limited if takes_less else faced,
                limit=limits[step.id],
                slippage_bps=slippage_bps_of(step, job.strategy),
                hops=hops_of(step, spec, job),
            )
        )
    return tuple(facts)


def _limited(strategy: syntax.Strategy) -> list[tuple[syntax.ActionStep, ActionSpec]]:
    return [
        (step, catalogue()[step.use])
        for step in syntax.walk(strategy.steps)
        if isinstance(step, syntax.ActionStep) and step.use in catalogue() and catalogue()[step.use].limit
    ]
