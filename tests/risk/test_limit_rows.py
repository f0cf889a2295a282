"""Every row of the table of limits is made to fire, and just not to fire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.risk.conftest import USD, intent_of, plan_of

from tidegate.ledger import Held, MarkBody
from tidegate.model import (
    ConfigError,
    Denied,
    Exposure,
    Intent,
    Metric,
    NullRecorder,
    Operation,
    OutcomeKind,
    Stage,
)
from tidegate.risk import LimitBook, LimitTable, RunLimits
from tidegate.risk.limits import DAY_S, HOUR_S, LIMITS, MINUTE_S, WEEK_S, Over

FREE = RunLimits(max_runs_per_hour=10**6, max_in_flight=10**6, max_loss_per_day_usd_e6=10**15)
WIDE = {
    "open_intents": 10**6,
    "open_transactions": 10**6,
    "orders_per_minute": 10**6,
    "consecutive_failures": 10**6,
    "failed_share_bps": 10**6,
    "gas_per_day_gwei": 10**15,
    "notional_per_transaction_usd_e6": 10**15,
    "notional_per_hour_usd_e6": 10**15,
    "notional_per_day_usd_e6": 10**15,
    "exposure_per_token_usd_e6": 10**15,
    "exposure_per_venue_usd_e6": 10**15,
    "exposure_usd_e6": 10**15,
    "loss_per_day_usd_e6": 10**15,
    "loss_per_week_usd_e6": 10**15,
}
TOUCHING = {"venues": ("uniswap",), "tokens": ("WETH",)}
SCOPES = {
    Over.DESK: "desk:atomic",
    Over.CHAIN: "chain:31337",
    Over.VENUE: "venue:uniswap",
    Over.TOKEN: "token:WETH",
}


def book_with(**allowed: int) -> LimitBook:
    """Return a book in which nothing but the named limits can refuse."""
    return LimitBook(LimitTable(stage=Stage.PAPER, allowed={**WIDE, **allowed}))


def walk(
    book: LimitBook,
    name: str,
    *,
    now_s: int = 0,
    kind: OutcomeKind = OutcomeKind.LANDED,
    value_usd_e6: int = 0,
    gas_cost_wei: int = 0,
    **changes: object,
) -> None:
    intent = intent_of(name, **changes)
    book.reserve(intent, FREE, now_s=now_s)
    book.commit(intent, plan_of(intent), FREE, now_s=now_s)
    book.close(intent, kind=kind, value_usd_e6=value_usd_e6, gas_cost_wei=gas_cost_wei, now_s=now_s)


def demand_refused(
    book: LimitBook, limit: str, name: str = "last", *, now_s: int = 0, **changes: object
) -> None:
    with pytest.raises(Denied, match=limit.removesuffix("_usd_e6")):
        book.reserve(intent_of(name, **changes), FREE, now_s=now_s)


def scoped(name: str, *over: Over) -> Iterator[object]:
    for one in over:
        yield pytest.param(name, SCOPES[one], id=f"{name} {SCOPES[one]}")


@pytest.mark.parametrize(
    ("name", "scope"),
    [*scoped("notional_per_transaction_usd_e6", Over.DESK, Over.CHAIN, Over.VENUE, Over.TOKEN)],
)
def test_notional_per_transaction_fires_one_above_it(name: str, scope: str) -> None:
    book = book_with(**{f"{name} {scope}": 100})
    walk(book, "fits", notional_usd_e6=100, **TOUCHING)
    demand_refused(book, name, notional_usd_e6=101, **TOUCHING)


@pytest.mark.parametrize(
    ("name", "scope", "window_s"),
    [
        (name, SCOPES[over], window_s)
        for name, window_s in (("notional_per_hour_usd_e6", HOUR_S), ("notional_per_day_usd_e6", DAY_S))
        for over in SCOPES
    ],
)
def test_notional_of_a_window_counts_open_and_landed_and_rolls_off(
    name: str, scope: str, window_s: int
) -> None:
    book = book_with(**{f"{name} {scope}": 100})
    walk(book, "landed", notional_usd_e6=60, **TOUCHING)
    book.reserve(intent_of("open", notional_usd_e6=40, **TOUCHING), FREE, now_s=1)
    demand_refused(book, name, now_s=1, **TOUCHING)
    book.close(intent_of("open", **TOUCHING), kind=OutcomeKind.DENIED, now_s=2)
    demand_refused(book, name, notional_usd_e6=41, now_s=window_s - 1, **TOUCHING)
    book.reserve(intent_of("after", notional_usd_e6=100, **TOUCHING), FREE, now_s=window_s)


@pytest.mark.parametrize(
    "kind", [OutcomeKind.DENIED, OutcomeKind.REJECTED, OutcomeKind.REVERTED, OutcomeKind.DROPPED]
)
def test_what_did_not_land_moved_nothing(kind: OutcomeKind) -> None:
    book = book_with(notional_per_day_usd_e6=100)
    walk(book, "a", notional_usd_e6=100, kind=kind)
    walk(book, "b", notional_usd_e6=100)
    demand_refused(book, "notional_per_day")


@pytest.mark.parametrize("over", [Over.DESK, Over.CHAIN])
def test_open_intents_are_counted_until_their_outcome(over: Over) -> None:
    book = book_with(**{f"open_intents {SCOPES[over]}": 8})
    for number in range(8):
        book.reserve(intent_of(str(number)), FREE, now_s=0)
    demand_refused(book, "open_intents", now_s=10**9)
    book.close(intent_of("3"), kind=OutcomeKind.DENIED, now_s=0)
    book.reserve(intent_of("next"), FREE, now_s=0)


@pytest.mark.parametrize("over", [Over.DESK, Over.CHAIN])
def test_open_transactions_are_counted_from_the_plan_on(over: Over) -> None:
    book = book_with(**{f"open_transactions {SCOPES[over]}": 2})
    for name in "abc":
        book.reserve(intent_of(name), FREE, now_s=0)
    for name in "ab":
        book.commit(intent_of(name), plan_of(intent_of(name)), FREE, now_s=0)
    with pytest.raises(Denied, match="open_transactions"):
        book.commit(intent_of("c"), plan_of(intent_of("c")), FREE, now_s=0)
    demand_refused(book, "open_transactions")
    book.close(intent_of("a"), kind=OutcomeKind.DROPPED, now_s=0)
    book.commit(intent_of("c"), plan_of(intent_of("c")), FREE, now_s=0)


EXPOSED = {"exposures": (Exposure("uniswap", "WETH", 100),)}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("exposure_per_token_usd_e6", Exposure("aave", "WETH", 1)),
        ("exposure_per_venue_usd_e6", Exposure("uniswap", "USDC", 1)),
        ("exposure_usd_e6", Exposure("aave", "USDC", 1)),
    ],
)
def test_exposure_counts_what_is_held_and_what_open_intents_add(name: str, other: Exposure) -> None:
    book = book_with(**{name: 200})
    walk(book, "held", **EXPOSED)
    book.reserve(intent_of("open", **EXPOSED), FREE, now_s=0)
    demand_refused(book, name, exposures=(other,), now_s=10**9)
    book.close(intent_of("open", **EXPOSED), kind=OutcomeKind.DENIED, now_s=0)
    book.reserve(intent_of("next", exposures=(other,)), FREE, now_s=0)


@pytest.mark.parametrize(
    ("name", "elsewhere"),
    [
        ("exposure_per_token_usd_e6", Exposure("uniswap", "USDC", 100)),
        ("exposure_per_venue_usd_e6", Exposure("aave", "WETH", 100)),
    ],
)
def test_exposure_elsewhere_is_another_count(name: str, elsewhere: Exposure) -> None:
    book = book_with(**{name: 100})
    walk(book, "held", **EXPOSED)
    book.reserve(intent_of("next", exposures=(elsewhere,)), FREE, now_s=0)


def test_lessening_an_exposure_makes_room() -> None:
    book = book_with(exposure_usd_e6=100)
    walk(book, "in", **EXPOSED)
    walk(book, "out", operation=Operation.REDUCE, exposures=(Exposure("uniswap", "WETH", -60),))
    demand_refused(book, "exposure", exposures=(Exposure("uniswap", "WETH", 61),))
    book.reserve(intent_of("again", exposures=(Exposure("uniswap", "WETH", 60),)), FREE, now_s=0)


def test_a_mark_replaces_what_the_book_thought_was_held() -> None:
    book = book_with(exposure_usd_e6=100)
    walk(book, "in", **EXPOSED)
    book.mark(
        MarkBody(stage=Stage.PAPER, desk="atomic", unrealised_usd_e6=0, held=(Held("x", "y", -30),), at_s=1)
    )
    assert book.used("exposure_usd_e6", "desk:atomic", now_s=1) == 30
    assert book.used("exposure_per_token_usd_e6", "desk:atomic,token:WETH", now_s=1) == 0


@pytest.mark.parametrize("scope", ["desk:atomic", "global"])
@pytest.mark.parametrize(
    ("name", "window_s"), [("loss_per_day_usd_e6", DAY_S), ("loss_per_week_usd_e6", WEEK_S)]
)
def test_losses_realised_and_marked_count_and_realised_ones_roll_off(
    name: str, window_s: int, scope: str
) -> None:
    book = book_with(**{f"{name} {scope}": 100})
    walk(book, "lost", value_usd_e6=-60)
    walk(book, "won", value_usd_e6=1_000)
    mark = MarkBody(stage=Stage.PAPER, desk="atomic", unrealised_usd_e6=-40, held=(), at_s=1)
    book.mark(mark)
    demand_refused(book, name, now_s=window_s - 1)
    book.reserve(intent_of("after"), FREE, now_s=window_s)
    book.mark(MarkBody(stage=Stage.PAPER, desk="atomic", unrealised_usd_e6=-100, held=(), at_s=1))
    demand_refused(book, name, now_s=window_s)


def test_what_an_open_plan_may_lose_counts_as_lost_until_it_ends() -> None:
    book = book_with(loss_per_day_usd_e6=100)
    for name in "ab":
        book.reserve(intent_of(name), FREE, now_s=0)
    book.commit(intent_of("a"), plan_of(intent_of("a"), at_risk_usd_e6=70), FREE, now_s=0)
    with pytest.raises(Denied, match="loss_per_day"):
        book.commit(intent_of("b"), plan_of(intent_of("b"), at_risk_usd_e6=31), FREE, now_s=0)
    book.commit(intent_of("b"), plan_of(intent_of("b"), at_risk_usd_e6=30), FREE, now_s=0)
    demand_refused(book, "loss_per_day")
    book.close(intent_of("a"), kind=OutcomeKind.LANDED, value_usd_e6=5, now_s=0)
    book.reserve(intent_of("c"), FREE, now_s=0)


def test_one_desks_gain_does_not_pay_for_anothers_loss() -> None:
    book = book_with(**{"loss_per_day_usd_e6 global": 100})
    for desk, unrealised in (("atomic", 500), ("momentum", -100)):
        book.mark(MarkBody(stage=Stage.PAPER, desk=desk, unrealised_usd_e6=unrealised, held=(), at_s=1))
    demand_refused(book, "loss_per_day")


def test_orders_per_minute_count_refused_plans_too_and_roll_off() -> None:
    book = book_with(orders_per_minute=2)
    walk(book, "a", kind=OutcomeKind.DENIED)
    walk(book, "b", now_s=59)
    demand_refused(book, "orders_per_minute", now_s=59)
    walk(book, "c", now_s=MINUTE_S)
    demand_refused(book, "orders_per_minute", now_s=MINUTE_S)


def test_gas_of_a_chain_counts_what_is_paid_and_what_open_plans_may_pay() -> None:
    book = book_with(**{"gas_per_day_gwei chain:31337": 100})
    walk(book, "paid", kind=OutcomeKind.REVERTED, gas_cost_wei=39 * 10**9 + 1)
    book.reserve(intent_of("open"), FREE, now_s=0)
    plan = plan_of(intent_of("open"), gas_limit=60, max_fee_wei=10**9)
    book.commit(intent_of("open"), plan, FREE, now_s=0)
    demand_refused(book, "gas_per_day")
    dearer = plan_of(intent_of("open"), gas_limit=61, max_fee_wei=10**9)
    with pytest.raises(Denied, match="gas_per_day"):
        book.commit(intent_of("open"), dearer, FREE, now_s=0)
    book.close(intent_of("open"), kind=OutcomeKind.LANDED, gas_cost_wei=10**9, now_s=0)
    book.reserve(intent_of("next"), FREE, now_s=0)
    assert book.used("gas_per_day_gwei", "chain:31337", now_s=0) == 41


@pytest.mark.parametrize("over", [Over.DESK, Over.CHAIN])
@pytest.mark.parametrize("kind", [OutcomeKind.REVERTED, OutcomeKind.REJECTED])
def test_failed_share_fires_above_5_percent_and_not_before_20_attempts(over: Over, kind: OutcomeKind) -> None:
    book = book_with(**{f"failed_share_bps {SCOPES[over]}": 500})
    for number in range(2):
        walk(book, f"bad{number}", kind=kind)
    for number in range(17):
        walk(book, f"good{number}")
    walk(book, "the 20th")
    demand_refused(book, "failed_share_bps")
    book.reserve(intent_of("a day later"), FREE, now_s=DAY_S)


def test_failed_share_of_just_5_percent_is_allowed() -> None:
    book = book_with(failed_share_bps=500)
    walk(book, "bad", kind=OutcomeKind.REVERTED)
    for number in range(20):
        walk(book, f"good{number}")
    assert book.used("failed_share_bps", "desk:atomic", now_s=0) == 477  # 1 of 21, rounded up


@pytest.mark.parametrize("kind", [OutcomeKind.DENIED, OutcomeKind.DROPPED])
def test_what_was_never_tried_or_only_came_too_late_is_no_failure(kind: OutcomeKind) -> None:
    book = book_with(failed_share_bps=0, consecutive_failures=1)
    for number in range(25):
        walk(book, str(number), kind=kind)
    book.reserve(intent_of(), FREE, now_s=0)


def test_consecutive_failures_fire_at_5_and_a_landed_exit_ends_the_streak() -> None:
    book = book_with(consecutive_failures=5)
    for number in range(4):
        walk(book, f"bad{number}", kind=OutcomeKind.REVERTED)
    walk(book, "the fifth", kind=OutcomeKind.REJECTED)
    demand_refused(book, "consecutive_failures")
    walk(book, "exit", operation=Operation.CLOSE)
    book.reserve(intent_of("next"), FREE, now_s=0)


def test_a_person_lets_the_count_of_failures_begin_anew() -> None:
    book = book_with(consecutive_failures=5, failed_share_bps=500)
    for number in range(20):
        if number < 5:
            walk(book, str(number), kind=OutcomeKind.REVERTED)
        else:
            walk(book, str(number), operation=Operation.CLOSE, kind=OutcomeKind.REVERTED)
    demand_refused(book, "failed_share_bps|consecutive_failures")
    for scope in ("desk:atomic", "chain:31337"):
        book.forgive(scope)
    book.reserve(intent_of("next"), FREE, now_s=0)


@pytest.mark.parametrize("operation", [operation for operation in Operation if operation.is_exit])
def test_no_limit_ever_refuses_an_exit_and_every_exit_is_counted(operation: Operation) -> None:
    book = LimitBook(LimitTable(stage=Stage.PRODUCTION, allowed=dict.fromkeys(WIDE, 0)))
    nothing = RunLimits(max_runs_per_hour=0, max_in_flight=0, max_loss_per_day_usd_e6=0)
    intent = intent_of(operation=operation, notional_usd_e6=7, **TOUCHING, **EXPOSED)
    book.reserve(intent, nothing, now_s=0)
    book.commit(intent, plan_of(intent, at_risk_usd_e6=5, gas_limit=1, max_fee_wei=10**9), nothing, now_s=0)
    for name, scope, used in (
        ("notional_per_day_usd_e6", "desk:atomic", 7),
        ("open_intents", "desk:atomic", 1),
        ("open_transactions", "chain:31337", 1),
        ("loss_per_day_usd_e6", "global", 5),
        ("gas_per_day_gwei", "chain:31337", 1),
        ("max_in_flight", "strategy:arb", 1),
    ):
        assert book.used(name, scope, now_s=0) == used, name


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in (Stage.PAPER, Stage.BACKTEST)])
@pytest.mark.parametrize("notional_usd_e6", [0, 1])
def test_nothing_moves_outside_paper_until_a_person_says_how_much(stage: Stage, notional_usd_e6: int) -> None:
    book = LimitBook(LimitTable(stage=stage))
    with pytest.raises(Denied):
        book.reserve(intent_of(notional_usd_e6=notional_usd_e6), RunLimits(), now_s=0)


@pytest.mark.parametrize(
    ("name", "over", "allowed"),
    [
        ("open_intents", Over.DESK, 8),
        ("open_transactions", Over.CHAIN, 16),
        ("exposure_per_token_usd_e6", Over.DESK_TOKEN, 100 * USD),
        ("exposure_per_venue_usd_e6", Over.DESK_VENUE, 250 * USD),
        ("exposure_usd_e6", Over.DESK, 1_000 * USD),
        ("loss_per_day_usd_e6", Over.DESK, 20 * USD),
        ("loss_per_week_usd_e6", Over.DESK, 50 * USD),
        ("loss_per_day_usd_e6", Over.GLOBAL, 60 * USD),
        ("orders_per_minute", Over.DESK, 60),
        ("failed_share_bps", Over.CHAIN, 500),
        ("consecutive_failures", Over.DESK, 5),
        ("gas_per_day_gwei", Over.CHAIN, 0),
    ],
)
def test_defaults_are_those_of_the_table(name: str, over: Over, allowed: int) -> None:
    table = LimitTable(stage=Stage.CANARY, capital_usd_e6={"atomic": 1_000 * USD, "momentum": 2_000 * USD})
    limit = next(one for one in LIMITS if one.name == name and one.over is over)
    scopes = {
        Over.DESK_TOKEN: "desk:atomic,token:WETH",
        Over.DESK_VENUE: "desk:atomic,venue:x",
        Over.GLOBAL: "global",
    }
    assert table.allows(limit, scopes.get(over) or SCOPES[over]) == allowed


def test_the_narrower_figure_of_a_person_wins() -> None:
    table = LimitTable(
        stage=Stage.CANARY,
        allowed={"open_intents": 3, "open_intents chain:10": 1},
        shares_bps={"loss_per_day_usd_e6": 1},
    )
    limit = next(one for one in LIMITS if one.name == "open_intents")
    assert [table.allows(limit, scope) for scope in ("chain:10", "chain:1", "desk:atomic")] == [1, 3, 3]


@pytest.mark.parametrize("wrong", [{"open_intent": 1}, {"open_intents": -1}])
def test_a_limit_that_does_not_exist_or_is_negative_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="no such limit"):
        LimitTable(stage=Stage.PAPER, allowed=wrong)


def test_a_count_is_no_share_of_capital() -> None:
    with pytest.raises(ConfigError, match="no share"):
        LimitTable(stage=Stage.PAPER, shares_bps={"open_intents": 1})


def test_a_refusal_names_limit_scope_used_and_allowed_and_takes_nothing() -> None:
    book = book_with(**{"notional_per_hour_usd_e6 venue:uniswap": 10 * USD})
    before = dict.fromkeys(("open_intents", "orders_per_minute"), 0)
    with pytest.raises(Denied) as caught:
        book.reserve(intent_of(notional_usd_e6=11 * USD, **TOUCHING), FREE, now_s=0)
    assert caught.value.message == "notional_per_hour of venue:uniswap has no room"
    assert (caught.value.found, caught.value.allowed) == ("0.00 USD used, and 11.00 USD more", "10.00 USD")
    assert {name: book.used(name, "desk:atomic", now_s=0) for name in before} == before


def test_the_recorder_learns_how_much_of_a_limit_is_used() -> None:
    class Seen(NullRecorder):
        def __init__(self) -> None:
            self.values: dict[tuple[str, str], float] = {}

        def set(self, metric: Metric, value: float, **labels: str) -> None:
            assert metric is Metric.LIMIT_USED_RATIO
            assert set(labels) == set(metric.labels)
            self.values[labels["limit"], labels["scope"]] = value

    seen = Seen()
    book = LimitBook(LimitTable(stage=Stage.PAPER), recorder=seen)
    book.reserve(intent_of(), RunLimits(max_in_flight=4), now_s=0)
    assert seen.values["open_intents", "desk:atomic"] == 1 / 8
    assert seen.values["max_in_flight", "strategy:arb"] == 1 / 4
    book.close(intent_of(), kind=OutcomeKind.DENIED, now_s=0)
    assert seen.values["open_intents", "desk:atomic"] == 0


def test_every_row_of_the_table_stands_in_the_spec_and_is_checked() -> None:
    """The used limits that an intent is told are all rows of its scopes."""
    book = LimitBook(LimitTable(stage=Stage.PAPER))
    intent: Intent = intent_of(**TOUCHING, **EXPOSED)
    checked = {(used.limit, used.scope.split(":")[0]) for used in book.reserve(intent, RunLimits(), now_s=0)}
    for limit in LIMITS:
        assert (limit.name, limit.over.value.split(" ")[0]) in checked, limit


def test_the_recorder_measures_a_strategys_own_limit_by_its_own_file_to_the_end() -> None:
    class Seen(NullRecorder):
        def __init__(self) -> None:
            self.ratios: dict[str, float] = {}

        def set(self, metric: Metric, value: float, **labels: str) -> None:
            self.ratios[labels["limit"]] = value

    seen = Seen()
    book = LimitBook(LimitTable(stage=Stage.PAPER), recorder=seen)
    book.reserve(intent_of(), RunLimits(max_runs_per_hour=4), now_s=0)
    book.close(intent_of(), kind=OutcomeKind.LANDED, now_s=0)
    assert seen.ratios["max_runs_per_hour"] == 0.25
    assert seen.ratios["max_in_flight"] == 0
