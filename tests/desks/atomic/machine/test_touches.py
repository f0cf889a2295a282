"""What an intent of a strategy touches: stops, limits and queues of these venues and tokens bind it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.desks.atomic.machine.conftest import Ground

from tidegate.desks.atomic.language.syntax import ActionStep, StepNode
from tidegate.desks.atomic.machine.configure import _venues, configure


@pytest.mark.parametrize(
    ("template", "venues"),
    [("flash-arb", ("uniswap_v2", "uniswap_v3")), ("leverage-open", ("aave_v3", "uniswap_v3"))],
)
def test_a_strategy_says_which_venues_and_tokens_it_touches(
    ground: Ground, template: str, venues: tuple[str, ...]
) -> None:
    job = ground.shipped(template)
    config = configure(job, "0x00")
    assert config.venues == venues
    assert config.tokens == job.strategy.tokens


def test_a_raw_call_may_touch_any_venue_so_none_is_named(ground: Ground) -> None:
    steps: tuple[StepNode, ...] = ground.shipped("flash-arb").strategy.steps
    assert _venues(steps)
    raw = _with_use(steps, "raw.call")
    assert _venues(raw) == ()


def _with_use(steps: tuple[StepNode, ...], use: str) -> tuple[StepNode, ...]:
    return tuple(
        replace(step, use=use)
        if isinstance(step, ActionStep)
        else replace(step, steps=_with_use(step.steps, use))
        for step in steps
    )
