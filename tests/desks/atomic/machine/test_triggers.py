"""Triggers: each kind fires when it should and never else, remembers, and waits until it is heard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.desks.atomic.machine.texts import DECIMALS, HEAD, SELL

from tidegate.desks.atomic import Strategy, parse_strategy
from tidegate.desks.atomic.machine.triggers import (
    AllOf,
    AnyOf,
    AtBlocks,
    AtLevel,
    AtTimes,
    ByHand,
    Fired,
    TriggerRule,
    fire,
    readings_of,
    rule_of,
)

MINUTE_S = 60
LEVEL = 3_000 * 10**6
PRICE = "price WETH/USDC chainlink"


def with_trigger(trigger: str) -> Strategy:
    text = HEAD.replace("trigger: {manual: {}}", f"trigger: {trigger}")
    return parse_strategy(f"{text.strip()}\nsteps:\n  - {SELL}\n".encode(), "t.yaml", {"ethereum": DECIMALS})


def looks(rule: TriggerRule, *seen: Mapping[str, int], starts_s: int = 0, step_s: int = 12) -> list[bool]:
    """Whether a rule is due at each look; what fired is decided at once."""
    memory: Mapping[str, int] = {}
    due = []
    for place, readings in enumerate(seen):
        fired = fire(rule, block=place + 1, at_s=starts_s + place * step_s, readings=readings, memory=memory)
        memory = fired.spent if fired.is_due else fired.memory
        due.append(fired.is_due)
    return due


def prices(*values: int | None) -> Iterable[Mapping[str, int]]:
    return ({} if value is None else {PRICE: value} for value in values)


@pytest.mark.parametrize(
    ("trigger", "rule"),
    [
        ("{manual: {}}", ByHand()),
        ("{every_block: {}}", AtBlocks(1)),
        ("{every_block: {interval: 7}}", AtBlocks(7)),
        (
            "{price: {pair: WETH/USDC, source: chainlink, above: 3000 USDC}}",
            AtLevel(PRICE, "above", LEVEL, 10),
        ),
        (
            "{price: {pair: WETH/USDC, source: chainlink, crosses: 3000 USDC, hysteresis: 1 %}}",
            AtLevel(PRICE, "crosses", LEVEL, 100),
        ),
        ("{schedule: {cron: '0 9 * * 1-5', tz: Europe/Berlin}}", AtTimes("0 9 * * 1-5", "Europe/Berlin")),
        (
            "{health_factor: {protocol: aave_v3, user: executor, below: 1.2}}",
            AtLevel("health_factor aave_v3 executor", "below", 12 * 10**17),
        ),
        ("{any: [{manual: {}}, {every_block: {interval: 6}}]}", AnyOf((ByHand(), AtBlocks(6)))),
        ("{all: [{every_block: {interval: 4}}, {manual: {}}]}", AllOf((AtBlocks(4), ByHand()))),
    ],
)
def test_every_trigger_of_the_language_is_a_rule(trigger: str, rule: TriggerRule) -> None:
    assert rule_of(with_trigger(trigger).trigger) == rule


def test_blocks_fire_at_multiples_and_combinations_exactly() -> None:
    nothing = [{}] * 12
    assert [n + 1 for n, due in enumerate(looks(AtBlocks(4), *nothing)) if due] == [4, 8, 12]
    either, both = (kind((AtBlocks(4), AtBlocks(6))) for kind in (AnyOf, AllOf))
    assert [n + 1 for n, due in enumerate(looks(either, *nothing)) if due] == [4, 6, 8, 12]
    assert [n + 1 for n, due in enumerate(looks(both, *nothing)) if due] == [12]
    assert not any(looks(AllOf((ByHand(), AtBlocks(1))), *nothing)), "it waits for the person"


def test_above_holds_until_the_price_is_below_the_hysteresis() -> None:
    """10 bps of 3,000: on above 3,000, off below 2,997."""
    rule = AtLevel(PRICE, "above", LEVEL, 10)
    seen = prices(LEVEL, LEVEL + 1, 2_997 * 10**6, 2_997 * 10**6 - 1, LEVEL, LEVEL + 1)
    assert looks(rule, *seen) == [False, True, True, False, False, True]


def test_below_holds_until_the_price_is_above_the_hysteresis() -> None:
    rule = AtLevel(PRICE, "below", LEVEL, 10)
    seen = prices(LEVEL, LEVEL - 1, 3_003 * 10**6, 3_003 * 10**6 + 1, LEVEL, LEVEL - 1)
    assert looks(rule, *seen) == [False, True, True, False, False, True]


def test_a_crossing_fires_once_each_way_and_never_at_the_first_look() -> None:
    rule = AtLevel(PRICE, "crosses", LEVEL, 10)
    low, high = 2_997 * 10**6 - 1, 3_003 * 10**6 + 1
    seen = prices(high, high, LEVEL - 1, 2_997 * 10**6, low, low, 3_003 * 10**6, high, high)
    assert looks(rule, *seen) == [False, False, False, False, True, False, False, True, False]


def test_a_crossing_waits_until_the_strategy_is_free_to_decide() -> None:
    """While it cools nobody decides by it; the event is not lost, and it is spent once."""
    rule = AtLevel(PRICE, "crosses", LEVEL, 10)
    memory: Mapping[str, int] = {}
    for value in (2 * LEVEL, LEVEL // 2, LEVEL // 2):
        fired = fire(rule, block=1, at_s=1, readings={PRICE: value}, memory=memory)
        memory = fired.memory
    assert fired.is_due
    assert not fire(rule, block=1, at_s=1, readings={PRICE: LEVEL // 2}, memory=fired.spent).is_due


def test_a_price_that_nobody_can_give_fires_nothing_and_forgets_nothing() -> None:
    rule = AtLevel(PRICE, "below", LEVEL, 10)
    assert looks(rule, *prices(LEVEL - 1, None, LEVEL)) == [True, False, True]
    blind = fire(AnyOf((rule, ByHand())), block=1, at_s=1, readings={}, memory={})
    assert (blind.is_due, blind.blind) == (False, (PRICE,))
    other = fire(AnyOf((rule, AtBlocks(1))), block=1, at_s=1, readings={}, memory={})
    assert other.is_due, "another part may still fire"


def test_a_schedule_fires_once_for_what_it_missed_and_never_for_the_past() -> None:
    every_quarter = AtTimes("*/15 * * * *", "UTC")
    due = looks(every_quarter, *[{}] * 8, starts_s=15 * MINUTE_S, step_s=10 * MINUTE_S)
    assert due == [False, False, True, True, False, True, True, False]
    slow = looks(every_quarter, *[{}] * 3, starts_s=1, step_s=86_400)
    assert slow == [False, True, True], "a day's slots are one run"


def test_all_waits_with_an_event_until_the_others_hold() -> None:
    rule = AllOf((AtTimes("0 * * * *", "UTC"), AtLevel(PRICE, "above", LEVEL)))
    seen = prices(LEVEL, LEVEL, LEVEL + 1, LEVEL + 1)
    assert looks(rule, *seen, starts_s=3_599, step_s=1) == [False, False, True, False]


def test_what_a_rule_reads_is_known_before() -> None:
    rule = AllOf((AtBlocks(1), AnyOf((AtLevel("a", "above", 1), AtLevel("b", "below", 1), ByHand()))))
    assert readings_of(rule) == {"a", "b"}


@given(
    some.lists(some.integers(2_900, 3_100), min_size=1, max_size=40),
    some.sampled_from(["above", "below", "crosses"]),
    some.integers(0, 200),
)
def test_the_same_readings_fire_the_same_whatever_the_process(
    seen: list[int], comparison: str, hysteresis_bps: int
) -> None:
    """Memory is all that a trigger has: carried over as plain data at any point, nothing changes."""
    rule = AtLevel(PRICE, comparison, 3_000, hysteresis_bps)
    whole = looks(rule, *prices(*seen))
    memory: dict[str, int] = {}
    again: list[bool] = []
    for place, readings in enumerate(prices(*seen)):
        fired: Fired = fire(rule, block=place + 1, at_s=place * 12, readings=readings, memory=dict(memory))
        memory = dict(fired.spent if fired.is_due else fired.memory)
        again.append(fired.is_due)
    assert again == whole
    if comparison == "crosses":
        sides = [value >= 3_000 for value in seen]
        assert sum(whole) <= sum(one != other for one, other in pairwise(sides))
