"""Breakers in any order of measures, silences, restarts and people: exits pass, nothing resets."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tidegate.ledger import Journal
from tidegate.model import Halted, ManualClock, Operation
from tidegate.risk import Breaker, BreakerBook, InputBoard, Level, Place
from tidegate.risk.breakers import read_states

HERE = Place("atomic", 10)
BREAKERS = (
    Breaker(
        name="drawdown",
        scope="desk:atomic",
        input="value",
        levels=(Level(10, frozenset()), Level(20), Level(30)),
        clear=(8, 18, 28),
        min_hold_s=5,
        cooldown_s=3,
        max_input_age_s=4,
        latched_from=3,
        blind_latch_s=6,
    ),
    Breaker(
        name="base_fee",
        scope="chain:10",
        input="value",
        levels=(Level(15),),
        clear=12,
        min_hold_s=2,
        cooldown_s=4,
        max_input_age_s=4,
        period_s=2,
    ),
)


class Breakers(RuleBasedStateMachine):
    """One process after another over one journal."""

    @initialize()
    def open_the_ledger(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock(10**12)
        self.journal = Journal.open(Path(self.folder.name) / "ledger.sqlite", clock=self.clock)
        self.board = InputBoard(self.clock)
        self.value: float | None = None
        self.start()

    def start(self) -> None:
        self.book = BreakerBook.open(BREAKERS, inputs=self.board, clock=self.clock, journal=self.journal)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()

    def levels(self) -> dict[str, int]:
        return {one.name: self.book.state(one.scope, one.name).level for one in BREAKERS}

    def latched(self) -> dict[str, bool]:
        return {one.name: self.book.state(one.scope, one.name).is_latched for one in BREAKERS}

    @rule(value=st.one_of(st.integers(0, 40), st.just(math.nan)))
    def measure(self, value: float) -> None:
        self.board.write("value", "desk:atomic", value)
        self.board.write("value", "chain:10", value)

    @rule(seconds=st.integers(0, 8))
    def time_passes(self, seconds: int) -> None:
        self.clock.set_ms(self.clock.now_ms() + seconds * 1000)

    @rule()
    def evaluate(self) -> None:
        before, latched = self.levels(), self.latched()
        self.book.evaluate()
        for one in BREAKERS:
            level = self.book.state(one.scope, one.name).level
            assert level >= before[one.name] - 1
            assert level >= before[one.name] or not latched[one.name]

    @rule()
    def restart(self) -> None:
        before, latched = self.levels(), self.latched()
        self.start()
        for name, level in self.levels().items():
            assert level >= before[name], "a restart lowered a level"
            assert self.latched()[name] >= latched[name], "a restart released a latch"

    @rule()
    def a_person_resumes(self) -> None:
        try:
            self.book.resume("desk:atomic", "drawdown", who="ann", reason="r", evidence="e")
        except Halted:
            reading = self.board.read("value", "desk:atomic")
            is_old = reading is not None and self.clock.now_ms() - reading.at_ms > 4_000
            assert reading is None or math.isnan(reading.value) or is_old

    @invariant()
    def no_exit_is_masked(self) -> None:
        if hasattr(self, "book"):
            for operation in Operation:
                if operation.is_exit:
                    assert self.book.masked(HERE, operation) is None

    @invariant()
    def blind_or_silent_means_masked(self) -> None:
        if not hasattr(self, "book"):
            return
        for one in BREAKERS:
            state = self.book.state(one.scope, one.name)
            is_silent = self.clock.now_ms() - state.evaluated_ms > 3_000 * one.period_s
            if state.blind_since_ms is not None or is_silent:
                masked = self.book.masked(HERE, Operation.OPEN)
                assert masked is not None
                assert masked.level == masked.breaker.highest or masked.breaker is not one

    @invariant()
    def the_journal_holds_every_level(self) -> None:
        if hasattr(self, "book"):
            written = read_states(self.journal)
            for one in BREAKERS:
                assert written[one.key].level == self.book.state(one.scope, one.name).level


TestBreakers = Breakers.TestCase
TestBreakers.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


class DeepBreakers(Breakers):
    """The same at depth."""


@pytest.mark.slow
@pytest.mark.timeout(1_800)
class TestDeepBreakers(DeepBreakers.TestCase):  # type: ignore[misc,name-defined]
    settings = settings(
        max_examples=60, stateful_step_count=80, deadline=None, suppress_health_check=list(HealthCheck)
    )
