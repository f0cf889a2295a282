"""One breaker, one evaluation at a time: escalation, hysteresis, holds, cool-down, latch, blindness."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.chain import NETWORKS
from tidegate.model import ConfigError, Halted, Operation
from tidegate.risk import (
    Breaker,
    Level,
    Reading,
    chain_breakers,
    desk_breakers,
    drawdown_breaker,
    oracle_breaker,
)
from tidegate.risk.breakers import OPENING, State, Transition, resume, step

NOTHING: frozenset[Operation] = frozenset()


def breaker_of(**changes: Any) -> Breaker:
    fields: dict[str, Any] = {
        "name": "drawdown",
        "scope": "desk:atomic",
        "input": "drawdown_bps",
        "levels": (Level(500, NOTHING), Level(1_000), Level(1_500)),
        "clear": (400, 900, 1_400),
        "min_hold_s": 600,
        "cooldown_s": 60,
        "max_input_age_s": 10,
    }
    return Breaker(**{**fields, **changes})


class Walk:
    """A breaker through time: seconds and measures in, levels and codes out."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker, self.state = breaker, State()
        self.codes: list[str] = []

    def at(self, second: int, value: float | None, *, age_s: int = 0) -> int:
        reading = None if value is None else Reading(value, (second - age_s) * 1000)
        self.state, transition = step(self.breaker, self.state, reading, second * 1000)
        if transition is not None:
            assert transition.level == self.state.level
            self.codes.append(transition.code)
        return self.state.level


def test_a_measure_equal_to_a_threshold_has_reached_it() -> None:
    for value, level in ((499.999, 0), (500, 1), (999, 1), (1_000, 2), (1_500, 3), (9_999, 3)):
        assert Walk(breaker_of()).at(1, value) == level


def test_levels_escalate_at_once_over_several_rungs_and_through_a_hold() -> None:
    walk = Walk(breaker_of())
    assert [walk.at(1, 500), walk.at(2, 1_500)] == [1, 3]
    assert walk.codes == ["tripped", "tripped"]


def test_levels_step_down_one_at_a_time_each_after_its_own_hold() -> None:
    walk = Walk(breaker_of())
    walk.at(0, 1_500)
    levels = {second: walk.at(second, 0) for second in range(1, 2_000)}
    assert [second for second in range(2, 2_000) if levels[second] < levels[second - 1]] == [
        601,
        1_201,
        1_801,
    ]
    assert walk.codes == ["tripped", "stepped_down", "stepped_down", "stepped_down"]


@pytest.mark.parametrize(("value", "is_clear"), [(900, False), (899, True)])
def test_hysteresis_only_below_clear_is_clear(value: int, is_clear: bool) -> None:
    walk = Walk(breaker_of())
    walk.at(0, 1_000)
    for second in (1, 601):
        level = walk.at(second, value)
    assert level == (1 if is_clear else 2)


def test_while_the_condition_holds_the_hold_extends() -> None:
    walk = Walk(breaker_of())
    walk.at(0, 1_000)
    assert [
        walk.at(second, value) for second, value in ((1, 0), (500, 950), (601, 0), (1_200, 0), (1_201, 0))
    ] == [
        2,
        2,
        2,
        2,
        1,
    ]


def test_cooldown_suppresses_the_retrip_of_the_same_level_only() -> None:
    breaker = breaker_of(min_hold_s=0)
    walk = Walk(breaker)
    walk.at(100, 500)
    assert walk.at(101, 0) == 0
    assert walk.at(102, 999) == 0  # level 1 cools down
    assert walk.at(160, 500) == 0
    assert walk.at(161, 500) == 1  # sixty seconds are over
    walk.at(162, 0)
    assert walk.at(163, 1_000) == 2  # another level trips at once


def test_cooldown_never_suppresses_a_critical_level() -> None:
    walk = Walk(breaker_of(min_hold_s=0))
    walk.at(100, 1_500)
    assert [walk.at(101, 0), walk.at(102, 1_500)] == [2, 3]


def test_cooldown_never_suppresses_blindness() -> None:
    walk = Walk(breaker_of(min_hold_s=0, levels=(Level(500),), clear=400))
    walk.at(100, 500)
    assert [walk.at(101, 0), walk.at(102, 500), walk.at(103, None)] == [0, 0, 1]


def test_a_cooldown_that_lies_in_the_future_holds_nothing_back() -> None:
    """A clock set back over a restart must not keep a breaker quiet."""
    walk = Walk(breaker_of(min_hold_s=0))
    walk.at(1_000_000, 500)
    walk.at(1_000_001, 0)
    assert walk.at(500, 500) == 1


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (None, "missing"),
        (Reading(float("nan"), 1_000_000), "not a number"),
        (Reading(float("inf"), 1_000_000), "not finite"),
        (Reading(0, 989_999), "older than it may be"),
        (Reading(0, 1_010_001), "from the future"),
        (Reading("0", 1_000_000), "text"),  # type: ignore[arg-type]
        (Reading(True, 1_000_000), "not a measure"),
    ],
)
def test_blind_means_tripped_to_the_highest_level(reading: Reading | None, why: str) -> None:
    state, transition = step(breaker_of(), State(), reading, 1_000_000)
    assert transition == Transition("breaker_blind", 0, 3), why
    assert state.level == 3


@pytest.mark.parametrize("at_ms", [990_000, 1_010_000])
def test_an_input_of_just_the_largest_age_is_seen(at_ms: int) -> None:
    assert step(breaker_of(), State(), Reading(0, at_ms), 1_000_000)[1] is None


def test_a_blind_trip_steps_down_as_any_other() -> None:
    walk = Walk(breaker_of())
    walk.at(0, None)
    assert [walk.at(second, 0) for second in (1, 600, 601, 1_201, 1_801)] == [3, 3, 2, 1, 0]
    assert walk.codes[0] == "breaker_blind"


def test_latched_levels_need_a_person() -> None:
    walk = Walk(breaker_of(latched_from=3))
    walk.at(0, 1_500)
    assert [walk.at(second, 0) for second in (1, 601, 10**6)] == [3, 3, 3]
    walk.state, transition = resume(walk.breaker, walk.state, Reading(0, 10**9), 10**9)
    assert transition == Transition("resumed", 3, 0)
    assert walk.at(10**6 + 1, 0) == 0


def test_a_person_releases_to_the_level_that_the_measure_asks_for() -> None:
    walk = Walk(breaker_of(latched_from=3))
    walk.at(0, 1_600)
    state, transition = resume(walk.breaker, walk.state, Reading(1_000, 1_000), 1_000)
    assert (transition.level, state.is_latched) == (2, False)
    state, transition = resume(walk.breaker, walk.state, Reading(1_500, 1_000), 1_000)
    assert (transition.level, state.is_latched) == (3, True)


def test_a_blind_breaker_can_not_be_resumed() -> None:
    walk = Walk(breaker_of(latched_from=3))
    walk.at(0, 1_600)
    with pytest.raises(Halted, match="blind"):
        resume(walk.breaker, walk.state, None, 1_000)


def test_blindness_latches_a_latched_level_only_after_its_time() -> None:
    breaker = breaker_of(latched_from=3, blind_latch_s=60)
    soon, late = Walk(breaker), Walk(breaker)
    for walk, blind_until in ((soon, 59), (late, 60)):
        walk.at(0, None)
        walk.at(blind_until, None)
    assert (soon.state.is_latched, late.state.is_latched) == (False, True)
    assert [soon.at(second, 0) for second in (61, 661)] == [3, 2]


def test_a_breaker_that_comes_out_of_blindness_into_a_latched_level_latches() -> None:
    walk = Walk(breaker_of(latched_from=3, blind_latch_s=60))
    walk.at(0, None)
    walk.at(1, 1_500)
    assert walk.state.is_latched


def test_a_breaker_may_trip_below() -> None:
    breaker = breaker_of(
        name="coverage",
        input="coverage_bps",
        trips="below",
        levels=(Level(10_000, NOTHING), Level(7_000)),
        clear=(11_000, 8_000),
    )
    walk = Walk(breaker)
    assert [walk.at(0, 10_001), walk.at(1, 10_000), walk.at(2, 7_000)] == [0, 1, 2]
    assert [walk.at(3, 8_000), walk.at(700, 8_001), walk.at(1_300, 8_001)] == [2, 2, 1]


EXITS = [operation for operation in Operation if operation.is_exit]


@pytest.mark.parametrize("exit_", EXITS)
def test_a_breaker_that_would_mask_an_exit_can_not_be_made(exit_: Operation) -> None:
    with pytest.raises(ConfigError, match="can not mask an exit") as caught:
        breaker_of(levels=(Level(1, OPENING | {exit_}),), clear=0)
    assert caught.value.found == exit_.value


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"levels": (), "clear": 0}, "needs a level"),
        ({"levels": (Level(2), Level(2)), "clear": 1}, "stricter"),
        ({"levels": (Level(2), Level(1)), "clear": 0}, "stricter"),
        ({"levels": (Level(1), Level(2)), "clear": 0, "trips": "below"}, "stricter"),
        ({"clear": (400, 900)}, "one value, or one a level"),
        ({"clear": (501, 900, 1_400)}, "beyond its own threshold"),
        ({"min_hold_s": -1}, "must not be negative"),
        ({"max_input_age_s": 0}, "at least a second"),
        ({"period_s": 0}, "at least a second"),
        ({"scope": "somewhere"}, "no such scope"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        breaker_of(**changes)


def test_a_level_masks_what_lower_ones_do() -> None:
    breaker = breaker_of(
        levels=(Level(1, frozenset({Operation.OPEN})), Level(2, frozenset({Operation.INCREASE}))), clear=0
    )
    assert [breaker.masks(level) for level in range(3)] == [NOTHING, {Operation.OPEN}, OPENING]


SHIPPED = (
    *desk_breakers("atomic"),
    drawdown_breaker("momentum"),
    oracle_breaker("desk:atomic", heartbeat_s=3_600),
    *(breaker for network in NETWORKS.values() for breaker in chain_breakers(network)),
)


@pytest.mark.parametrize("breaker", SHIPPED, ids=lambda breaker: breaker.key)
def test_every_breaker_that_ships_fires_and_clears(breaker: Breaker) -> None:
    quiet = Walk(breaker)
    assert quiet.at(0, 0) == 0
    for number, level in enumerate(breaker.levels, start=1):
        walk = Walk(breaker)
        assert walk.at(0, level.threshold - 1) == number - 1
        assert walk.at(1, level.threshold) == number
    assert breaker.masks(breaker.highest) == OPENING
    down = Walk(msgspec.structs.replace(breaker, latched_from=0))
    assert down.at(0, breaker.levels[-1].threshold) == breaker.highest
    for second in range(1, breaker.highest * (breaker.min_hold_s + 1) + 2):
        level_now = down.at(second, 0)
    assert level_now == 0


MEASURES = st.one_of(st.none(), st.integers(-10, 2_000), st.floats(), st.just(float("nan")))


@given(
    steps=st.lists(st.tuples(st.integers(0, 900), MEASURES, st.integers(-20, 20)), max_size=30),
    latched_from=st.integers(0, 3),
    blind_latch_s=st.sampled_from([0, 60]),
    cooldown_s=st.sampled_from([0, 60]),
)
def test_whatever_it_sees_a_breaker_keeps_its_rules(
    steps: list[tuple[int, float | None, int]], latched_from: int, blind_latch_s: int, cooldown_s: int
) -> None:
    """Never more than one down at a time, never down without a hold, blind is highest, latched stays."""
    breaker = breaker_of(latched_from=latched_from, blind_latch_s=blind_latch_s, cooldown_s=cooldown_s)
    state, now_s, last_unclear_s = State(), 1_000, -(10**9)
    for passed, value, age_s in steps:
        now_s += passed
        reading = None if value is None else Reading(value, (now_s - age_s) * 1000)
        is_seen = value is not None and value == value and abs(value) != float("inf") and abs(age_s) <= 10
        before = state
        state, _ = step(breaker, before, reading, now_s * 1000)
        assert not breaker.masks(state.level) - OPENING
        if not is_seen:
            assert state.level == breaker.highest
        if is_seen and value is not None and value >= 1_500:
            assert state.level == 3  # the highest level knows no cool-down
        if before.is_latched:
            assert state.level >= before.level
            assert state.is_latched
        if state.level < before.level:
            assert state.level == before.level - 1
            assert (now_s - last_unclear_s) >= breaker.min_hold_s
        if before.level and not (is_seen and value is not None and value < breaker.clear_of(before.level)):
            last_unclear_s = now_s
        if state.level > before.level:
            last_unclear_s = now_s
