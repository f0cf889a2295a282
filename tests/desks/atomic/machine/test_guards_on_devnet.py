"""Each guard on the devnet: it passes, it stops a plan before sending, and the chain stops the very bytes.

What stands inside is moved between plan and inclusion: the plan was right, the state is not any more.
"""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD, V2_IN, V3_IN, swap

from tidegate.desks.atomic import Assignment, draft_plan, finish_plan
from tidegate.desks.atomic.machine.judging import judgement_of
from tidegate.desks.atomic.machine.lent import LentBook, lent_notes
from tidegate.model import ConfigError, Denied, GuardResult, Plan, Reason, Receipt
from tidegate.venues import Entry
from tidegate.venues.calls import send
from tidegate.venues.chainlink import deploy_price_feed, set_answer, set_round
from tidegate.venues.uniswap_v3 import swap_exact_in

WETH, USDC = 10**18, 10**6


class Scene:
    """A strategy with one guard, planned where it passes."""

    def __init__(self, ground: Ground, guard: str, steps: str = "", *, job: Assignment | None = None) -> None:
        self.ground = ground
        self.job = job or ground.job(
            HEAD.replace("steps:", f"guards: [{guard}]\nsteps:") + (steps or swap(V3_IN))
        )
        ground.allow(self.job)
        ground.give("WETH", 5 * WETH)
        self.plan: Plan = finish_plan(draft_plan(ground.intent(self.job), self.job, ground.world), 1_000_000)

    def before(self, name: str) -> GuardResult:
        (found,) = (
            item for item in judgement_of(self.plan, self.job).before(self.ground.world) if item.guard == name
        )
        return found

    def run(self) -> Receipt:
        return self.ground.world.transact(self.plan.to, self.plan.data, sender=self.ground.operator)

    def after(self, name: str, receipt: Receipt, parent: object = None) -> GuardResult:
        world = self.ground.world
        judged = judgement_of(self.plan, self.job).after(world, lambda: parent or world, receipt, {})  # type: ignore[arg-type,return-value]
        (found,) = (item for item in judged if item.guard == name)
        return found

    def refused_by(self) -> str:
        return self.ground.revert_of(self.plan).revert.name


def pool_name(ground: Ground) -> str:
    pool = ground.devnet.pool("WETH", "USDC", 500)
    return next(name for name, entry in ground.book.contracts.items() if entry.address == pool.address)


def remember(ground: Ground, seconds: int = 3_600) -> None:
    """Let the pool keep more observations, and let a while pass between two trades."""
    world, pool = ground.world, ground.devnet.pool("WETH", "USDC", 500)
    send(world, pool.address, "increaseObservationCardinalityNext(uint16)", 16, sender=ground.operator)
    push_v3(ground, "WETH", WETH // 100)
    world.mine(timestamp=world.block().timestamp + seconds)
    for feed in ground.devnet.feeds.values():
        price = int.from_bytes(world.call(feed.address, bytes.fromhex("feaf968c"))[32:64])
        set_answer(world, feed, price)


def push_v3(ground: Ground, token_in: str, amount: int) -> None:
    token_out = "USDC" if token_in == "WETH" else "WETH"
    swap_exact_in(
        ground.world,
        ground.devnet.uniswap_v3,
        ground.devnet.token(token_in),
        ground.devnet.token(token_out),
        amount,
        fee=500,
        trader=ground.devnet.accounts["trader"],
    )


def test_twap_sanity_stops_a_pool_that_was_pushed(ground: Ground) -> None:
    remember(ground)
    scene = Scene(ground, f"{{twap_sanity: {{pool: {pool_name(ground)}, max_gap: 30}}, place: [pre, in]}}")
    assert scene.before("twap_sanity").passed
    push_v3(ground, "WETH", 400 * WETH)
    failed = scene.before("twap_sanity")
    assert (failed.passed, failed.code, failed.unit) == (False, "price_far_from_mean", "ticks")
    assert failed.measured is not None
    assert failed.measured > 30
    assert scene.refused_by() == "CheckFailed"


def test_twap_sanity_stops_a_pool_that_does_not_remember_the_window(ground: Ground) -> None:
    scene = Scene(ground, f"{{twap_sanity: {{pool: {pool_name(ground)}, window: 1 days}}, place: [pre]}}")
    failed = scene.before("twap_sanity")
    assert (failed.passed, failed.code) == (False, "twap_too_short")


RANGE = "{price_range: {pair: WETH/USDC, low: %s USDC, high: %s USDC}, place: [pre, in]}"


@pytest.mark.parametrize(("moved_to", "code"), [(2_899, "price_below_range"), (3_101, "price_above_range")])
def test_price_range_stops_outside_on_chain_too(ground: Ground, moved_to: int, code: str) -> None:
    scene = Scene(ground, RANGE % (2_900, 3_100))
    inside = scene.before("price_range")
    assert (inside.passed, inside.measured) == (True, 3_000 * USDC)
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], moved_to * 10**8)
    failed = scene.before("price_range")
    assert (failed.passed, failed.code, failed.measured) == (False, code, moved_to * USDC)
    assert scene.refused_by() == "CheckFailed"


def test_price_range_includes_its_ends_and_takes_dollars(ground: Ground) -> None:
    exact = Scene(ground, RANGE % (3_000, 3_000))
    assert exact.before("price_range").passed
    exact.run()
    dollars = Scene(ground, RANGE.replace("/USDC", "/USD").replace("USDC", "USD") % (2_999, "3000.000001"))
    assert dollars.before("price_range").passed
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], 3_000 * 10**8 + 101)
    failed = dollars.before("price_range")
    assert (failed.measured, failed.bound) == (3_000_000_002, 3_000_000_001), "rounded up against the run"
    assert dollars.refused_by() == "CheckFailed"


def test_price_range_stops_while_a_feed_is_stale(ground: Ground) -> None:
    scene = Scene(ground, RANGE % (1, 9_000))
    ground.world.mine(timestamp=ground.world.block().timestamp + 30 * 86_400)
    failed = scene.before("price_range")
    assert (failed.passed, failed.code, failed.note) == (False, "feed_stale", "WETH")


def test_balance_floor_is_judged_at_the_end_and_checked_there(ground: Ground) -> None:
    scene = Scene(ground, "{balance_floor: {token: WETH, amount: 4 WETH}, place: [pre, in, post]}")
    passed = scene.before("balance_floor")
    assert (passed.passed, passed.measured) == (True, 4 * WETH), "5 less the one that is sold"
    drain(ground, 1)
    failed = scene.before("balance_floor")
    assert (failed.passed, failed.code, failed.measured) == (False, "balance_low", 4 * WETH - 1)
    assert scene.refused_by() == "CheckFailed"


def test_balance_floor_after_inclusion(ground: Ground) -> None:
    scene = Scene(ground, "{balance_floor: {token: WETH, amount: 4 WETH}, place: [pre, in, post]}")
    receipt = scene.run()
    assert scene.after("balance_floor", receipt).passed
    drain(ground, 1)
    assert not scene.after("balance_floor", receipt).passed


def test_balance_floor_does_not_count_a_gain_that_is_paid_out(ground: Ground) -> None:
    """The run gains USDC, which leaves for the treasury: what is there before it is what stays."""
    text = HEAD.replace("{token: USDC, min: -10000 USDC}", "{token: USDC, payout: true}")
    guard = "{balance_floor: {token: USDC, amount: 100 USDC}, place: [pre, in]}"
    job = ground.job(text.replace("steps:", f"guards: [{guard}]\nsteps:") + swap(V3_IN))
    ground.give("USDC", 100 * USDC)
    scene = Scene(ground, guard, job=job)
    assert scene.before("balance_floor").passed
    drain(ground, 1, "USDC")
    assert scene.before("balance_floor").measured == 100 * USDC - 1
    assert scene.refused_by() == "CheckFailed"


PROFIT = "{min_profit: {token: USDC, amount: %s USDC}, place: [%s]}"


def test_min_profit_is_a_line_of_the_program(ground: Ground) -> None:
    scene = Scene(ground, PROFIT % ("2985", "pre, in, post"))
    assert scene.before("min_profit").passed
    (line,) = (bound for bound in scene.plan.bounds if bound.symbol == "USDC")
    assert line.floor == 2_985 * USDC, "higher than the strategy's own -10,000"
    push_v3(ground, "WETH", 60 * WETH)
    assert scene.refused_by() in {"DeltaTooLow", "StepFailed"}


def test_min_profit_stops_what_the_quote_does_not_reach(ground: Ground) -> None:
    failed = Scene(ground, PROFIT % ("5000", "pre")).before("min_profit")
    assert (failed.passed, failed.code, failed.bound) == (False, "profit_low", 5_000 * USDC)


def test_min_profit_after_inclusion_is_what_the_block_changed(ground: Ground) -> None:
    scene = Scene(ground, PROFIT % ("2900", "pre, post"))
    start = ground.balance("USDC")
    parent = _Frozen(start)
    receipt = scene.run()
    judged = scene.after("min_profit", receipt, parent)
    assert judged.passed
    assert judged.measured == ground.balance("USDC") - start
    none = scene.after("min_profit", receipt)
    assert (none.passed, none.measured) == (False, 0), "no change against the same block"


class _Frozen:
    """A parent block in which every balance is ``amount``."""

    def __init__(self, amount: int) -> None:
        self._amount = amount

    def call(self, to: str, data: bytes = b"", **more: object) -> bytes:
        assert data[:4] == bytes.fromhex("70a08231"), "nothing but balances is asked of the parent"
        return self._amount.to_bytes(32)


DELTA = "{position_delta: {token: %s, max: %s%s}, place: [pre, in]}"


@pytest.mark.parametrize(("most", "passed"), [("1 WETH", True), ("0.999999999999999999 WETH", False)])
def test_position_delta_of_a_balance_is_judged_and_a_line(ground: Ground, most: str, passed: bool) -> None:
    scene = Scene(ground, (DELTA % ("WETH", most, "")).replace("pre, in", "pre"))
    found = scene.before("position_delta")
    assert (found.passed, found.measured) == (passed, -WETH)
    inside = DELTA % ("WETH", most, "")
    if passed:
        scene = Scene(ground, inside)
        (line,) = (bound for bound in scene.plan.bounds if bound.symbol == "WETH")
        assert line.floor == -WETH, "higher than the strategy's own -10"
        scene.run()
    else:
        with pytest.raises(Denied) as caught:
            Scene(ground, inside)
        assert caught.value.reason is Reason.BOUNDS


LEND = (
    "  - {id: put, use: aave_v3.supply, in: {asset: WETH, amount: 2 WETH}}\n"
    "  - {id: owe, use: aave_v3.borrow, in: {asset: USDC, amount: 1000 USDC}}\n"
)


@pytest.mark.parametrize(
    ("token", "position", "most", "passed"),
    [
        ("USDC", "debt", "1000 USDC", True),
        ("USDC", "debt", "999 USDC", False),
        ("WETH", "collateral", "2 WETH", True),
        ("WETH", "collateral", "1 WETH", False),
    ],
)
def test_position_delta_of_a_position_is_what_the_quote_ends_with(
    ground: Ground, token: str, position: str, most: str, passed: bool
) -> None:
    scene = Scene(ground, DELTA % (token, most, f", position: {position}"), LEND)
    found = scene.before("position_delta")
    assert (found.passed, found.note) == (passed, position)
    assert found.measured is not None
    assert abs(found.measured - (1_000 * USDC if position == "debt" else 2 * WETH)) <= 1


def test_position_delta_stops_a_debt_that_has_grown_meanwhile(ground: Ground) -> None:
    """The same bytes a second time: the debt then ends above what was allowed around the plan's own head."""
    scene = Scene(ground, DELTA % ("USDC", "1000.01 USDC", ", position: debt"), LEND)
    scene.run()
    assert scene.refused_by() == "CheckFailed"


def test_position_delta_needs_to_stand_inside_to_know_a_position_before(ground: Ground) -> None:
    guard = DELTA.replace("[pre, in]", "[pre]") % ("USDC", "1000 USDC", ", position: debt")
    found = Scene(ground, guard, LEND).before("position_delta")
    assert (found.passed, found.code) == (False, "guard_error")
    assert "stands inside" in found.note


def test_code_hash_stands_in_every_strategy_and_names_what_changed(ground: Ground) -> None:
    scene = Scene(ground, "")
    found = scene.before("code_hash")
    assert (found.passed, found.measured) == (True, found.bound)
    assert (found.bound or 0) >= 3, "the executor, the token, the router"
    router = ground.book.entry("uniswap_v3.router02").address
    ground.world.set_code(router, ground.world.code(router) + b"\0")
    changed = scene.before("code_hash")
    assert (changed.passed, changed.code, changed.note) == (False, "code_changed", "uniswap_v3.router02")


def test_reserve_active_stands_where_a_step_lends(ground: Ground) -> None:
    scene = Scene(ground, "", LEND)
    assert scene.before("reserve_active").passed
    configurator, admin = ground.devnet.aave_v3.configurator, ground.devnet.accounts["admin"]
    usdc, weth = ground.devnet.token("USDC"), ground.devnet.weth

    def judged_after(signature: str, *values: object) -> tuple[bool, str, str]:
        with ground.world.snapshot():
            send(ground.world, configurator, signature, *values, sender=admin)
            found = scene.before("reserve_active")
            return found.passed, found.code, found.note

    on_usdc, on_weth = "USDC on aave_v3 for owe", "WETH on aave_v3 for put"
    pause, freeze = "setReservePause(address,bool)", "setReserveFreeze(address,bool)"
    assert judged_after(pause, weth, True) == (False, "reserve_paused", on_weth)
    assert judged_after(freeze, usdc, True) == (False, "reserve_frozen", on_usdc)
    closed = judged_after("setReserveBorrowing(address,bool)", usdc, False)
    assert closed == (False, "borrowing_closed", on_usdc)
    assert judged_after("setSupplyCap(address,uint256)", weth, 1) == (False, "supply_cap_reached", on_weth)
    assert judged_after("setSupplyCap(address,uint256)", weth, 2**36 - 1)[0]
    with ground.world.snapshot():
        scene.run()
        full = judged_after("setBorrowCap(address,uint256)", usdc, 1)
        assert full == (False, "borrow_cap_reached", on_usdc)


def test_a_repayment_asks_only_that_its_reserve_is_open(ground: Ground) -> None:
    Scene(ground, "", LEND).run()
    repay = "  - {id: back, use: aave_v3.repay, in: {asset: USDC, amount: 100 USDC}}\n"
    scene = Scene(ground, "", repay)
    configurator, admin = ground.devnet.aave_v3.configurator, ground.devnet.accounts["admin"]
    send(
        ground.world,
        configurator,
        "setReserveFreeze(address,bool)",
        *(ground.devnet.token("USDC"), True),
        sender=admin,
    )
    assert scene.before("reserve_active").passed


GRACE_S = 3_600


@pytest.mark.parametrize(
    ("answer", "up_s", "code"),
    [
        (0, GRACE_S + 1, "ok"),
        (0, GRACE_S, "sequencer_grace"),
        (1, 2 * GRACE_S, "sequencer_down"),
    ],
)
def test_a_layer_2_waits_for_its_sequencer_by_itself(
    ground: Ground, answer: int, up_s: int, code: str
) -> None:
    """The devnet stands for the layer 2: its strategy says so, and its book names the uptime feed."""
    accounts, world = ground.devnet.accounts, ground.world
    feed = deploy_price_feed(
        world,
        description="sequencer uptime",
        first_answer=0,
        owner=accounts["admin"],
        deployer=accounts["deployer"],
        decimals=0,
    )

    def report(answer: int, up_s: int) -> None:
        now_s = world.block().timestamp
        set_round(world, feed, answer, started_at_s=now_s - up_s, updated_at_s=now_s)

    report(0, 2 * GRACE_S)
    job = ground.job(HEAD + swap(V3_IN))
    book = ground.book.with_entries(Entry(name="chainlink.sequencer_uptime", address=feed.address))
    strategy = dataclasses.replace(job.strategy, chain="base")
    scene = Scene(ground, "", job=dataclasses.replace(job, book=book, strategy=strategy))
    assert scene.before("sequencer_up").passed
    began_s = world.block().timestamp
    report(answer, up_s)
    report(answer, up_s - (world.block().timestamp - began_s))  # a round takes a block, and that its time
    found = scene.before("sequencer_up")
    assert (found.passed, found.code) == (code == "ok", code)
    if answer:
        assert found.measured == 0
        assert scene.refused_by() == "CheckFailed"
    else:
        assert found.measured == up_s


def test_a_layer_2_without_an_uptime_feed_runs_nothing(ground: Ground) -> None:
    job = ground.job(HEAD + swap(V3_IN))
    job = dataclasses.replace(job, strategy=dataclasses.replace(job.strategy, chain="base"))
    with pytest.raises(Denied, match="sequencer_up can not be placed") as caught:
        draft_plan(ground.intent(job), job, ground.world)
    assert caught.value.reason is Reason.GUARD_FAILED


def test_price_impact_is_what_the_trade_itself_moves(ground: Ground) -> None:
    """A v2 pair of reserves r gives in·997/(1000·r + 997·in): beyond the fee, the impact is in/(r + in)."""
    guard = "{price_impact: {max: %s bps}, place: [pre]}"
    reserves = ground.devnet.pair("WETH", "USDC")
    held = ground.balance("WETH", reserves.address)
    expected = WETH * 997 * 10_000 / (held * 1_000 + WETH * 997)
    found = Scene(ground, guard % 50, swap(V2_IN)).before("price_impact")
    assert (found.passed, found.bound, found.note) == (True, 50, "swap")
    assert found.measured is not None
    assert expected <= found.measured <= expected + 1
    thin = Scene(ground, guard % 1, swap(V2_IN).replace("1 WETH", "4 WETH")).before("price_impact")
    assert (thin.passed, thin.code) == (False, "price_impact")
    through_v3 = Scene(ground, guard % 50, swap(V3_IN)).before("price_impact")
    assert through_v3.passed
    assert through_v3.measured is not None


def test_price_impact_of_a_pool_that_the_book_does_not_know_has_not_passed(ground: Ground) -> None:
    job = ground.job(
        HEAD.replace("steps:", "guards: [{price_impact: {}, place: [pre]}]\nsteps:") + swap(V2_IN)
    )
    pairs = [name for name in job.book.contracts if name.startswith("uniswap_v2.pair.")]
    contracts = {name: entry for name, entry in job.book.contracts.items() if name not in pairs}
    blind = dataclasses.replace(job, book=msgspec.structs.replace(job.book, contracts=contracts))
    found = Scene(ground, "", job=blind).before("price_impact")
    assert (found.passed, found.code, found.note) == (False, "pool_unknown", "swap")


LOAN = (
    "  - flash: {id: loan, asset: WETH, amount: 1 WETH, provider: [morpho_blue], steps: [\n"
    "      {id: swap, use: uniswap_v3.exact_input_single, slippage: 30 bps,\n"
    "       in: {token_in: WETH, token_out: USDC, fee: 500, amount: 1 WETH}}]}\n"
)


def test_lender_concentration_counts_seven_days_of_the_desks_own_plans(ground: Ground) -> None:
    scene = Scene(ground, "{lender_concentration: {share: 60 %}, place: [pre]}", LOAN)
    lender = scene.plan.notes["borrowed"][0]["lender"]
    now_s = ground.world.block().timestamp

    def judged(ours: int, others: int, *, at_s: int = now_s) -> GuardResult:
        book = LentBook()
        for name, loans in ((lender, ours), ("another", others)):
            for _ in range(loans):
                book.take(lent_notes(at_s, [(name, 3_000 * 10**6)], book.before(at_s)))
        notes = {**scene.plan.notes, **lent_notes(now_s, [], book.before(now_s))}
        plan = msgspec.structs.replace(scene.plan, notes=notes)
        results = judgement_of(plan, scene.job).before(ground.world)
        return next(item for item in results if item.guard == "lender_concentration")

    assert scene.before("lender_concentration").passed, "no habit yet"
    assert judged(19, 0).passed, "19 loans are no habit"
    failed = judged(13, 8)
    assert (failed.passed, failed.code, failed.measured, failed.note) == (False, "one_lender", 6_191, lender)
    assert judged(12, 8).measured == 6_000
    assert judged(12, 8).passed
    week_s = 7 * 86_400
    assert judged(20, 0, at_s=now_s - week_s).passed, "forgotten"
    assert not judged(20, 0, at_s=now_s - week_s + 1).passed


@pytest.mark.parametrize(
    "guard",
    ["{min_profit: {token: USDC, amount: 1 USDC}, place: [in]}", DELTA % ("WETH", "1 WETH", "")],
)
def test_a_balance_line_spans_the_run_so_its_guard_stands_on_the_strategy(ground: Ground, guard: str) -> None:
    step = swap(V3_IN).replace("slippage: 30 bps", f"slippage: 30 bps, guards: [{guard}]")
    job = ground.job(HEAD + step)
    with pytest.raises(ConfigError, match="spans the whole run") as caught:
        draft_plan(ground.intent(job), job, ground.world)
    assert caught.value.code == "ATM112"


@pytest.mark.parametrize(
    ("guard", "found"),
    [
        ("{min_profit: {token: USDC, amount: 1 WETH}, place: [pre]}", "WETH"),
        ("{balance_floor: {token: USDC, amount: 30 bps}, place: [pre]}", "bps"),
        ("{price_range: {pair: WETH/USDC, low: 1 WETH, high: 2 USDC}, place: [pre]}", "WETH"),
        ("{price_range: {pair: WETH/USD, low: 1 USDC, high: 2 USD}, place: [pre]}", "USDC"),
    ],
)
def test_an_amount_is_written_in_its_own_token(ground: Ground, guard: str, found: str) -> None:
    job = ground.job(HEAD.replace("steps:", f"guards: [{guard}]\nsteps:") + swap(V3_IN))
    with pytest.raises(ConfigError) as caught:
        draft_plan(ground.intent(job), job, ground.world)
    assert (caught.value.code, caught.value.found) == ("ATM112", found)


def drain(ground: Ground, amount: int, symbol: str = "WETH") -> None:
    """Take tokens out of the executor, as nobody could: the world is ours, and so is its code."""
    world, code = ground.world, ground.world.code(ground.executor)
    world.set_balance(ground.executor, WETH)
    world.set_code(ground.executor, b"")
    token = ground.devnet.token(symbol)
    send(world, token, "transfer(address,uint256)", ground.operator, amount, sender=ground.executor)
    world.set_code(ground.executor, code)
