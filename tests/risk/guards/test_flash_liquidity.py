"""The guard ``flash_liquidity``: a lender holds the loan and a tenth more, or what the author asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidegate.model import Address, ConfigError, Placement
from tidegate.risk.guards import GuardContext, LoanFacts, Read, fill_parameters, find_guard, judge

GUARD = find_guard("flash_liquidity")
LENDER = Address("0x" + "aa" * 20)


def with_loans(context: GuardContext, *loans: tuple[int, int, int], headroom: int = 1_000) -> GuardContext:
    """Put loans in: how much each borrows, what was lent around it, what its lender answers."""
    facts = tuple(
        LoanFacts(f"loan{place}", "morpho_blue.morpho", amount, around, Read(LENDER, bytes([place])))
        for place, (amount, around, _) in enumerate(loans)
    )
    answers = {fact.liquidity: has.to_bytes(32) for fact, (_, _, has) in zip(facts, loans, strict=True)}
    parameters = fill_parameters(GUARD, {"headroom": headroom})
    return replace(context, parameters=parameters, loans=facts, answers=answers)


@pytest.mark.parametrize(
    ("has", "headroom", "passed", "left"),
    [
        (1_100, 1_000, True, 1_000),
        (1_099, 1_000, False, 990),
        (1_000, 0, True, 0),
        (999, 0, False, -10),
        (2_000, 10_000, True, 10_000),
        (0, 1_000, False, -10_000),
    ],
)
def test_it_fires_below_its_headroom(
    context: GuardContext, has: int, headroom: int, passed: bool, left: int
) -> None:
    result = judge(GUARD, Placement.PRE, with_loans(context, (1_000, 0, has), headroom=headroom))
    assert (result.passed, result.measured, result.bound) == (passed, left, headroom)
    assert result.code == ("ok" if passed else "lender_too_small")
    assert result.note == "morpho_blue.morpho for loan0"


def test_what_the_loans_around_have_taken_is_gone(context: GuardContext) -> None:
    assert judge(GUARD, Placement.PRE, with_loans(context, (1_000, 0, 2_100), (1_000, 1_000, 2_100))).passed
    result = judge(GUARD, Placement.PRE, with_loans(context, (1_000, 0, 2_099), (1_000, 1_000, 2_099)))
    assert (result.passed, result.measured) == (False, 990)
    assert result.note == "morpho_blue.morpho for loan1"


def test_without_a_loan_it_passes_and_without_an_answer_it_fails(context: GuardContext) -> None:
    assert judge(GUARD, Placement.PRE, with_loans(context)).passed
    silent = replace(with_loans(context, (1_000, 0, 9_999)), answers={})
    assert judge(GUARD, Placement.PRE, silent).code == "guard_error"


def test_it_stands_before_sending_alone_and_its_headroom_has_a_range() -> None:
    assert GUARD.placements == {Placement.PRE}
    assert fill_parameters(GUARD, {}) == {"headroom": 1_000}
    with pytest.raises(ConfigError, match="headroom is out of range"):
        fill_parameters(GUARD, {"headroom": 10_001})
