from concurrent.futures import ThreadPoolExecutor

import pytest

from tidegate.model import Denied, Reason
from tidegate.risk.limits import DAY_S, HOUR_S, LimitBook, RunLimits


def test_last_place_in_flight_is_taken_once_and_given_back() -> None:
    book, limits = LimitBook(), RunLimits(max_in_flight=1)
    book.reserve("arb", "a", limits, now_s=0)
    with pytest.raises(Denied, match="max_in_flight of arb") as caught:
        book.reserve("arb", "b", limits, now_s=0)
    assert caught.value.reason is Reason.LIMIT
    book.close("arb", "a", value_usd_e6=1, now_s=0)
    assert [use.used for use in book.reserve("arb", "b", limits, now_s=0)] == [0, 1, 0]


def test_runs_roll_off_after_an_hour_and_not_a_second_before() -> None:
    book, limits = LimitBook(), RunLimits(max_runs_per_hour=1, max_in_flight=9)
    book.reserve("arb", "a", limits, now_s=100)
    with pytest.raises(Denied, match="max_runs_per_hour"):
        book.reserve("arb", "b", limits, now_s=100 + HOUR_S - 1)
    book.reserve("arb", "b", limits, now_s=100 + HOUR_S)


def test_losses_stop_the_subject_for_a_day_and_gains_do_not_refund() -> None:
    book, limits = LimitBook(), RunLimits(max_loss_per_day_usd_e6=5, max_runs_per_hour=9, max_in_flight=9)
    book.reserve("arb", "a", limits, now_s=0)
    book.close("arb", "a", value_usd_e6=-5, now_s=0)
    book.close("arb", "a", value_usd_e6=100, now_s=0)
    with pytest.raises(Denied, match="max_loss_per_day of arb"):
        book.reserve("arb", "b", limits, now_s=DAY_S - 1)
    book.reserve("arb", "b", limits, now_s=DAY_S)


def test_subjects_do_not_share_their_places() -> None:
    book, limits = LimitBook(), RunLimits(max_in_flight=1)
    book.reserve("arb", "a", limits, now_s=0)
    book.reserve("loop", "b", limits, now_s=0)


def test_a_refused_intent_takes_nothing() -> None:
    book, limits = LimitBook(), RunLimits(max_in_flight=1, max_runs_per_hour=2)
    book.reserve("arb", "a", limits, now_s=0)
    for attempt in range(5):
        with pytest.raises(Denied):
            book.reserve("arb", f"x{attempt}", limits, now_s=0)
    book.close("arb", "a", value_usd_e6=0, now_s=0)
    assert book.reserve("arb", "b", limits, now_s=0)[1].used == 1


def test_a_restored_run_counts() -> None:
    book = LimitBook()
    book.restore("arb", "a", at_s=0)
    with pytest.raises(Denied, match="max_in_flight"):
        book.reserve("arb", "b", RunLimits(max_in_flight=1), now_s=10)


def test_many_workers_never_exceed_the_limit() -> None:
    book, limits = LimitBook(), RunLimits(max_in_flight=7, max_runs_per_hour=1_000)

    def attempt(number: int) -> bool:
        try:
            book.reserve("arb", str(number), limits, now_s=0)
        except Denied:
            return False
        return True

    with ThreadPoolExecutor(16) as workers:
        assert sum(workers.map(attempt, range(400))) == 7
