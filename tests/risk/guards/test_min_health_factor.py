"""Health factor: vectors of the specification, and the check that goes on chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidegate.chain import encode_call
from tidegate.model import UINT256_MAX, Placement
from tidegate.risk.guards import GuardContext, Position, Read, fill_parameters, find_guard, judge
from tidegate.venues.executor import Comparison

GUARD = find_guard("min_health_factor")


def with_answer(context: GuardContext, health_factor: int | None, **parameters: int | str) -> GuardContext:
    context = replace(context, parameters=fill_parameters(GUARD, parameters))
    if health_factor is None:
        return context
    (read,) = GUARD.reads(context)
    return replace(context, answers={read: health_factor.to_bytes(32)})


@pytest.mark.parametrize("placement", [Placement.PRE, Placement.POST])
@pytest.mark.parametrize(
    ("health_factor", "passed"),
    [
        (UINT256_MAX, True),
        (135 * 10**16, True),
        (12 * 10**17, True),
        (12 * 10**17 - 1, False),
        (11 * 10**17, False),
    ],
)
def test_the_account_is_judged(
    context: GuardContext, placement: Placement, health_factor: int, passed: bool
) -> None:
    result = judge(GUARD, placement, with_answer(context, health_factor))
    assert (result.passed, result.measured, result.bound) == (passed, health_factor, 12 * 10**17)
    assert result.code == ("ok" if passed else "health_factor_low")


def test_what_the_quoted_run_ends_with_counts_more_than_the_head(context: GuardContext) -> None:
    head = with_answer(context, UINT256_MAX)
    ends_low = replace(head, measured={"health factor": 10**18})
    assert judge(GUARD, Placement.PRE, head).passed
    assert not judge(GUARD, Placement.PRE, ends_low).passed
    assert judge(GUARD, Placement.POST, ends_low).passed, "after inclusion only the chain counts"


def test_no_answer_is_no_pass(context: GuardContext) -> None:
    result = judge(GUARD, Placement.PRE, with_answer(context, None))
    assert (result.passed, result.code) == (False, "guard_error")


def test_inside_it_stands_last_and_asks_the_lens(context: GuardContext) -> None:
    (check,) = GUARD.ops(with_answer(context, None, min=13 * 10**17))
    lens = context.book.entry("guard_lens").address
    pool = context.book.entry("aave_v3.pool").address
    question = encode_call("health_factor(address,address)", pool, context.executor)
    assert check.read == Read(lens, question)
    assert (check.comparison, check.bound, check.position) == (
        Comparison.AT_LEAST,
        13 * 10**17,
        Position.AFTER,
    )
