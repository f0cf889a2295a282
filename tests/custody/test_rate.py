"""The rate of a connection: a second's worth at once, an even refill, bounds of 1 and 10,000."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.custody import check_rate
from tidegate.custody.rate import RateLimit
from tidegate.model import ConfigError, ManualClock


def test_a_second_s_requests_are_there_at_once_and_no_more() -> None:
    limit = RateLimit(200, ManualClock(0))
    assert [limit.take(64) for _ in range(4)] == [64, 64, 64, 8]
    assert limit.take(1) == 0


def test_room_comes_back_evenly_and_never_beyond_a_second() -> None:
    clock = ManualClock(0)
    limit = RateLimit(200, clock)
    assert limit.take(200) == 200
    clock.set_ms(5)
    assert limit.take(10) == 1
    clock.set_ms(60_000)
    assert limit.take(1_000) == 200


@given(
    st.integers(1, 10_000),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 64)), max_size=50),
)
def test_no_second_ever_gives_more_than_two_seconds_worth(rate: int, asked: list[tuple[int, int]]) -> None:
    clock = ManualClock(0)
    limit = RateLimit(rate, clock)
    given_at: list[tuple[int, int]] = []
    for wait_ms, wanted in asked:
        clock.set_ms(clock.now_ms() + wait_ms)
        given_at.append((clock.now_ms(), limit.take(wanted)))
    for start_ms, _ in given_at:
        assert sum(got for at_ms, got in given_at if start_ms <= at_ms < start_ms + 1_000) <= 2 * rate


@pytest.mark.parametrize("rate", [1, 200, 10_000])
def test_rates_within_bounds_are_taken(rate: int) -> None:
    assert check_rate(rate) == rate


@pytest.mark.parametrize("rate", [0, -1, 10_001])
def test_a_rate_out_of_bounds_is_a_config_error(rate: int) -> None:
    with pytest.raises(ConfigError, match="1 to 10000"):
        check_rate(rate)
