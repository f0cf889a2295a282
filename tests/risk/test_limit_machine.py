"""No interleaving of workers exceeds a limit, and a restart changes no count.

A machine of hypothesis plays several workers on one book, in any order, with restarts in between: the
book is thrown away and made again from the journal. A plain list of what happened is the judge.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.risk.conftest import intent_of, plan_of

from tidegate.ledger import (
    BookingBody,
    Held,
    IntentBody,
    Journal,
    LimitsBody,
    MarkBody,
    OutcomeBody,
    PlanBody,
    ResumeBody,
)
from tidegate.model import Denied, Exposure, Intent, ManualClock, Operation, OutcomeKind, Stage
from tidegate.risk import LimitBook, LimitTable, RunLimits, release_failures, restore_limits
from tidegate.risk.limits import DAY_S, HOUR_S, LIMITS, MINUTE_S, RUN_LIMITS, WEEK_S

ALLOWED = {
    "notional_per_transaction_usd_e6": 50,
    "notional_per_hour_usd_e6": 120,
    "notional_per_day_usd_e6": 300,
    "open_intents": 4,
    "open_transactions": 3,
    "exposure_per_token_usd_e6": 90,
    "exposure_per_venue_usd_e6": 150,
    "exposure_usd_e6": 200,
    "loss_per_day_usd_e6": 40,
    "loss_per_week_usd_e6": 70,
    "orders_per_minute": 6,
    "gas_per_day_gwei": 500,
    "failed_share_bps": 10**6,
    "consecutive_failures": 4,
}
TABLE = LimitTable(stage=Stage.PAPER, allowed=ALLOWED)
RUN = RunLimits(max_runs_per_hour=30, max_in_flight=3, max_loss_per_day_usd_e6=30)
NEVER_EXCEEDED = [
    name for name in ALLOWED if name not in ("failed_share_bps", "notional_per_transaction_usd_e6")
]
GWEI = 10**9
KINDS = st.sampled_from([kind for kind in OutcomeKind if kind.is_final])


@dataclass
class Told:
    """What the judge knows of an intent."""

    intent: Intent
    at_s: int
    at_risk: int = 0
    gas: int = 0
    is_planned: bool = False


class Workers(RuleBasedStateMachine):
    """Several workers on one book."""

    @initialize()
    def open_the_ledger(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock(WEEK_S * 10_000)
        self.journal = Journal.open(Path(self.folder.name) / "ledger.sqlite", clock=self.clock)
        self.book = LimitBook(TABLE)
        restore_limits(self.book, self.journal, stage=Stage.PAPER, now_s=self.now_s)
        self.open: dict[str, Told] = {}
        self.number = 0
        self.exits_seen = False
        self.lost: list[tuple[int, int]] = []

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()

    @property
    def now_s(self) -> int:
        return self.clock.now_ms() // 1000

    def write(self, body: Any, intent: Intent) -> None:
        self.journal.append(body.KIND, body, actor="test", correlation_id=intent.id)

    @rule(
        notional=st.integers(0, 60),
        change=st.integers(-60, 60),
        desk=st.sampled_from(["atomic", "momentum"]),
        venue=st.sampled_from(["uniswap", "aave"]),
        operation=st.sampled_from([Operation.OPEN, Operation.INCREASE, Operation.CLOSE]),
    )
    def accept(self, notional: int, change: int, desk: str, venue: str, operation: Operation) -> None:
        self.number += 1
        intent = intent_of(
            f"i{self.number}",
            desk=desk,
            subject=f"{desk} one",
            notional_usd_e6=notional,
            venues=(venue,),
            tokens=("WETH",),
            exposures=(Exposure(venue, "WETH", change),) if change else (),
            operation=operation,
        )
        self.write(IntentBody(intent=intent, stage=Stage.PAPER), intent)
        try:
            checked = self.book.reserve(intent, RUN, now_s=self.now_s)
        except Denied:
            assert not operation.is_exit
            self.write(OutcomeBody(kind=OutcomeKind.DENIED), intent)
            self.book.close(intent, kind=OutcomeKind.DENIED, now_s=self.now_s)
            return
        self.exits_seen |= operation.is_exit
        self.write(LimitsBody(checked=checked), intent)
        self.open[intent.id] = Told(intent, self.now_s)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), at_risk=st.integers(0, 30), gas=st.integers(0, 300))
    def plan(self, data: st.DataObject, at_risk: int, gas: int) -> None:
        told = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        plan = plan_of(told.intent, at_risk_usd_e6=at_risk, gas_limit=gas, max_fee_wei=GWEI)
        self.write(PlanBody.of(plan), told.intent)
        try:
            self.book.commit(told.intent, plan, RUN, now_s=self.now_s)
        except Denied:
            assert not told.intent.operation.is_exit
            self.end(told, OutcomeKind.DENIED, 0, 0)
            return
        told.at_risk, told.gas, told.is_planned = at_risk, gas, True

    @precondition(lambda self: self.open)
    @rule(data=st.data(), kind=KINDS, share=st.integers(-100, 100))
    def settle(self, data: st.DataObject, kind: OutcomeKind, share: int) -> None:
        told = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        if not told.is_planned and kind is not OutcomeKind.DENIED:
            return
        happened = kind in (OutcomeKind.LANDED, OutcomeKind.REVERTED)
        value = told.at_risk * share // 100 if happened else 0
        self.end(told, kind, value, told.gas if happened else 0)

    def end(self, told: Told, kind: OutcomeKind, value: int, gas: int) -> None:
        if value or gas:
            body = BookingBody(deltas=(), gas_cost_wei=gas * GWEI, value_usd_e6=value)
            self.write(body, told.intent)
        self.write(OutcomeBody(kind=kind), told.intent)
        self.book.close(told.intent, kind=kind, value_usd_e6=value, gas_cost_wei=gas * GWEI, now_s=self.now_s)
        del self.open[told.intent.id]
        if value < 0:
            self.lost.append((self.now_s, -value))

    @rule(value=st.integers(-20, 20), held=st.integers(0, 50))
    def mark(self, value: int, held: int) -> None:
        body = MarkBody(
            stage=Stage.PAPER,
            desk="momentum",
            unrealised_usd_e6=value,
            held=(Held("aave", "WETH", held),),
            at_s=self.now_s,
        )
        self.journal.append(body.KIND, body, actor="test")
        self.book.mark(body)

    @rule(desk=st.sampled_from(["atomic", "momentum"]))
    def person_forgives(self, desk: str) -> None:
        body = ResumeBody(
            scope=f"desk:{desk}",
            breaker="consecutive_failures",
            who=("ann",),
            reason="looked",
            evidence="log",
            at_ms=self.clock.now_ms(),
        )
        self.journal.append(body.KIND, body, actor="test")
        release_failures(self.book, body)

    @rule(step_s=st.sampled_from([1, MINUTE_S, HOUR_S - 1, HOUR_S, DAY_S - 1, DAY_S, WEEK_S]))
    def time_passes(self, step_s: int) -> None:
        self.clock.set_ms(self.clock.now_ms() + step_s * 1000)

    @rule()
    def restart(self) -> None:
        before = self.counts()
        self.book = LimitBook(TABLE)
        restore_limits(self.book, self.journal, stage=Stage.PAPER, now_s=self.now_s)
        assert self.counts() == before

    def counts(self) -> dict[tuple[str, str], int]:
        scopes = ["global", "chain:31337", "venue:uniswap", "venue:aave", "token:WETH"]
        for desk in ("atomic", "momentum"):
            scopes += [
                f"desk:{desk}",
                f"desk:{desk},token:WETH",
                f"desk:{desk},venue:uniswap",
                f"desk:{desk},venue:aave",
                f"strategy:{desk} one",
            ]
        return {
            (limit.name, scope): self.book.used(limit.name, scope, now_s=self.now_s)
            for limit in (*LIMITS, *RUN_LIMITS)
            for scope in scopes
        }

    @invariant()
    def nothing_but_exits_and_marks_exceeds_a_limit(self) -> None:
        if not hasattr(self, "book") or self.exits_seen:
            return
        marked = {"exposure_per_token_usd_e6", "exposure_per_venue_usd_e6", "exposure_usd_e6"}
        marked |= {"loss_per_day_usd_e6", "loss_per_week_usd_e6"}
        for (name, scope), used in self.counts().items():
            if name in NEVER_EXCEEDED and not (name in marked and ("momentum" in scope or scope == "global")):
                assert used <= ALLOWED[name], (name, scope)

    @invariant()
    def losses_are_those_that_happened(self) -> None:
        if not hasattr(self, "book"):
            return
        recent = sum(lost for at_s, lost in self.lost if at_s > self.now_s - DAY_S)
        at_risk = sum(told.at_risk for told in self.open.values() if told.is_planned)
        used = [
            self.book.used("max_loss_per_day_usd_e6", f"strategy:{desk} one", now_s=self.now_s)
            for desk in ("atomic", "momentum")
        ]
        assert sum(used) == recent + at_risk


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


class DeepWorkers(Workers):
    """The same at depth."""


@pytest.mark.slow
@pytest.mark.timeout(1_800)
class TestDeepWorkers(DeepWorkers.TestCase):  # type: ignore[misc,name-defined]
    settings = settings(
        max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
    )


def test_threads_never_take_more_than_there_is() -> None:
    """Sixteen workers on one book: the last dollar of notional and the last place go to one of them."""
    book = LimitBook(
        LimitTable(stage=Stage.PAPER, allowed={**ALLOWED, "orders_per_minute": 10**6, "open_intents": 10**6})
    )
    free = RunLimits(max_runs_per_hour=10**6, max_in_flight=10**6)

    def attempt(number: int) -> int:
        intent = intent_of(str(number), notional_usd_e6=number % 7 + 1)
        try:
            book.reserve(intent, free, now_s=0)
        except Denied:
            return 0
        return intent.notional_usd_e6

    with ThreadPoolExecutor(16) as workers:
        taken = sum(workers.map(attempt, range(500)))
    assert taken == book.used("notional_per_hour_usd_e6", "desk:atomic", now_s=0) == 120


def test_what_was_held_before_the_longest_window_is_still_held_after_a_restart(
    journal: Journal, clock: ManualClock
) -> None:
    book, exposed = LimitBook(TABLE), (Exposure("uniswap", "WETH", 90),)
    restore_limits(book, journal, stage=Stage.PAPER, now_s=clock.now_ms() // 1000)
    intent = intent_of(exposures=exposed)
    for body in (IntentBody(intent=intent, stage=Stage.PAPER), LimitsBody(checked=())):
        journal.append(body.KIND, body, actor="test", correlation_id=intent.id)
    book.reserve(intent, RUN, now_s=clock.now_ms() // 1000)
    ended = OutcomeBody(kind=OutcomeKind.LANDED)
    journal.append(ended.KIND, ended, actor="test", correlation_id=intent.id)
    book.close(intent, kind=OutcomeKind.LANDED, now_s=clock.now_ms() // 1000)
    for _ in range(3):
        clock.set_ms(clock.now_ms() + 2 * WEEK_S * 1000)
        again, now_s = LimitBook(TABLE), clock.now_ms() // 1000
        restore_limits(again, journal, stage=Stage.PAPER, now_s=now_s)
        assert again.used("exposure_usd_e6", "desk:atomic", now_s=now_s) == 90
        with pytest.raises(Denied, match="exposure_per_token"):
            again.reserve(intent_of("more", exposures=exposed), RUN, now_s=now_s)
