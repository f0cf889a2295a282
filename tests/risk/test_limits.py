"""A strategy's own limits, through the street's book."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.risk.conftest import intent_of, plan_of

from tidegate.model import Denied, OutcomeKind, Reason, Stage
from tidegate.risk import LimitBook, LimitTable, RunLimits
from tidegate.risk.limits import DAY_S, HOUR_S

WIDE = {"open_intents": 1_000, "open_transactions": 1_000, "orders_per_minute": 100_000}


def book_of() -> LimitBook:
    return LimitBook(LimitTable(stage=Stage.PAPER, allowed=WIDE))


def test_last_place_in_flight_is_taken_once_and_given_back() -> None:
    book, limits = book_of(), RunLimits(max_in_flight=1)
    book.reserve(intent_of("a"), limits, now_s=0)
    with pytest.raises(Denied, match="max_in_flight of arb") as caught:
        book.reserve(intent_of("b"), limits, now_s=0)
    assert caught.value.reason is Reason.LIMIT
    book.close(intent_of("a"), kind=OutcomeKind.LANDED, value_usd_e6=1, now_s=0)
    assert [use.used for use in book.reserve(intent_of("b"), limits, now_s=0)[:3]] == [0, 1, 0]


def test_runs_roll_off_after_an_hour_and_not_a_second_before() -> None:
    book, limits = book_of(), RunLimits(max_runs_per_hour=1, max_in_flight=9)
    book.reserve(intent_of("a"), limits, now_s=100)
    with pytest.raises(Denied, match="max_runs_per_hour"):
        book.reserve(intent_of("b"), limits, now_s=100 + HOUR_S - 1)
    book.reserve(intent_of("b"), limits, now_s=100 + HOUR_S)


def test_losses_stop_the_strategy_for_a_day_and_gains_do_not_refund() -> None:
    book, limits = book_of(), RunLimits(max_loss_per_day_usd_e6=5, max_runs_per_hour=9, max_in_flight=9)
    for name, value in (("a", -5), ("b", 100)):
        book.reserve(intent_of(name), RunLimits(max_in_flight=9), now_s=0)
        book.close(intent_of(name), kind=OutcomeKind.LANDED, value_usd_e6=value, now_s=0)
    with pytest.raises(Denied, match="max_loss_per_day of arb"):
        book.reserve(intent_of("c"), limits, now_s=DAY_S - 1)
    book.reserve(intent_of("c"), limits, now_s=DAY_S)


def test_what_open_runs_may_lose_must_fit_together() -> None:
    book, limits = book_of(), RunLimits(max_loss_per_day_usd_e6=10, max_in_flight=9)
    for name in ("a", "b"):
        book.reserve(intent_of(name), limits, now_s=0)
    book.commit(intent_of("a"), plan_of(intent_of("a"), at_risk_usd_e6=6), limits, now_s=0)
    with pytest.raises(Denied, match="max_loss_per_day of arb"):
        book.commit(intent_of("b"), plan_of(intent_of("b"), at_risk_usd_e6=5), limits, now_s=0)
    book.commit(intent_of("b"), plan_of(intent_of("b"), at_risk_usd_e6=4), limits, now_s=0)


def test_another_plan_of_the_same_intent_takes_the_place_of_the_first() -> None:
    book, limits = book_of(), RunLimits(max_loss_per_day_usd_e6=10)
    book.reserve(intent_of(), limits, now_s=0)
    for at_risk in (7, 9, 10):
        book.commit(intent_of(), plan_of(intent_of(), at_risk_usd_e6=at_risk), limits, now_s=0)
    assert book.used("max_loss_per_day_usd_e6", "strategy:arb", now_s=0) == 10
    book.close(intent_of(), kind=OutcomeKind.LANDED, value_usd_e6=-3, now_s=0)
    assert book.used("max_loss_per_day_usd_e6", "strategy:arb", now_s=0) == 3


def test_strategies_do_not_share_their_places() -> None:
    book, limits = book_of(), RunLimits(max_in_flight=1)
    book.reserve(intent_of("a"), limits, now_s=0)
    book.reserve(intent_of("b", subject="loop"), limits, now_s=0)


def test_a_refused_intent_takes_nothing() -> None:
    book, limits = book_of(), RunLimits(max_in_flight=1, max_runs_per_hour=2)
    book.reserve(intent_of("a"), limits, now_s=0)
    for attempt in range(5):
        with pytest.raises(Denied):
            book.reserve(intent_of(f"x{attempt}"), limits, now_s=0)
    book.close(intent_of("a"), kind=OutcomeKind.LANDED, now_s=0)
    assert book.reserve(intent_of("b"), limits, now_s=0)[1].used == 1


def test_a_restored_run_counts() -> None:
    book = book_of()
    book.restore(intent_of("a"), at_s=0)
    with pytest.raises(Denied, match="max_in_flight"):
        book.reserve(intent_of("b"), RunLimits(max_in_flight=1), now_s=10)


def test_check_and_reservation_are_one_step_for_many_workers() -> None:
    book, limits = book_of(), RunLimits(max_in_flight=7, max_runs_per_hour=1_000)

    def attempt(number: int) -> bool:
        try:
            book.reserve(intent_of(str(number)), limits, now_s=0)
        except Denied:
            return False
        return True

    with ThreadPoolExecutor(16) as workers:
        assert sum(workers.map(attempt, range(400))) == 7
