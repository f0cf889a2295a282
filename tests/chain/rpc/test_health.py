"""Street spec 1.1: each row of the endpoint's state table, as a pure machine."""

import pytest

from tidegate.chain.rpc.health import CALLS_TO_JUDGE, Cause, Change, EndpointState, Health
from tidegate.model import ManualClock

HEALTHY, DEGRADED, COOLING, QUARANTINED = EndpointState


class Bench:
    """A health with a clock that is moved by hand, and full jitter."""

    def __init__(self, *, pool_median_s: float | None = None, jitter: float = 1.0) -> None:
        self.clock = ManualClock()
        self.changes: list[Change] = []
        self.health = Health(
            clock=self.clock,
            lag_max_blocks=3,
            pool_median_s=lambda: pool_median_s,
            on_change=self.changes.append,
            jitter=lambda: jitter,
        )

    def pass_s(self, seconds: float) -> None:
        self.clock.set_ms(self.clock.now_ms() + round(seconds * 1000))

    @property
    def state(self) -> EndpointState:
        return self.health.state


def test_an_endpoint_starts_healthy():
    assert Bench().state is HEALTHY


def test_over_ten_percent_errors_in_twenty_calls_degrade():
    bench = Bench()
    for number in range(20):
        assert bench.state is HEALTHY, "not before there are 20 calls, and 10 % is not over 10 %"
        bench.health.answered(0.001, errors=number in (3, 9))
    assert bench.state is HEALTHY
    bench.health.answered(0.001, errors=1)
    assert (bench.state, bench.changes[-1].cause) == (DEGRADED, Cause.ERROR_RATE)
    assert bench.changes[-1].detail == "3 errors in 21 calls of 60 s"


def test_errors_older_than_a_minute_do_not_count():
    bench = Bench()
    bench.health.answered(0.001, calls=15, errors=3)
    bench.pass_s(60)
    bench.health.answered(0.001, calls=19, errors=1)
    assert bench.state is HEALTHY, "1 of 19: the others are over"
    bench.health.answered(0.001, calls=1, errors=1)
    assert bench.state is HEALTHY, "2 of 20"
    bench.health.answered(0.001, calls=1, errors=1)
    assert bench.state is DEGRADED


@pytest.mark.parametrize(("lag", "state"), [(3, HEALTHY), (4, DEGRADED)])
def test_a_head_that_lags_more_than_the_chain_allows_degrades(lag, state):
    bench = Bench()
    bench.health.saw_head(lag)
    assert bench.state is state


@pytest.mark.parametrize(("seconds", "state"), [(0.1, HEALTHY), (0.101, DEGRADED)])
def test_p95_over_four_times_the_pool_median_degrades(seconds, state):
    bench = Bench(pool_median_s=0.025)
    for _ in range(40):
        bench.health.answered(seconds)
    assert bench.state is state
    assert (state is HEALTHY) or bench.changes[-1].cause is Cause.SLOW


def test_nobody_is_slow_among_nodes_next_door():
    bench = Bench(pool_median_s=0.001)
    for _ in range(40):
        bench.health.answered(0.019)
    assert bench.state is HEALTHY


def test_nobody_is_slow_alone():
    bench = Bench(pool_median_s=None)
    for _ in range(40):
        bench.health.answered(5)
    assert bench.state is HEALTHY


def test_twenty_clean_calls_and_a_lag_of_at_most_one_leave_degraded():
    bench = Bench()
    bench.health.saw_head(10)
    for _ in range(19):
        bench.health.answered(0.001)
    bench.health.answered(0.001, errors=1)
    for _ in range(20):
        assert bench.state is DEGRADED, "one error begins the count anew"
        bench.health.answered(0.001)
    assert bench.state is DEGRADED, "it lags"
    bench.health.saw_head(2)
    assert bench.state is DEGRADED
    bench.health.saw_head(1)
    assert (bench.state, bench.changes[-1].cause) == (HEALTHY, Cause.CLEAN)


def test_a_slow_call_is_not_clean():
    bench = Bench(pool_median_s=0.025)
    bench.health.saw_head(10)
    bench.health.saw_head(0)
    for _ in range(40):
        bench.health.answered(0.2)
    assert bench.state is DEGRADED
    for _ in range(20):
        bench.health.answered(0.02)
    assert bench.state is HEALTHY


def test_who_comes_back_is_judged_by_what_comes():
    bench = Bench()
    bench.health.answered(0.001, calls=20, errors=10)
    assert bench.state is DEGRADED
    for _ in range(20):
        bench.health.answered(0.001)
    assert bench.state is HEALTHY
    bench.health.answered(0.001, errors=1)
    assert bench.state is HEALTHY, "the ten errors from before are forgiven"


def test_three_transport_errors_in_a_row_cool():
    bench = Bench()
    for _ in range(2):
        bench.health.failed("reset")
        bench.health.failed("reset")
        assert bench.state is HEALTHY
        bench.health.answered(0.001)
    for _ in range(3):
        bench.health.failed("reset")
    assert (bench.state, bench.changes[-1].cause) == (COOLING, Cause.TRANSPORT)
    assert "last: reset" in bench.changes[-1].detail


def test_a_degraded_endpoint_cools_too():
    bench = Bench()
    bench.health.saw_head(9)
    for _ in range(3):
        bench.health.failed("reset")
    assert bench.state is COOLING


def test_429_cools_at_once_and_honours_retry_after():
    bench = Bench(jitter=0.0)
    bench.health.rate_limited(7.5)
    assert (bench.state, bench.changes[-1].cause) == (COOLING, Cause.RATE_LIMITED)
    assert bench.health.probe_in_s == 7.5
    bench.pass_s(7.4)
    assert not bench.health.may_probe(is_last_resort=True), "not even when nobody else is left"
    bench.pass_s(0.1)
    assert bench.health.may_probe()


def test_a_retry_after_that_is_over_does_not_hold_back_a_last_resort():
    bench = Bench()
    for _ in range(6):
        bench.health.rate_limited(2)
        bench.pass_s(2)
    assert not bench.health.may_probe()
    assert bench.health.may_probe(is_last_resort=True)


def test_a_refused_key_cools_at_once():
    bench = Bench()
    bench.health.auth_failed("HTTP 401")
    assert (bench.state, bench.changes[-1].cause) == (COOLING, Cause.AUTH)


def test_cooling_doubles_from_one_second_to_sixty():
    bench = Bench()
    for _ in range(3):
        bench.health.failed("reset")
    waits = []
    for _ in range(8):
        waits.append(bench.health.probe_in_s)
        bench.pass_s(bench.health.probe_in_s)
        bench.health.begin_probe()
        bench.health.probe_failed("still gone")
        assert bench.state is COOLING
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("jitter", [0.0, 0.25, 1.0])
def test_the_wait_has_full_jitter(jitter):
    bench = Bench(jitter=jitter)
    for _ in range(3):
        bench.health.failed("reset")
    assert bench.health.probe_in_s == jitter


def test_one_probe_at_a_time_and_an_answer_ends_the_cooling():
    bench = Bench()
    for _ in range(3):
        bench.health.failed("reset")
    assert not bench.health.may_probe()
    bench.pass_s(1)
    assert bench.health.may_probe()
    bench.health.begin_probe()
    assert not bench.health.may_probe(), "there is one probe call, not two"
    bench.health.probe_answered()
    assert (bench.state, bench.changes[-1].cause) == (HEALTHY, Cause.PROBE_ANSWERED)
    for _ in range(3):
        bench.health.failed("reset")
    assert bench.health.probe_in_s == 1, "the doubling began anew"


def test_a_late_answer_of_a_cooling_endpoint_does_not_end_its_cooling():
    bench = Bench()
    for _ in range(3):
        bench.health.failed("reset")
    for _ in range(30):
        bench.health.answered(0.001)
    bench.health.saw_head(0)
    assert bench.state is COOLING


def test_a_last_resort_may_probe_every_second_before_its_time():
    bench = Bench()
    for _ in range(3):
        bench.health.failed("reset")
    bench.pass_s(1)
    for _ in range(5):
        bench.health.begin_probe()
        bench.health.probe_failed("still gone")
    bench.pass_s(0.9)
    assert not bench.health.may_probe(is_last_resort=True)
    bench.pass_s(0.1)
    assert bench.health.may_probe(is_last_resort=True)
    assert not bench.health.may_probe()


@pytest.mark.parametrize("cause", [Cause.WRONG_CHAIN_ID, Cause.BLOCK_HASH_DIFFERS])
def test_nothing_but_a_person_ends_a_quarantine(cause):
    bench = Bench()
    bench.health.quarantine(cause, "another chain")
    for _ in range(30):
        bench.health.answered(0.001)
        bench.health.failed("reset")
    bench.health.rate_limited(0)
    bench.health.saw_head(9)
    bench.health.probe_answered()
    bench.pass_s(10_000)
    assert bench.state is QUARANTINED
    assert not bench.health.may_probe(is_last_resort=True)
    bench.health.release()
    assert bench.state is COOLING
    assert bench.health.may_probe(), "it is probed at once"
    bench.health.begin_probe()
    bench.health.probe_answered()
    assert bench.state is HEALTHY


def test_only_healthy_and_degraded_endpoints_are_read():
    usable = []
    for state in EndpointState:
        bench = Bench()
        bench.health.state = state
        usable.append(bench.health.is_usable)
    assert usable == [True, True, False, False]
    assert CALLS_TO_JUDGE == 20
