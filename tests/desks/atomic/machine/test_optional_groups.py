"""Optional groups: left out when the plan is made, or skipped on chain, and never by half."""

from __future__ import annotations

import asyncio

import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_desk import desk_of
from tests.desks.atomic.machine.test_quoting import HEAD, V2_IN, V3_IN, swap

from tidegate.desks.atomic import Assignment, Draft, draft_plan, finish_plan
from tidegate.desks.atomic.machine.optional import drop_failing_groups, without_groups
from tidegate.model import ConfigError, Plan
from tidegate.venues.chainlink import set_answer

WETH, USDC = 10**18, 10**6
GUARD = "{oracle_sanity: {pair: WETH/USDC, max_deviation: %s bps}, place: [%s], on_failure: skip}"
ALWAYS = swap(V2_IN, "always", "{token_in: WETH, token_out: USDC, amount: 0.5 WETH}")
MAYBE = swap(V3_IN, "maybe").strip()[2:]


def job(ground: Ground, *, bps: int = 100, place: str = "pre, in", steps: str = MAYBE) -> Assignment:
    guard = GUARD % (bps, place)
    group = f"  - {{group: {{id: extra, optional: true, guards: [{guard}], steps: [{steps}]}}}}\n"
    made = ground.job(HEAD.replace("min: -10 WETH", "min: -2 WETH") + ALWAYS + group)
    ground.allow(made)
    ground.give("WETH", 3 * WETH)
    return made


def drafted(ground: Ground, made: Assignment) -> Draft:
    return draft_plan(ground.intent(made), made, ground.world)


def landed(ground: Ground, plan: Plan) -> int:
    """What the run spent of the executor's WETH."""
    before = ground.balance("WETH")
    ground.world.transact(plan.to, plan.data, sender=ground.operator)
    return before - ground.balance("WETH")


def test_a_group_whose_guard_passes_runs(ground: Ground) -> None:
    draft = drafted(ground, job(ground))
    assert draft.plan.notes["dropped_groups"] == []
    assert landed(ground, finish_plan(draft, 500_000)) == 3 * WETH // 2


def test_a_group_whose_guard_fails_now_is_left_out_of_the_plan(ground: Ground) -> None:
    made = job(ground, bps=2)
    draft = drafted(ground, made)
    plan = finish_plan(draft, 500_000)
    assert plan.notes["dropped_groups"] == ["extra"]
    assert {item["step_id"] for item in plan.notes["swaps"]} == {"always"}
    assert landed(ground, plan) == WETH // 2
    results = asyncio.run(desk_of(ground, made).guards_before(plan))
    assert all(result.passed for result in results)
    assert "oracle_sanity" not in {result.guard for result in results}, "it guards what is not there"


def test_a_group_whose_guard_fails_on_chain_is_skipped_there(ground: Ground) -> None:
    plan = finish_plan(drafted(ground, job(ground)), 500_000)
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], 3_060 * 10**8)
    assert landed(ground, plan) == WETH // 2


def test_a_guard_that_stands_only_inside_is_not_asked_before(ground: Ground) -> None:
    made = job(ground, bps=2, place="in")
    assert drop_failing_groups(made, ground.world) == (made, ())
    assert landed(ground, finish_plan(drafted(ground, made), 500_000)) == 3 * WETH // 2, (
        "the feeds did not move"
    )


def test_a_step_that_skips_leaves_out_the_whole_group(ground: Ground) -> None:
    guarded = MAYBE.replace("slippage: 30 bps}", f"slippage: 30 bps, guards: [{GUARD % (2, 'pre')}]}}")
    inner = "{id: put, use: aave_v3.supply, in: {asset: USDC, amount: $maybe.amount_out}}"
    group = f"  - {{group: {{id: extra, optional: true, steps: [{guarded}, {inner}]}}}}\n"
    made = ground.job(HEAD + ALWAYS + group)
    ground.allow(made)
    ground.give("WETH", 3 * WETH)
    rest, dropped = drop_failing_groups(made, ground.world)
    assert dropped == ("extra",)
    assert [step.id for step in rest.strategy.steps] == ["always"]


def test_groups_inside_a_loan_can_be_left_out_too(ground: Ground) -> None:
    group = f"{{group: {{id: extra, optional: true, guards: [{GUARD % (2, 'pre')}], steps: [{MAYBE}]}}}}"
    loan = f"  - {{flash: {{id: loan, asset: WETH, amount: 1 WETH, provider: aave_v3, steps: [{group}]}}}}\n"
    made = ground.job(HEAD + loan)
    ground.allow(made)
    ground.give("WETH", 3 * WETH)
    draft = drafted(ground, made)
    assert draft.plan.notes["dropped_groups"] == ["extra"]
    fee = 5 * WETH // 10_000
    assert landed(ground, finish_plan(draft, 400_000)) == fee


def test_without_groups_is_the_same_assignment_if_there_is_nothing_to_leave_out(ground: Ground) -> None:
    made = job(ground)
    assert without_groups(made, ()) is made
    assert without_groups(made, ("other",)).strategy == made.strategy


@pytest.mark.parametrize(
    "text",
    [
        "  - {group: {id: all, optional: false, guards: [GUARD], steps: [STEP]}}\n",
        "  - {group: {id: all, optional: true, steps: [{flash: {id: loan, asset: WETH, amount: 1 WETH, "
        "provider: aave_v3, steps: [GUARDED]}}]}}\n",
    ],
)
def test_what_does_not_stand_directly_in_an_optional_group_can_not_skip(ground: Ground, text: str) -> None:
    guard = GUARD % (100, "in")
    guarded = MAYBE.replace("slippage: 30 bps}", f"slippage: 30 bps, guards: [{guard}]}}")
    text = text.replace("GUARDED", guarded).replace("GUARD", guard).replace("STEP", MAYBE)
    ground.give("WETH", 3 * WETH)
    with pytest.raises(ConfigError, match="does not stand directly") as caught:
        drafted(ground, ground.job(HEAD + text))
    assert (caught.value.code, caught.value.position is not None) == ("ATM108", True)
