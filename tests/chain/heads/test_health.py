"""Gap, alert, clock offset, block time and base fee, by the injected clock."""

from __future__ import annotations

from tests.chain.heads.fakechain import FakeChain
from tests.chain.heads.following import catch_up, clock_at, follower, network, step

from tidegate.chain.heads import GapAlert
from tidegate.model import Metric


class Gauges:
    def __init__(self) -> None:
        self.values: dict = {}

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self.values[metric] = (value, labels)


def advance(clock, seconds: float) -> None:
    clock.set_ms(clock.now_ms() + round(seconds * 1_000))


def test_a_gap_is_a_metric_at_once_and_an_alert_after_three_block_times() -> None:
    chain, gauges, alerts = FakeChain(3), Gauges(), []
    clock = clock_at(chain)
    following = follower(chain, clock=clock, recorder=gauges, on_gap=alerts.append)
    catch_up(following)
    assert gauges.values[Metric.BLOCK_GAP] == (0, {"chain": "1"})
    chain.grow(2)
    advance(clock, 24)
    chain.null.add(3)
    step(following)
    assert gauges.values[Metric.BLOCK_GAP] == (2, {"chain": "1"})
    advance(clock, 36)
    step(following)
    assert alerts == []
    assert not following.health.is_degraded
    advance(clock, 0.5)
    step(following)
    step(following)
    assert alerts == [GapAlert(1, 3, 36.5, "block_missing")]
    assert following.health.is_degraded
    chain.null.clear()
    chain.grow(3)
    step(following)
    assert gauges.values[Metric.BLOCK_GAP][0] == 0
    assert following.health.gap_s == 0


def test_a_second_gap_is_a_second_alert() -> None:
    chain, alerts = FakeChain(3), []
    clock = clock_at(chain)
    following = follower(chain, clock=clock, on_gap=alerts.append)
    for number in (3, 4):
        catch_up(following)
        chain.grow()
        advance(clock, 12)
        chain.null = {("logs", chain.block(number).hash)}
        step(following)
        advance(clock, 37)
        step(following)
        chain.null.clear()
    assert [alert.next_number for alert in alerts] == [3, 4]


def test_a_chain_that_falls_silent_is_a_gap_too() -> None:
    chain, alerts = FakeChain(3), []
    clock = clock_at(chain)
    following = follower(chain, clock=clock, on_gap=alerts.append)
    catch_up(following)
    advance(clock, 37)
    step(following)
    assert [(alert.why, alert.next_number) for alert in alerts] == [("head_silent", 3)]
    assert following.health.gap_s == 37
    chain.grow()
    step(following)
    assert following.health.gap_why == ""


def test_a_clock_offset_beyond_the_limit_degrades_either_way() -> None:
    for offset_s, is_degraded in ((15, False), (16, True), (-15, False), (-16, True)):
        chain = FakeChain(3)
        clock = clock_at(chain)
        clock._now_ms -= offset_s * 1_000
        following = follower(chain, clock=clock)
        step(following)
        assert following.health.clock_offset_s == offset_s
        assert following.health.is_degraded is is_degraded


def test_the_limit_of_the_clock_offset_is_the_chains_own() -> None:
    chain = FakeChain(3)
    clock = clock_at(chain)
    clock._now_ms -= 11_000
    following = follower(chain, clock=clock, network=network(clock_skew_max_s=10))
    step(following)
    assert following.health.is_degraded


def test_block_time_and_base_fee_are_those_of_the_chain() -> None:
    chain = FakeChain(50, block_time_s=2)
    following = follower(chain)
    assert following.health.block_time_s == 12
    catch_up(following)
    assert (following.health.block_time_s, following.health.base_fee_wei) == (2, 10**9 + 49)
    assert following.health.head == 49
