"""What is polled of the chain: feeds that died, positions near liquidation, lenders that ran dry."""

from __future__ import annotations

from tests.desks.atomic.machine.conftest import Ground

from tidegate.desks.atomic.machine.signals import Level
from tidegate.desks.atomic.machine.vitals import Vital, vitals_of
from tidegate.model import Metric
from tidegate.venues.flash import lenders_of

ETHER = 10**18


def found(vitals: tuple[Vital, ...], metric: Metric) -> dict[str, Vital]:
    return {"/".join(one.labels.values()): one for one in vitals if one.metric is metric}


def test_a_feed_that_says_nothing_is_polled_and_stale_after_its_heartbeat_and_a_tenth(ground: Ground):
    job = ground.shipped("flash-arb")
    fresh = found(vitals_of(job, ground.world, {}), Metric.ATOMIC_FEED_AGE_S)
    assert fresh
    assert all(one.signal is not None and one.signal.level is Level.QUIET for one in fresh.values())
    bounds = [one.signal.bound for one in fresh.values() if one.signal is not None]
    ground.world.mine(timestamp=ground.world.block().timestamp + max(bounds) + 1)
    stale = found(vitals_of(job, ground.world, {}), Metric.ATOMIC_FEED_AGE_S)
    assert all(one.signal is not None and one.signal.level is Level.CRITICAL for one in stale.values())
    assert all(one.value > max(bounds) for one in stale.values())


def test_balances_are_in_whole_tokens_and_the_coin_is_one_of_them(ground: Ground):
    ground.give("WETH", 3 * ETHER // 2)
    held = found(vitals_of(ground.shipped("flash-arb"), ground.world, {}), Metric.ATOMIC_EXECUTOR_BALANCE)
    assert (held["WETH"].value, held["ETH"].value) == (1.5, 0)


def test_an_account_without_debt_has_an_infinite_health_factor(ground: Ground):
    factors = found(vitals_of(ground.shipped("leverage-open"), ground.world, {}), Metric.ATOMIC_HEALTH_FACTOR)
    assert factors["aave_v3"].value == float("inf")
    assert factors["aave_v3"].signal is not None
    assert factors["aave_v3"].signal.level is Level.QUIET


def test_a_lender_is_held_against_the_largest_loan_that_was_planned_of_it(ground: Ground):
    job = ground.shipped("flash-arb")
    lender = next(one for one in lenders_of(job.book) if one.name.startswith("aave_v3"))
    there = lender.liquidity(job.book.token("WETH").address, ground.world)
    key = f"{lender.name}/WETH"
    for largest, level in ((there * 10 // 11, Level.QUIET), (there, Level.WARNING)):
        vital = found(vitals_of(job, ground.world, {(lender.name, "WETH"): largest}), LIQUIDITY)[key]
        assert vital.signal is not None
        assert vital.signal.level is level
        assert vital.value == there / ETHER


LIQUIDITY = Metric.ATOMIC_LENDER_LIQUIDITY
