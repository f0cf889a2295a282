"""The inputs of alerts against the vectors of the specification: at the bound quiet, beyond it not."""

from __future__ import annotations

import pytest

from tidegate.desks.atomic.machine import signals, unusual
from tidegate.desks.atomic.machine.signals import Ended, Level, shares_of
from tidegate.model import OutcomeKind

NOW_MS = 1_900_000_000_000
LANDED, REVERTED, DROPPED = OutcomeKind.LANDED, OutcomeKind.REVERTED, OutcomeKind.DROPPED
CAP = 2**24
E18 = 10**18


def runs(landed: int, reverted: int, *more: OutcomeKind, at_ms: int = NOW_MS) -> list[Ended]:
    return [Ended(kind, at_ms) for kind in [LANDED] * landed + [REVERTED] * reverted + list(more)]


@pytest.mark.parametrize(
    ("reverted", "included", "level"),
    [(5, 100, "quiet"), (6, 100, "critical"), (2, 20, "critical"), (1, 20, "quiet"), (19, 19, "quiet")],
)
def test_failures_alert_above_five_percent_of_at_least_twenty(reverted, included, level):
    assert signals.failures(shares_of(runs(included - reverted, reverted), NOW_MS)).level == level


def test_failures_count_the_last_hundred_included_of_the_last_day():
    old = runs(0, 50, at_ms=NOW_MS - signals.WINDOW_MS)
    assert shares_of(old, NOW_MS).included == 0, "a day ago to the millisecond is over"
    assert shares_of(runs(0, 7) + runs(100, 0), NOW_MS).reverted == 0, "older than the last hundred"
    assert shares_of(runs(100, 0) + runs(0, 7), NOW_MS).failure_ratio == 0.07


def test_dropped_and_denied_are_counted_apart():
    shares = shares_of(runs(3, 1, DROPPED, OutcomeKind.DENIED, OutcomeKind.REJECTED), NOW_MS)
    assert (shares.landed, shares.reverted, shares.dropped) == (3, 1, 1)
    assert (shares.failure_ratio, shares.success_ratio, shares.inclusion_ratio) == (0.25, 0.75, 0.8)


@pytest.mark.parametrize(
    ("block_limit", "cap", "ceiling"),
    [(60_000_000, CAP, 13_421_772), (30_000_000, None, 24_000_000), (15_000_000, CAP, 12_000_000)],
)
def test_gas_alerts_above_eighty_percent_of_what_a_transaction_may_have(block_limit, cap, ceiling):
    assert signals.gas(ceiling, block_limit, cap).level is Level.QUIET
    assert signals.gas(ceiling + 1, block_limit, cap).level is Level.CRITICAL


def test_a_feed_is_stale_when_its_heartbeat_and_a_tenth_are_over():
    assert signals.oracle_age("feed.ETH-USD", 3_960, 3_960).level is Level.QUIET
    assert signals.oracle_age("feed.ETH-USD", 3_961, 3_960).level is Level.CRITICAL
    assert signals.oracle_age("feed.ETH-USD", -1, 3_960).level is Level.CRITICAL, "from the future"


@pytest.mark.parametrize(
    ("factor", "level"),
    [
        (11 * E18 // 10, "warning"),
        (11 * E18 // 10 - 1, "critical"),
        (1_056_400_000_000_000_000, "critical"),
        (125 * E18 // 100, "quiet"),
        (135 * E18 // 100, "quiet"),
        (2**256 - 1, "quiet"),
    ],
)
def test_health_factors_warn_below_one_and_a_quarter_and_alarm_below_one_point_one(factor, level):
    assert signals.health_factor("aave_v3", factor).level == level


def test_slippage_alerts_above_one_percent():
    assert [signals.slippage(bps).level for bps in (-1, 100, 101)] == ["quiet", "quiet", "warning"]


def test_a_lender_alerts_below_a_tenth_more_than_the_largest_planned_loan():
    assert signals.lender_liquidity("aave_v3.pool", "WETH", 11 * E18, 10 * E18).level is Level.QUIET
    assert signals.lender_liquidity("aave_v3.pool", "WETH", 11 * E18 - 1, 10 * E18).level is Level.WARNING
    assert signals.lender_liquidity("aave_v3.pool", "WETH", 1, 1).level is Level.WARNING, "rounds up"


def test_one_lender_alerts_above_half_of_what_was_borrowed():
    first = signals.lender_share({"a": 5}, 1)
    assert first is not None
    assert (first.level, first.value) == ("quiet", 10_000), "one loan is no habit"
    assert signals.lender_share({}, 0) is None
    even, uneven = signals.lender_share({"a": 5, "b": 5}, 2), signals.lender_share({"a": 5, "b": 6}, 2)
    assert even is not None
    assert uneven is not None
    assert (even.level, uneven.level, uneven.value, uneven.note) == ("quiet", "warning", 5454, "b")


def test_residue_of_a_run_alerts_from_one_base_unit():
    assert [signals.residue("USDC", left).level for left in (0, 1)] == ["quiet", "warning"]


PAST = [100 + (7 * i % 11) for i in range(30)]


def test_a_size_is_unusual_beyond_a_robust_z_of_four():
    assert [unusual.robust_z_e4(PAST, one) for one in (125, 121, 120, 105)] == [44_966, 35_972, 33_724, 0]
    assert [unusual.size(PAST, one).level for one in (125, 121, 80)] == ["warning", "quiet", "warning"]
    assert unusual.size(PAST[:29], 10**9).level is Level.QUIET, "too few to know"


def test_where_every_size_was_the_same_only_repeats_are_normal():
    assert [unusual.size([7] * 30, one).level for one in (7, 8)] == ["quiet", "warning"]


def test_a_value_is_unusual_above_three_medians():
    assert [unusual.value(PAST, one).level for one in (315, 316)] == ["quiet", "warning"]
    assert unusual.value(PAST[:29], 10**9).level is Level.QUIET


def test_a_run_out_of_hours_is_unusual_over_midnight_too():
    at_hour = {hour: (hour * 3600 + 59) * 1000 for hour in range(24)}
    assert all(unusual.hour(at_ms).level is Level.QUIET for at_ms in at_hour.values())
    assert [unusual.hour(at_hour[one], 7, 22).level for one in (6, 7, 21, 22)] == [
        "warning",
        "quiet",
        "quiet",
        "warning",
    ]
    assert [unusual.hour(at_hour[one], 22, 7).level for one in (6, 7, 22)] == ["quiet", "warning", "quiet"]
