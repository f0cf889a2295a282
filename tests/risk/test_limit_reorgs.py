"""What a reorg takes away is not counted; what lands again is counted once, also after a restart."""

from __future__ import annotations

from typing import Any

import pytest
from tests.risk.conftest import intent_of, plan_of

from tidegate.ledger import (
    Body,
    BookingBody,
    FinalisedBody,
    IntentBody,
    Journal,
    LimitsBody,
    OutcomeBody,
    PlanBody,
    WithdrawnBody,
)
from tidegate.model import Exposure, Intent, ManualClock, OutcomeKind, Stage
from tidegate.risk import LimitBook, LimitTable, RunLimits, restore_limits
from tidegate.risk.limits import DAY_S, LIMITS, RUN_LIMITS

GWEI = 10**9
WIDE = RunLimits(max_runs_per_hour=100, max_in_flight=100, max_loss_per_day_usd_e6=10**9)
TABLE = LimitTable(stage=Stage.PAPER, allowed={limit.name: 10**9 for limit in LIMITS})
SCOPES = ("global", "desk:atomic", "chain:31337", "venue:aave", "token:WETH", "strategy:arb")
WITHDRAWN = WithdrawnBody(hash="0x01", block_number=7, block_hash="0x02")
LANDED, REVERTED = OutcomeKind.LANDED, OutcomeKind.REVERTED


def trade(name: str = "a") -> Intent:
    return intent_of(
        name,
        notional_usd_e6=70,
        venues=("aave",),
        tokens=("WETH",),
        exposures=(Exposure("aave", "WETH", 40),),
    )


class Desk:
    """A book and the journal beside it, as the street keeps them."""

    def __init__(self, journal: Journal, clock: ManualClock) -> None:
        self.journal, self.clock, self.book = journal, clock, LimitBook(TABLE)

    @property
    def now_s(self) -> int:
        return self.clock.now_ms() // 1000

    def write(self, intent: Intent, *bodies: Body) -> None:
        for body in bodies:
            self.journal.append(body.KIND, body, actor="test", correlation_id=intent.id)

    def opens(self, intent: Intent) -> None:
        plan = plan_of(intent, at_risk_usd_e6=9, gas_limit=5, max_fee_wei=GWEI)
        self.write(intent, IntentBody(intent=intent, stage=Stage.PAPER))
        checked = self.book.reserve(intent, WIDE, now_s=self.now_s)
        self.write(intent, LimitsBody(checked=checked), PlanBody.of(plan))
        self.book.commit(intent, plan, WIDE, now_s=self.now_s)

    def ends(self, intent: Intent, kind: OutcomeKind = LANDED, value: int = -3, gas: int = 4) -> None:
        self.write(intent, _booking(value, gas), OutcomeBody(kind=kind))
        self.book.close(intent, kind=kind, value_usd_e6=value, gas_cost_wei=gas * GWEI, now_s=self.now_s)

    def withdrawn(self, intent: Intent, value: int = -3, gas: int = 4) -> None:
        plan = plan_of(intent, at_risk_usd_e6=9, gas_limit=5, max_fee_wei=GWEI)
        self.write(intent, WITHDRAWN, _booking(-value, -gas))
        self.book.reopen(intent, plan, at_s=self.now_s)

    def counts(self) -> dict[str, int]:
        found = {}
        for limit in (*LIMITS, *RUN_LIMITS):
            for scope in (*SCOPES, "desk:atomic,token:WETH", "desk:atomic,venue:aave"):
                used = self.book.used(limit.name, scope, now_s=self.now_s)
                if used:
                    found[f"{limit.name} {scope}"] = used
        return found

    def assert_a_restart_counts_the_same(self) -> None:
        before = self.counts()
        self.book = LimitBook(TABLE)
        restore_limits(self.book, self.journal, stage=Stage.PAPER, now_s=self.now_s)
        assert self.counts() == before


@pytest.fixture
def desk(journal: Journal, clock: ManualClock) -> Desk:
    return Desk(journal, clock)


def _booking(value: int, gas: int) -> BookingBody:
    return BookingBody(deltas=(), gas_cost_wei=gas * GWEI, value_usd_e6=value)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_intent_that_lands_again_after_a_reorg_counts_once(desk: Desk, restarts: bool) -> None:
    desk.opens(trade())
    desk.ends(trade())
    once = desk.counts()
    assert once["notional_per_day_usd_e6 desk:atomic"] == 70
    desk.withdrawn(trade())
    if restarts:
        desk.assert_a_restart_counts_the_same()
    desk.ends(trade())
    assert desk.counts() == once
    desk.assert_a_restart_counts_the_same()


def test_withdrawn_it_is_open_as_it_was_before_and_no_second_order(desk: Desk) -> None:
    desk.opens(trade())
    is_open = desk.counts()
    desk.ends(trade())
    assert desk.counts() != is_open
    desk.withdrawn(trade())
    assert desk.counts() == is_open
    assert is_open["orders_per_minute desk:atomic"] == 1


@pytest.mark.parametrize("again", [LANDED, REVERTED, OutcomeKind.DROPPED])
@pytest.mark.parametrize("first", [LANDED, REVERTED, OutcomeKind.DROPPED])
def test_what_it_came_to_in_the_end_is_all_that_counts(
    desk: Desk, journal: Journal, clock: ManualClock, first: OutcomeKind, again: OutcomeKind
) -> None:
    desk.opens(trade())
    desk.ends(trade(), first)
    desk.withdrawn(trade())
    desk.ends(trade(), again)
    straight = Desk(journal, clock)
    straight.opens(trade("b"))
    straight.ends(trade("b"), again)
    assert desk.counts() == straight.counts()


def test_a_success_that_a_reorg_takes_back_ends_no_streak_of_failures(desk: Desk) -> None:
    for name in ("x", "y"):
        desk.opens(trade(name))
        desk.ends(trade(name), REVERTED)
    desk.opens(trade())
    desk.ends(trade())
    assert "consecutive_failures desk:atomic" not in desk.counts()
    desk.withdrawn(trade())
    assert desk.counts()["consecutive_failures desk:atomic"] == 2
    desk.ends(trade(), REVERTED)
    assert desk.counts()["consecutive_failures desk:atomic"] == 3
    desk.assert_a_restart_counts_the_same()


def test_what_has_rolled_off_is_not_taken_back_a_second_time(desk: Desk, clock: ManualClock) -> None:
    desk.opens(trade())
    desk.ends(trade())
    clock.set_ms(clock.now_ms() + 2 * DAY_S * 1000)
    desk.opens(trade("b"))
    desk.ends(trade("b"))
    before = desk.counts()["notional_per_day_usd_e6 desk:atomic"]
    desk.withdrawn(trade())
    assert before == 70
    assert desk.counts()["notional_per_day_usd_e6 desk:atomic"] == 140, "held again, and the other one"


def test_the_gas_of_a_cancel_after_the_end_is_counted_until_a_reorg_takes_it_back(desk: Desk) -> None:
    refused: Any = trade("refused")
    desk.opens(refused)
    desk.write(refused, OutcomeBody(kind=OutcomeKind.REJECTED))
    desk.book.close(refused, kind=OutcomeKind.REJECTED, now_s=desk.now_s)
    desk.write(refused, _booking(-1, 6))
    desk.book.charge(refused, value_usd_e6=-1, gas_cost_wei=6 * GWEI, now_s=desk.now_s)
    assert desk.counts()["gas_per_day_gwei chain:31337"] == 6
    assert "open_intents desk:atomic" not in desk.counts()
    desk.assert_a_restart_counts_the_same()
    desk.write(refused, WITHDRAWN, _booking(1, -6))
    desk.book.uncharge(refused.id)
    assert "gas_per_day_gwei chain:31337" not in desk.counts()
    desk.assert_a_restart_counts_the_same()


def test_what_is_final_is_remembered_no_longer(desk: Desk) -> None:
    desk.opens(trade())
    desk.ends(trade())
    desk.book.finalise("a")
    desk.write(trade(), FinalisedBody(hash="0x01", block_number=7, head_number=99))
    before = desk.counts()
    desk.book.uncharge("a")
    assert desk.counts() == before
    desk.assert_a_restart_counts_the_same()
