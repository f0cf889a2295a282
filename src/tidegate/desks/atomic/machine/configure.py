"""From a strategy file to what ``decide`` is configured with."""

from __future__ import annotations

from tidegate.desks.atomic.language.syntax import ActionStep, FlashStep, StepNode, walk
from tidegate.desks.atomic.machine.decide import BoundRule, DeskConfig
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.search import objective_of
from tidegate.desks.atomic.machine.triggers import rule_of


def configure(job: Assignment, blinds_hash: str) -> DeskConfig:
    """Return the configuration of a strategy.

    Raises
    ------
    ConfigError
        If a token is unknown.
    """
    strategy = job.strategy
    searched = job.searched_blind
    return DeskConfig(
        subject=strategy.name,
        chain_id=job.book.chain_id,
        strategy_digest=strategy.digest,
        blinds_hash=blinds_hash,
        trigger=rule_of(strategy.trigger),
        cooldown_blocks=strategy.cooldown.blocks,
        cooldown_s=strategy.cooldown.seconds,
        max_in_flight=strategy.limits.max_in_flight,
        deadline_s=strategy.deadline_s,
        max_gas=strategy.gas.max_gas,
        gas_margin_bps=strategy.gas.margin_bps,
        max_base_fee_wei=strategy.gas.max_base_fee_wei,
        priority_fee_wei=strategy.gas.priority_fee_wei,
        bounds=tuple(
            BoundRule(
                symbol=bound.token,
                decimals=job.book.token(bound.token).decimals,
                minimum=bound.minimum,
                net_of_gas=bound.net_of_gas,
            )
            for bound in strategy.bounds
        ),
        searched_blind="" if searched is None else searched.name,
        objective=objective_of(strategy).token if strategy.bounds else "",
        venues=_venues(strategy.steps),
        tokens=strategy.tokens,
    )


def _venues(steps: tuple[StepNode, ...]) -> tuple[str, ...]:
    """Return the adapters that the steps and named lenders use; none if a raw call may touch any."""
    names: set[str] = set()
    for step in walk(steps):
        if isinstance(step, ActionStep):
            names.add(step.use.partition(".")[0])
        elif isinstance(step, FlashStep):
            names |= {provider.partition(".")[0] for provider in step.providers}
    return () if "raw" in names else tuple(sorted(names))
