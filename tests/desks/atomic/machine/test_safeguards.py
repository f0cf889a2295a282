"""Guards as they are written, implied, placed, and judged."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD, V2_IN, V3_IN, swap

from tidegate.desks.atomic import Assignment, draft_plan, finish_plan, quote
from tidegate.desks.atomic.machine.enforcing import enforcement_of
from tidegate.desks.atomic.machine.judging import judgement_of
from tidegate.desks.atomic.machine.prospect import guard_context
from tidegate.desks.atomic.machine.safeguards import safeguards_of
from tidegate.model import ConfigError, Denied, Placement, Reason
from tidegate.risk.guards.deadline import Deadline
from tidegate.venues.chainlink import set_answer

WETH = 10**18
ORACLE = "{oracle_sanity: {pair: WETH/USDC, max_deviation: %s}, place: [%s]}"


def job(ground: Ground, *, strategy: str = "", group: str = "", step: str = "") -> Assignment:
    head = HEAD.replace("steps:", f"guards: [{strategy}]\nsteps:")
    inner = swap(V3_IN).strip()[2:].replace("slippage: 30 bps}", f"slippage: 30 bps, guards: [{step}]}}")
    return ground.job(f"{head}  - {{group: {{id: all, steps: [{inner}], guards: [{group}]}}}}\n")


def test_gas_block_deadline_and_slippage_imply_their_guards(ground: Ground) -> None:
    found = safeguards_of(job(ground).strategy, {})
    assert [(item.key[0], item.guard.name) for item in found] == [
        ("", "deadline"),
        ("", "max_base_fee"),
        ("", "max_gas"),
        ("", "code_hash"),
        ("swap", "slippage"),
    ]
    for item in found:
        places = {Placement.PRE} if item.guard.name == "code_hash" else {Placement.PRE, Placement.POST}
        assert item.placements == places
    assert found[-1].parameters == {"max": 30}
    assert found[-1].protects == {"swap"}


def test_a_guard_that_is_written_is_not_implied_again(ground: Ground) -> None:
    found = safeguards_of(job(ground, strategy="{max_gas: {}, place: [pre], on_failure: warn}").strategy, {})
    gas = [item for item in found if item.guard.name == "max_gas"]
    assert [(item.placements, item.on_failure) for item in gas] == [({Placement.PRE}, "warn")]


def test_guards_stand_in_order_strategy_group_step_and_protect_their_scope(ground: Ground) -> None:
    guard = ORACLE % ("100 bps", "pre")
    found = safeguards_of(job(ground, strategy=guard, group=guard, step=guard).strategy, {})
    places = [(item.key, sorted(item.protects)) for item in found if item.guard.name == "oracle_sanity"]
    assert places == [(("", 0), ["all", "swap"]), (("all", 0), ["all", "swap"]), (("swap", 0), ["swap"])]


@pytest.mark.parametrize(
    ("guard", "code", "message"),
    [
        ("{oracle_sanity: {pair: WETH/USDC, max_deviation: 36 s}, place: [pre]}", "ATM112", "wrong unit"),
        ("{oracle_sanity: {pair: WETH/USDC, max_deviation: $gone}, place: [pre]}", "ATM112", "wrong unit"),
        ("{min_health_factor: {min: 0.5}, place: [pre]}", "ATM112", "out of range"),
        ("{min_health_factor: {minimum: 2}, place: [pre]}", "ATM112", "no parameter minimum"),
        ("{slippage: {}, place: [pre]}", "ATM112", "needs max"),
        ("{slipage: {max: 30 bps}, place: [pre]}", "ATM111", "unknown guard"),
    ],
)
def test_a_guard_that_can_not_be_read_is_refused_at_its_place(
    ground: Ground, guard: str, code: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        safeguards_of(job(ground, strategy=guard).strategy, {})
    assert caught.value.code == code
    assert caught.value.position is not None


def test_whole_numbers_are_ratios_and_blinds_are_parameters(ground: Ground) -> None:
    whole = job(ground, strategy="{min_health_factor: {min: 2}, place: [in]}")
    assert safeguards_of(whole.strategy, {})[0].parameters["min"] == 2 * WETH
    head = HEAD.replace(
        "steps:", "blinds: {gap: {type: bps, min: 1 bps, max: 100 bps, default: 77 bps}}\nsteps:"
    )
    guard = "{oracle_sanity: {pair: WETH/USDC, max_deviation: $gap}, place: [pre]}"
    blind = ground.job(head.replace("steps:", f"guards: [{guard}]\nsteps:") + swap(V3_IN))
    assert safeguards_of(blind.strategy, blind.blinds)[0].parameters["max_deviation"] == 77


def test_a_check_that_can_not_be_placed_lets_nothing_run(ground: Ground) -> None:
    guarded = job(ground, strategy="{oracle_sanity: {pair: WETH/NONE}, place: [in]}")
    safeguards = safeguards_of(guarded.strategy, {})
    base = guard_context(guarded, ground.world.block(), 2**39, 0, 0)
    with pytest.raises(Denied, match="oracle_sanity can not be placed") as caught:
        enforcement_of(safeguards, base, ground.world)
    assert caught.value.reason is Reason.GUARD_FAILED


def test_the_oracle_guard_stops_a_plan_on_chain_and_before(ground: Ground) -> None:
    """The feed moves 2 % after planning: before sending the guard says so, and the bytes revert."""
    guarded = job(ground, strategy=ORACLE % ("100 bps", "pre, in"))
    ground.allow(guarded)
    ground.give("WETH", 2 * WETH)
    plan = finish_plan(draft_plan(ground.intent(guarded), guarded, ground.world), 400_000)
    judgement = judgement_of(plan, guarded)
    assert all(result.passed for result in judgement.before(ground.world))
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], 3_060 * 10**8)
    (failed,) = (result for result in judgement.before(ground.world) if not result.passed)
    assert (failed.guard, failed.code) == ("oracle_sanity", "price_deviates")
    error = ground.revert_of(plan)
    assert (error.revert.name, error.step_id) == ("CheckFailed", "")


def test_a_position_that_would_end_too_low_reverts(ground: Ground) -> None:
    ground.give("WETH", 2 * WETH)
    text = "{min_health_factor: {min: 1.5}, place: [in]}"
    steps = (
        "  - {id: put, use: aave_v3.supply, in: {asset: WETH, amount: 1 WETH}}\n"
        "  - {id: owe, use: aave_v3.borrow, in: {asset: USDC, amount: 2000 USDC}}\n"
    )
    low = ground.job(HEAD.replace("steps:", f"guards: [{text}]\nsteps:") + steps)
    ground.allow(low)
    prospect = quote(low, ground.world)
    assert prospect.quoted.measured["", 0]["health factor"] < 15 * 10**17
    plan = finish_plan(draft_plan(ground.intent(low), low, ground.world), 600_000)
    error = ground.revert_of(plan)
    assert error.revert.name == "CheckFailed"
    before = judgement_of(plan, low).before(ground.world)
    assert all(result.guard != "min_health_factor" for result in before), "it stands inside alone"


def test_a_guard_stands_only_where_it_can(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = job(ground, strategy="{deadline: {}, place: [pre, post]}")
    assert safeguards_of(guarded.strategy, {})
    monkeypatch.setattr(Deadline, "placements", frozenset({Placement.PRE}))
    with pytest.raises(ConfigError, match="deadline can not stand post") as caught:
        safeguards_of(guarded.strategy, {})
    assert caught.value.position is not None


@pytest.mark.parametrize("pair", ["WETH/NONE", "WETH/USDC"])
def test_a_guard_whose_reads_do_not_answer_has_not_passed(ground: Ground, pair: str) -> None:
    """Once because it can not say what to read, once because there is no feed where it reads."""
    plain = job(ground)
    ground.allow(plain)
    ground.give("WETH", 2 * WETH)
    plan = finish_plan(draft_plan(ground.intent(plain), plain, ground.world), 400_000)
    router = ground.book.entry("uniswap_v3.router02").address
    dead = msgspec.structs.replace(ground.book.entry("feed.ETH/USD"), address=router)
    book = msgspec.structs.replace(ground.book, contracts={**ground.book.contracts, "feed.ETH/USD": dead})
    oracle = ORACLE.replace("WETH/USDC", pair) % ("100 bps", "pre")
    guarded = dataclasses.replace(job(ground, strategy=oracle), book=book)
    (failed,) = (result for result in judgement_of(plan, guarded).before(ground.world) if not result.passed)
    assert (failed.guard, failed.code) == ("oracle_sanity", "guard_error")


def test_a_steps_guard_sees_its_own_step_alone(ground: Ground) -> None:
    """One swap may slip by 30 bps, the other by 100: neither guard looks at the other swap."""
    loose = swap(V2_IN, "loose").replace("30 bps", "100 bps")
    two = ground.job(HEAD + swap(V3_IN, "tight") + loose)
    ground.allow(two)
    ground.give("WETH", 3 * WETH)
    plan = finish_plan(draft_plan(ground.intent(two), two, ground.world), 500_000)
    results = [item for item in judgement_of(plan, two).before(ground.world) if item.guard == "slippage"]
    assert [(item.measured, item.bound, item.passed) for item in results] == [
        (30, 30, True),
        (100, 100, True),
    ]


def test_a_slippage_that_the_author_accepts_in_writing_is_its_own_range(ground: Ground) -> None:
    wide = swap(V3_IN).replace("slippage: 30 bps", "slippage: 500 bps, accept_slippage: thin pool")
    accepted = ground.job(HEAD + wide)
    ground.allow(accepted)
    ground.give("WETH", 2 * WETH)
    plan = finish_plan(draft_plan(ground.intent(accepted), accepted, ground.world), 400_000)
    (result,) = (
        item for item in judgement_of(plan, accepted).before(ground.world) if item.guard == "slippage"
    )
    assert (result.measured, result.bound, result.passed) == (500, 500, True)
