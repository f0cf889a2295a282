"""The maths of guards: what is judged before is what the chain judges, exactly, and against other sums."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.risk.guards.conftest import NOW_S, make_context, make_sell

from tidegate.chain import encode_arguments
from tidegate.model import Address, Placement
from tidegate.risk.guards import (
    BalanceOf,
    Before,
    GuardContext,
    Hop,
    LentFacts,
    LoanFacts,
    OnChainCheck,
    Read,
    fill_parameters,
    find_guard,
    judge,
)
from tidegate.risk.guards.price_impact import RESERVES, SLOT0
from tidegate.venues import Entry, shipped_book
from tidegate.venues.chainlink import LATEST_ROUND
from tidegate.venues.executor import Comparison

PRICES = some.integers(1, 10**15)
BOUNDS = some.integers(1, 10**24)


def with_parameters(context: GuardContext, name: str, **parameters: int | str) -> GuardContext:
    return replace(context, parameters=fill_parameters(find_guard(name), parameters))


def on_chain(check: OnChainCheck, answers: dict[object, bytes]) -> bool:
    """What READ, MATH and CHECK make of a check, by their own definitions."""
    left = int.from_bytes(answers[check.read])
    if check.over is not None:
        product, divisor = left * check.scale, int.from_bytes(answers[check.over])
        left = product // divisor if check.comparison is Comparison.AT_LEAST else -(-product // divisor)
    return left >= check.bound if check.comparison is Comparison.AT_LEAST else left <= check.bound


@given(
    base=PRICES, quote=PRICES, one=BOUNDS, other=BOUNDS, pair=some.sampled_from(["WETH/USDC", "USDC/WETH"])
)
def test_price_range_before_is_price_range_inside(
    base: int, quote: int, one: int, other: int, pair: str
) -> None:
    """Both say yes exactly where low ≤ base·10^decimals/quote ≤ high as rational numbers."""
    low, high = sorted((one, other))
    guard = find_guard("price_range")
    context = with_parameters(make_context(), "price_range", pair=pair, low=low, high=high)
    first, second = guard.reads(context)
    answers = {first: base.to_bytes(32), second: quote.to_bytes(32)}
    context = replace(context, answers=answers)
    decimals = context.book.token(pair.split("/")[1]).decimals
    exact = low * quote <= base * 10**decimals <= high * quote
    checks = [part for part in guard.ops(context) if isinstance(part, OnChainCheck)]
    assert judge(guard, Placement.PRE, context).passed is exact
    assert all(on_chain(check, dict(answers)) for check in checks) is exact


@given(price_e8=PRICES, one=BOUNDS, other=BOUNDS)
def test_price_range_against_the_dollar_counts_millionths(price_e8: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    guard = find_guard("price_range")
    context = with_parameters(make_context(), "price_range", pair="WETH/USD", low=low, high=high)
    (question,) = guard.reads(context)
    context = replace(context, answers={question: price_e8.to_bytes(32)})
    exact = low * 100 <= price_e8 <= high * 100
    checks = [part for part in guard.ops(context) if isinstance(part, OnChainCheck)]
    assert judge(guard, Placement.PRE, context).passed is exact
    assert all(on_chain(check, {question: price_e8.to_bytes(32)}) for check in checks) is exact


LOW, HIGH = Address("0x" + "01" * 20), Address("0x" + "02" * 20)


@given(
    reserve_in=some.integers(10**6, 10**30),
    reserve_out=some.integers(10**6, 10**30),
    amount_in=some.integers(10**3, 10**24),
    turned=some.booleans(),
)
def test_price_impact_of_a_v2_pair_is_the_closed_formula(
    reserve_in: int, reserve_out: int, amount_in: int, turned: bool
) -> None:
    """UniswapV2Library.getAmountOut, and 1 − out/(0.997·in·rate) by mpmath with 60 digits."""
    with_fee = amount_in * 997
    amount_out = with_fee * reserve_out // (reserve_in * 1_000 + with_fee)
    if amount_out == 0:
        return
    token_in, token_out = (HIGH, LOW) if turned else (LOW, HIGH)
    hop = Hop("uniswap_v2", Address("0x" + "99" * 20), token_in, token_out, 3_000)
    step = replace(make_sell(), amount_in=amount_in, amount_out=amount_out, hops=(hop,))
    reserves = (reserve_out, reserve_in) if turned else (reserve_in, reserve_out)
    answer = encode_arguments(("uint112", "uint112", "uint32"), (*reserves, 0))
    context = with_parameters(replace(make_context(), steps=(step,)), "price_impact")
    context = replace(context, answers={Read(hop.pool, RESERVES): answer})
    with mpmath.workdps(80):
        lost = 1 - mpmath.mpf(amount_out) * reserve_in * 1_000 / (mpmath.mpf(with_fee) * reserve_out)
        expected = max(int(mpmath.ceil(lost * 10_000)), 0)
    found = judge(find_guard("price_impact"), Placement.PRE, context)
    assert (found.measured, found.passed) == (expected, expected <= 50)


@pytest.mark.parametrize("turned", [False, True])
def test_price_impact_of_a_path_multiplies_its_pools(turned: bool) -> None:
    """Two v3 pools at 4 and 1/4 with no fee: one for one, so 99 out of 100 is an impact of 1 %."""
    there, back = (2 * 2**96, 2**95) if not turned else (2**95, 2 * 2**96)
    tokens = (HIGH, LOW) if turned else (LOW, HIGH)
    first = Hop("uniswap_v3", Address("0x" + "91" * 20), *tokens, 0)
    second = Hop("uniswap_v3", Address("0x" + "92" * 20), *tokens, 0)
    slot0 = ("uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool")
    answers = {
        Read(hop.pool, SLOT0): encode_arguments(slot0, (root, 0, 0, 1, 1, 0, True))
        for hop, root in ((first, there), (second, back))
    }
    step = replace(make_sell(), amount_in=100, amount_out=99, hops=(first, second))
    context = with_parameters(replace(make_context(), steps=(step,)), "price_impact", max=99)
    found = judge(find_guard("price_impact"), Placement.PRE, replace(context, answers=answers))
    assert (found.measured, found.passed, found.code) == (100, False, "price_impact")


@given(before=some.integers(0, 2**200), after=some.integers(0, 2**200), most=some.integers(0, 2**100))
def test_min_profit_and_position_delta_after_inclusion_are_differences(
    before: int, after: int, most: int
) -> None:
    context = make_context()
    held = BalanceOf(context.book.token("WETH").address, context.executor)
    answers = {held: after.to_bytes(32), Before(held): before.to_bytes(32)}
    delta = with_parameters(context, "position_delta", token="WETH", max=most)
    found = judge(find_guard("position_delta"), Placement.POST, replace(delta, answers=answers))
    assert (found.measured, found.passed) == (after - before, abs(after - before) <= most)
    profit = with_parameters(context, "min_profit", token="WETH", amount=max(most, 1))
    gained = judge(find_guard("min_profit"), Placement.POST, replace(profit, answers=answers))
    assert (gained.measured, gained.passed) == (after - before, after - before >= max(most, 1))


@given(shares=some.lists(some.integers(1, 10**15), min_size=1, max_size=6), share=some.integers(1, 10_000))
def test_lender_concentration_never_rounds_a_share_down(shares: list[int], share: int) -> None:
    lent = LentFacts(tuple((f"lender{n}", usd) for n, usd in enumerate(shares)), loans=20)
    loan = LoanFacts("loan", "lender0", 1, 0, Read(LOW, b""))
    context = with_parameters(
        replace(make_context(), loans=(loan,), lent=lent), "lender_concentration", share=share
    )
    found = judge(find_guard("lender_concentration"), Placement.PRE, context)
    assert found.passed is (shares[0] * 10_000 <= share * sum(shares))


@pytest.mark.parametrize(
    ("answer", "up_s", "code"),
    [
        (0, 3_601, "ok"),
        (0, 3_600, "sequencer_grace"),
        (1, 9_999, "sequencer_down"),
        (0, NOW_S, "sequencer_down"),
    ],
)
def test_a_sequencer_is_up_only_after_its_grace_and_with_a_round(answer: int, up_s: int, code: str) -> None:
    """``startedAt`` 0 is a feed without a round: nothing is known, so it is down."""
    context = with_parameters(make_context(), "sequencer_up")
    context = replace(context, book=context.book.with_entries(Entry("chainlink.sequencer_uptime", LOW)))
    words = ("uint80", "int256", "uint256", "uint256", "uint80")
    told = encode_arguments(words, (1, answer, NOW_S - up_s, NOW_S, 1))
    found = judge(
        find_guard("sequencer_up"), Placement.PRE, replace(context, answers={Read(LOW, LATEST_ROUND): told})
    )
    assert (found.code, found.passed) == (code, code == "ok")


@pytest.mark.parametrize("network", ["arbitrum", "base", "optimism"])
def test_the_book_of_every_layer_2_names_its_uptime_feed(network: str) -> None:
    book = shipped_book(network)
    assert book is not None
    context = with_parameters(replace(make_context(), book=book), "sequencer_up")
    (question,) = find_guard("sequencer_up").reads(context)
    assert question == Read(book.entry("chainlink.sequencer_uptime").address, LATEST_ROUND)


def test_the_health_factor_of_another_account_is_asked_by_its_name() -> None:
    context = make_context()
    context = replace(context, book=context.book.with_entries(Entry("treasury", HIGH)))
    own = find_guard("min_health_factor").reads(with_parameters(context, "min_health_factor"))
    other = find_guard("min_health_factor").reads(
        with_parameters(context, "min_health_factor", user="treasury")
    )
    assert own != other
    (asked,) = other
    assert isinstance(asked, Read)
    assert bytes.fromhex(HIGH[2:]) in asked.data


NOT_AFTER = [
    "code_hash",
    "lender_concentration",
    "price_impact",
    "price_range",
    "reserve_active",
    "sequencer_up",
    "twap_sanity",
]


@pytest.mark.parametrize("name", NOT_AFTER)
def test_a_guard_that_does_not_stand_after_inclusion_has_not_passed_there(name: str) -> None:
    guard = find_guard(name)
    assert Placement.POST not in guard.placements
    found = judge(guard, Placement.POST, make_context())
    assert (found.passed, found.code) == (False, "guard_error")
