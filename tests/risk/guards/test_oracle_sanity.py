"""Oracle sanity: feeds alive, swaps near them, and the same inside the transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.risk.guards.conftest import NOW_S

from tidegate.chain import encode_arguments, encode_call
from tidegate.model import ConfigError, GuardResult, Placement
from tidegate.risk.guards import GuardContext, Position, Read, StepFacts, find_guard, judge
from tidegate.venues.chainlink import LATEST_ROUND
from tidegate.venues.executor import Comparison

GUARD = find_guard("oracle_sanity")
PRICES = {"feed.ETH/USD": 3_000 * 10**8, "feed.USDC/USD": 10**8}


def round_of(price_usd_e8: int, updated_at_s: int) -> bytes:
    return encode_arguments(
        ("uint80", "int256", "uint256", "uint256", "uint80"), (1, price_usd_e8, 0, updated_at_s, 1)
    )


def seen(
    context: GuardContext,
    prices: Mapping[str, int] = PRICES,
    *,
    updated_at_s: int = NOW_S,
    **parameters: int | str,
) -> GuardContext:
    answers = {
        Read(context.book.entry(name).address, LATEST_ROUND): round_of(price, updated_at_s)
        for name, price in prices.items()
    }
    given = {"pair": "WETH/USDC", "max_deviation": 100} | parameters
    return replace(context, answers=answers, parameters=given)


def before(context: GuardContext) -> GuardResult:
    return judge(GUARD, Placement.PRE, context)


@pytest.mark.parametrize(
    ("amount_out", "measured", "passed"),
    [
        (3_000_000_000, 0, True),
        (3_030_000_000, 100, True),
        (2_970_000_000, 100, True),
        (3_030_000_001, 101, False),
        (2_969_999_999, 101, False),
    ],
)
def test_a_swap_is_compared_with_the_feeds_both_ways(
    context: GuardContext, sell: StepFacts, amount_out: int, measured: int, passed: bool
) -> None:
    result = before(seen(replace(context, steps=(replace(sell, amount_out=amount_out),))))
    assert (result.measured, result.passed) == (measured, passed)
    assert result.code == ("ok" if passed else "price_deviates")


def test_the_other_direction_and_other_pairs(context: GuardContext, sell: StepFacts) -> None:
    buy = replace(sell, token_in="USDC", token_out="WETH", amount_in=3_060_000_000, amount_out=10**18)
    assert before(seen(replace(context, steps=(buy,)))).measured == 200
    other = replace(sell, token_out="DAI", amount_out=1)
    assert before(seen(replace(context, steps=(other,)))).measured == 0


@pytest.mark.parametrize(("age_s", "passed"), [(0, True), (3_960, True), (3_961, False), (-1, False)])
def test_a_feed_is_stale_a_tenth_past_its_heartbeat_and_never_from_the_future(
    context: GuardContext, age_s: int, passed: bool
) -> None:
    result = before(seen(context, updated_at_s=NOW_S - age_s))
    assert result.passed is passed
    assert passed or (result.code, result.measured, result.note) == ("feed_stale", age_s, "WETH")


def test_a_maximum_age_of_its_own_replaces_the_heartbeat(context: GuardContext) -> None:
    assert not before(seen(context, updated_at_s=NOW_S - 61, max_age=60)).passed
    assert before(seen(context, updated_at_s=NOW_S - 60, max_age=60)).passed


@pytest.mark.parametrize("price", [0, -1])
def test_a_price_that_is_not_positive_fires(context: GuardContext, price: int) -> None:
    result = before(seen(context, PRICES | {"feed.ETH/USD": price}))
    assert (result.passed, result.code, result.measured) == (False, "feed_price", price)


def test_a_feed_that_does_not_answer_has_not_passed(context: GuardContext) -> None:
    result = before(seen(context, {"feed.ETH/USD": 3_000 * 10**8}))
    assert (result.passed, result.code) == (False, "guard_error")


def test_tokens_without_feed_or_heartbeat_have_not_passed(context: GuardContext) -> None:
    for pair, missing in (("BARE/USDC", "no price feed"), ("DAI/USDC", "no heartbeat")):
        result = before(seen(context, pair=pair))
        assert not result.passed
        assert missing in result.note
    with pytest.raises(ConfigError):
        GUARD.reads(seen(context, pair="BARE/USDC"))


def test_a_pair_against_the_dollar_has_one_feed(context: GuardContext) -> None:
    alone = seen(context, pair="WETH/USD")
    assert len(GUARD.reads(alone)) == 1
    assert before(alone).passed
    (check,) = GUARD.ops(alone)
    assert check.bps == 100


def test_inside_each_feed_may_move_by_half(context: GuardContext) -> None:
    checks = GUARD.ops(seen(context, max_deviation=101))
    lens = context.book.entry("guard_lens").address
    feed = context.book.entry("feed.ETH/USD").address
    assert checks[0].read == Read(lens, encode_call("chainlink(address,uint256)", feed, 3_960))
    assert [(check.bound, check.bps) for check in checks] == [(3_000 * 10**8, 50), (10**8, 50)]
    assert {check.comparison for check in checks} == {Comparison.NEAR}
    assert {check.position for check in checks} == {Position.BEFORE}


def test_after_inclusion_the_realised_amount_counts(context: GuardContext, sell: StepFacts) -> None:
    fair = replace(seen(context), realised={"sell": 3_000_000_000})
    poor = replace(seen(context), realised={"sell": 2_900_000_000})
    assert judge(GUARD, Placement.POST, fair).passed
    assert judge(GUARD, Placement.POST, poor).measured == 334
    exact_out = replace(
        sell, limit_kind=sell.limit_kind.__class__.MAXIMUM_IN, amount_in=10**18, amount_out=3_000_000_000
    )
    dear = replace(seen(replace(context, steps=(exact_out,))), realised={"sell": 2 * 10**18})
    assert judge(GUARD, Placement.POST, dear).measured == 5_000
