"""Slippage: limits before sending, realised amounts after."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.risk.guards.conftest import make_context

from tidegate.model import GuardResult, Placement, maximum_in, minimum_out
from tidegate.risk.guards import GuardContext, StepFacts, find_guard, judge
from tidegate.venues import LimitKind


def before(context: GuardContext, bps: int = 30) -> GuardResult:
    return judge(find_guard("slippage"), Placement.PRE, replace(context, parameters={"max": bps}))


def test_a_limit_within_the_maximum_passes_and_one_beyond_fires(context: GuardContext) -> None:
    assert (before(context, 30).passed, before(context, 30).measured) == (True, 30)
    assert (before(context, 29).passed, before(context, 29).code) == (False, "slippage_above_max")


def test_an_old_quote_fires_whatever_its_limits(context: GuardContext) -> None:
    for age, passed in ((0, True), (1, True), (2, False)):
        aged = replace(context, run=replace(context.run, quoted_at_block=context.block.number - age))
        result = before(aged)
        assert result.passed is passed
        assert passed or (result.code, result.measured, result.unit) == ("quote_too_old", 2, "blocks")


def test_the_worst_of_several_steps_counts(context: GuardContext, sell: StepFacts) -> None:
    loose = replace(sell, step_id="buy", limit=2_900 * 10**6)
    assert before(replace(context, steps=(sell, loose)), 300).measured == 334


def test_nothing_to_limit_is_nothing_lost(context: GuardContext) -> None:
    assert before(replace(context, steps=())).measured == 0


@settings(deadline=None, derandomize=True)
@given(
    quote=some.integers(1, 10**30),
    bps=some.integers(1, 300),
    kind=some.sampled_from(LimitKind),
)
def test_limits_made_by_the_planner_always_read_as_their_own_bps(
    quote: int, bps: int, kind: LimitKind
) -> None:
    is_minimum = kind is LimitKind.MINIMUM_OUT
    limit = minimum_out(quote, bps) if is_minimum else maximum_in(quote, bps)
    step = StepFacts("s", kind, "A", "B", 1 if is_minimum else quote, quote if is_minimum else 1, limit, bps)
    judged = replace(make_context(), steps=(step,), parameters={"max": 300})
    measured = find_guard("slippage").pre(judged).measured
    assert measured is not None
    assert measured <= bps


@pytest.mark.parametrize(
    ("kind", "actual", "passed"),
    [
        (LimitKind.MINIMUM_OUT, 2_991 * 10**6, True),
        (LimitKind.MINIMUM_OUT, 2_990 * 10**6, False),
        (LimitKind.MINIMUM_OUT, 3_100 * 10**6, True),
        (LimitKind.MAXIMUM_IN, 3_009 * 10**6, True),
        (LimitKind.MAXIMUM_IN, 3_010 * 10**6, False),
        (LimitKind.MAXIMUM_IN, 2_900 * 10**6, True),
    ],
)
def test_what_was_realised_is_judged_after_inclusion(
    context: GuardContext, sell: StepFacts, kind: LimitKind, actual: int, passed: bool
) -> None:
    step = replace(sell, limit_kind=kind, amount_in=3_000 * 10**6, amount_out=3_000 * 10**6)
    ran = replace(context, steps=(step,), realised={"sell": actual}, parameters={"max": 30})
    assert judge(find_guard("slippage"), Placement.POST, ran).passed is passed


def test_a_swap_that_can_not_be_found_has_not_passed(context: GuardContext) -> None:
    result = judge(find_guard("slippage"), Placement.POST, replace(context, parameters={"max": 30}))
    assert (result.passed, result.code) == (False, "guard_error")
    assert "sell" in result.note


def test_inside_the_transaction_the_swaps_own_limit_word_stands_for_it(context: GuardContext) -> None:
    assert find_guard("slippage").ops(context) == ()
    assert find_guard("slippage").reads(context) == ()
