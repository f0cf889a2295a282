"""The desk on the street, in the fast world: look, plan, guards, and what a restart must not lose."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import msgspec
import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD, V2_IN, V3_IN, swap

from tidegate.desks.atomic import (
    Assignment,
    AtomicDesk,
    Event,
    Look,
    Situation,
    Tried,
    decide,
    decision_body,
    draft_plan,
    finish_plan,
    replay,
)
from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.judging import judgement_of
from tidegate.desks.atomic.machine.realised import realised_amounts
from tidegate.ledger import PlanBody
from tidegate.model import (
    ConfigError,
    Denied,
    Intent,
    Placement,
    Plan,
    Reason,
    Receipt,
    Rejected,
    canonical_json,
    format_units,
)
from tidegate.pipeline import Rehearsal
from tidegate.venues.chainlink import set_answer
from tidegate.venues.executor import ExecutorReader

WETH, USDC = 10**18, 10**6
BLOCK = Event("block:1", "block")
BY_HAND = Event("by hand", "manual")


def desk_of(ground: Ground, *jobs: Assignment, rehearse: object = None) -> AtomicDesk:
    return AtomicDesk(
        jobs,
        state_at=lambda _: ground.world,
        rehearse=rehearse or ground.rehearse,  # type: ignore[arg-type]
        reader=ExecutorReader(treasury=ground.devnet.accounts["treasury"], weth=ground.devnet.weth),
        blinds_hashes={job.strategy.name: "salted" for job in jobs},
    )


def look(desk: AtomicDesk, subject: str, event: Event = BLOCK, situation: Situation = Situation()) -> Look:  # noqa: B008
    return desk.look(subject, event, situation)


def planned(desk: AtomicDesk, intent: Intent | None) -> Plan:
    assert intent is not None
    return asyncio.run(desk.plan(intent))


def land(ground: Ground, plan: Plan) -> Receipt:
    return ground.world.transact(plan.to, plan.data, sender=ground.operator)


def gap(ground: Ground) -> None:
    ground.push_v2("USDC", 80_000 * USDC, "WETH")


def test_no_gap_no_intent_and_the_record_replays(ground: Ground) -> None:
    ground.push_v2("WETH", 30 * WETH, "USDC")
    desk = desk_of(ground, ground.shipped("flash-arb"))
    seen = look(desk, "v2-v3-arb")
    assert seen.decision.reason is Reason.NO_OPPORTUNITY
    assert len(seen.inputs.tried) == 3
    assert seen.decision.detail == "no size pays for itself: 3 tried"
    body = decision_body(seen.inputs, seen.config, seen.decision).to_body()
    assert replay(json.loads(canonical_json(body))) == body


def test_how_far_the_best_size_is_from_gaining_is_said(ground: Ground) -> None:
    ground.push_v2("WETH", 30 * WETH, "USDC")
    ground.give("WETH", 2 * WETH)
    seen = look(desk_of(ground, ground.shipped("flash-arb")), "v2-v3-arb")
    assert seen.decision.reason is Reason.NO_OPPORTUNITY
    gains = [item.gain for item in seen.inputs.tried if item.gain is not None]
    assert len(gains) == 2
    assert seen.decision.detail == f"the best of 2 sizes would gain {format_units(max(gains), 18, 6)} WETH"


@pytest.mark.parametrize(
    ("gains", "detail"),
    [
        ((-1_200_000_000_000_000,), "the one size that was tried would gain -0.0012 WETH"),
        (
            (-3 * 10**15, None, -(10**15)),
            "the best of 3 sizes would gain -0.001 WETH; 1 of them would revert",
        ),
    ],
)
def test_sizes_are_counted_in_words(ground: Ground, gains: tuple[int | None, ...], detail: str) -> None:
    ground.push_v2("WETH", 30 * WETH, "USDC")
    seen = look(desk_of(ground, ground.shipped("flash-arb")), "v2-v3-arb")
    tried = tuple(Tried(size, gain) for size, gain in enumerate(gains, start=1))
    assert decide(msgspec.structs.replace(seen.inputs, tried=tried), seen.config).detail == detail


def test_a_size_that_a_person_gives_is_used_and_nothing_is_searched(ground: Ground) -> None:
    gap(ground)
    desk = desk_of(ground, ground.shipped("flash-arb", size=3 * WETH))
    seen = look(desk, "v2-v3-arb")
    assert (seen.config.searched_blind, seen.inputs.tried, seen.decision.size) == ("", (), None)
    assert seen.inputs.outlook is not None
    plan = planned(desk, seen.decision.intent)
    assert (plan.notes["size"], plan.notes["searched"]) == (str(3 * WETH), False)
    assert plan.flow_usd_e6 == 9_000 * 10**6
    assert all(result.passed for result in asyncio.run(desk.guards_before(plan)))
    body = decision_body(seen.inputs, seen.config, seen.decision).to_body()
    assert replay(json.loads(canonical_json(body))) == body
    searching = desk_of(ground, ground.shipped("flash-arb"))
    found = planned(searching, look(searching, "v2-v3-arb").decision.intent)
    assert found.notes["searched"] is True
    assert found.notes["size"] != plan.notes["size"]


def test_a_gap_is_found_sized_planned_landed_and_judged(ground: Ground) -> None:
    gap(ground)
    desk = desk_of(ground, ground.shipped("flash-arb"), ground.shipped("flash-arb-reverse"))
    assert desk.subjects == ("v2-v3-arb", "v3-v2-arb")
    assert not look(desk, "v3-v2-arb").decision.acted
    seen = look(desk, "v2-v3-arb")
    assert seen.decision.acted
    assert seen.decision == decide(seen.inputs, seen.config)
    plan = planned(desk, seen.decision.intent)
    assert plan.notes["size"] == str(seen.decision.size)
    before = asyncio.run(desk.guards_before(plan))
    assert {result.guard for result in before} == {
        "code_hash",
        "oracle_sanity",
        "deadline",
        "max_gas",
        "max_base_fee",
        "slippage",
    }
    assert all(result.passed for result in before)
    receipt = land(ground, plan)
    after = asyncio.run(desk.guards_after(plan, receipt))
    assert {result.placement for result in after} == {Placement.POST}
    assert all(result.passed for result in after), after
    deltas = dict(
        zip([bound.symbol for bound in plan.bounds], desk.reader.deltas(plan, receipt), strict=True)
    )
    assert deltas == {"WETH": seen.decision.expected, "USDC": 0}


def test_the_gas_of_a_draft_is_known_to_the_next_look(ground: Ground) -> None:
    gap(ground)
    desk = desk_of(ground, ground.shipped("flash-arb"))
    first = look(desk, "v2-v3-arb")
    assert first.inputs.gas_used is None
    planned(desk, first.decision.intent)
    assert look(desk, "v2-v3-arb").inputs.gas_used is not None


def test_a_held_strategy_is_not_quoted(ground: Ground) -> None:
    gap(ground)
    desk = desk_of(ground, ground.shipped("flash-arb"), ground.shipped("leverage-open"))
    held = look(desk, "v2-v3-arb", situation=Situation(open_attempts=1))
    assert (held.decision.reason, held.inputs.tried) == (Reason.IN_FLIGHT, ())
    assert look(desk, "leverage-open").decision.reason is Reason.TRIGGER_QUIET


def test_what_stands_in_the_way_of_a_quote_is_the_reason(ground: Ground) -> None:
    gap(ground)
    desk = desk_of(ground, ground.shipped("flash-arb"), ground.shipped("leverage-open"))
    assert look(desk, "leverage-open", BY_HAND).decision.reason is Reason.SIMULATION_REVERTED, "no WETH"
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], 0)
    seen = look(desk, "v2-v3-arb")
    assert (seen.decision.reason, seen.inputs.outlook) == (Reason.UNAVAILABLE, None)


def test_a_manual_strategy_runs_when_a_person_says_so(ground: Ground) -> None:
    ground.give("WETH", 2 * WETH)
    desk = desk_of(ground, ground.shipped("leverage-open"))
    seen = look(desk, "leverage-open", BY_HAND)
    assert seen.decision.acted
    intent = seen.decision.intent
    assert intent is not None
    assert intent.body["size"] is None
    assert 4_000 * 10**6 < intent.notional_usd_e6 < 7_000 * 10**6, "the loan, and what is spent of our own"
    plan = planned(desk, intent)
    before = {result.guard: result for result in asyncio.run(desk.guards_before(plan))}
    assert before["min_health_factor"].passed
    measured = before["min_health_factor"].measured
    assert measured is not None
    assert 13 * 10**17 < measured < 2 * 10**18, "as quoted, not the head, where there is no debt"
    receipt = land(ground, plan)
    after = asyncio.run(desk.guards_after(plan, receipt))
    assert all(result.passed for result in after), after


def test_swaps_are_found_in_the_receipts_transfers(ground: Ground) -> None:
    gap(ground)
    desk = desk_of(ground, ground.shipped("flash-arb"))
    plan = planned(desk, look(desk, "v2-v3-arb").decision.intent)
    steps = judgement_of(plan, ground.shipped("flash-arb")).base.steps
    receipt = land(ground, plan)
    found = realised_amounts(receipt.logs, steps, plan.to, ground.book)
    assert found == {step.step_id: step.quote for step in steps}
    assert realised_amounts(receipt.logs[:3], steps, plan.to, ground.book).keys() < found.keys()
    assert realised_amounts((), steps, plan.to, ground.book) == {}
    strangers = [
        msgspec.structs.replace(log, topics=(log.topics[0], *[bytes(32)] * 2)) for log in receipt.logs
    ]
    assert realised_amounts([*strangers, *receipt.logs], steps, plan.to, ground.book) == found


def test_two_swaps_of_one_pair_are_told_apart(ground: Ground) -> None:
    small = swap(V2_IN, "small", "{token_in: WETH, token_out: USDC, amount: 0.5 WETH}")
    job = ground.job(HEAD + small + swap(V3_IN, "large"))
    ground.allow(job)
    ground.give("WETH", 2 * WETH)
    plan = finish_plan(draft_plan(ground.intent(job), job, ground.world), 500_000)
    steps = judgement_of(plan, job).base.steps
    found = realised_amounts(land(ground, plan).logs, steps, plan.to, ground.book)
    assert found == {step.step_id: step.amount_out for step in steps}
    assert found["large"] > 2 * found["small"] * 99 // 100


def test_guards_fire_after_inclusion_on_what_was_realised(ground: Ground) -> None:
    """The market moves, within the limits, between plan and inclusion: 30 bps allowed, the guard has 5."""
    strict = guarded_after(ground.shipped("flash-arb"), 5)
    gap(ground)
    desk = desk_of(ground, strict)
    plan = planned(desk, look(desk, "v2-v3-arb").decision.intent)
    ground.push_v2("WETH", 6 * WETH // 10, "USDC")
    receipt = land(ground, plan)
    after = asyncio.run(desk.guards_after(plan, receipt))
    failed = {(result.guard, result.code) for result in after if not result.passed}
    assert failed == {("slippage", "slippage_above_max")}


def test_a_rehearsal_that_reverts_is_denied_with_its_step(ground: Ground) -> None:
    gap(ground)

    async def other_block(plan: Plan) -> Rehearsal:
        with ground.world.snapshot():
            ground.push_v2("WETH", 300 * WETH, "USDC")
            return await ground.rehearse(plan)

    desk = desk_of(ground, ground.shipped("flash-arb"), rehearse=other_block)
    with pytest.raises(Denied, match="step sell") as caught:
        planned(desk, look(desk, "v2-v3-arb").decision.intent)
    assert caught.value.reason is Reason.SIMULATION_REVERTED


def test_too_little_gas_is_told_from_a_step_that_fails(ground: Ground) -> None:
    """The rehearsal runs out of gas: it is asked again with all that a transaction may have."""
    gap(ground)
    short = with_max_gas(ground.shipped("flash-arb"), 300_000)
    limits: list[int] = []

    async def rehearse(plan: Plan) -> Rehearsal:
        limits.append(plan.gas_limit)
        if plan.gas_limit < 430_000:
            return Rehearsal(1, False, plan.gas_limit, 0, (), b"")
        return Rehearsal(1, True, 400_000, 430_000, (), b"")

    desk = desk_of(ground, short, rehearse=rehearse)
    with pytest.raises(Denied, match="needs a gas limit of 494500") as caught:
        planned(desk, look(desk, "v2-v3-arb").decision.intent)
    assert caught.value.reason is Reason.GAS_CAP
    assert (caught.value.found, caught.value.allowed) == ("494500", "at most 300000")
    assert limits == [300_000, 2**24]


def test_a_sender_who_can_not_pay_for_more_gas_hears_the_first_reason(ground: Ground) -> None:
    gap(ground)

    async def rehearse(plan: Plan) -> Rehearsal:
        if plan.gas_limit > 900_000:
            raise Rejected("funds")
        return Rehearsal(1, False, plan.gas_limit, 0, (), b"")

    desk = desk_of(ground, ground.shipped("flash-arb"), rehearse=rehearse)
    with pytest.raises(Denied, match="reverted without data") as caught:
        planned(desk, look(desk, "v2-v3-arb").decision.intent)
    assert caught.value.reason is Reason.SIMULATION_REVERTED


def test_each_guard_of_a_step_says_which(ground: Ground) -> None:
    gap(ground)
    desk = desk_of(ground, ground.shipped("flash-arb"))
    plan = planned(desk, look(desk, "v2-v3-arb").decision.intent)
    results = asyncio.run(desk.guards_before(plan))
    assert [result.note for result in results if result.guard == "slippage"] == ["at sell", "at buy"]
    assert not any(" at " in result.note for result in results if result.guard != "slippage")
    late = msgspec.structs.replace(plan, notes={**plan.notes, "quoted_at_block": 1})
    failed = [result.note for result in asyncio.run(desk.guards_before(late)) if not result.passed]
    assert failed == ["quote_too_old at sell", "quote_too_old at buy"]


def test_a_step_that_fails_is_called_by_its_names(ground: Ground) -> None:
    """Nothing was borrowed, so there is nothing to repay: Aave says 39."""
    ground.give("WETH", 2 * WETH)
    desk = desk_of(ground, ground.shipped("leverage-close"))
    decision = look(desk, "leverage-close", BY_HAND).decision
    assert decision.reason is Reason.SIMULATION_REVERTED
    assert "step repay: aave_v3.pool.repay failed: 39 (no debt of the selected type)" in decision.detail


def test_a_plan_read_back_from_the_journal_has_the_same_guards(ground: Ground) -> None:
    gap(ground)
    desk = desk_of(ground, ground.shipped("flash-arb"))
    plan = planned(desk, look(desk, "v2-v3-arb").decision.intent)
    stored = json.loads(canonical_json(PlanBody.of(plan).to_body()))
    read = PlanBody.from_body(stored).plan()
    again = desk_of(ground, ground.shipped("flash-arb"))
    assert asyncio.run(again.guards_before(read)) == asyncio.run(desk.guards_before(plan))


def test_an_unknown_strategy_is_named(ground: Ground) -> None:
    desk = desk_of(ground, ground.shipped("flash-arb"))
    assert desk.config("v2-v3-arb").objective == "WETH"
    assert desk.name == "atomic"
    with pytest.raises(ConfigError, match="no strategy other"):
        desk.config("other")
    with pytest.raises(ConfigError, match="allowed: none"):
        desk_of(ground).config("other")


def guarded_after(job: Assignment, bps: int) -> Assignment:
    """The same strategy with a slippage guard after inclusion."""
    position = job.strategy.position
    use = syntax.GuardUse(
        position=position,
        name="slippage",
        parameters={"max": syntax.Literal(bps, syntax.Unit.BPS, None, position)},
        placements=(Placement.POST,),
        on_failure=syntax.OnFailure.WARN,
    )
    strategy = dataclasses.replace(job.strategy, guards=(*job.strategy.guards, use))
    return dataclasses.replace(job, strategy=strategy)


def with_max_gas(job: Assignment, max_gas: int) -> Assignment:
    gas = dataclasses.replace(job.strategy.gas, max_gas=max_gas)
    return dataclasses.replace(job, strategy=dataclasses.replace(job.strategy, gas=gas))


def test_situations_are_plain_data() -> None:
    assert msgspec.to_builtins(Situation()) == {
        "open_attempts": 0,
        "last_action_block": None,
        "last_action_s": None,
    }


def test_before_its_first_decision_the_desk_asks_for_its_role(ground: Ground) -> None:
    job = ground.shipped("flash-arb")
    desk_of(ground, job).demand_roles()
    stranger = dataclasses.replace(job, operator=ground.devnet.accounts["trader"])
    with pytest.raises(Denied) as refused:
        desk_of(ground, stranger).demand_roles()
    assert refused.value.reason is Reason.ROLE_MISSING
    assert "tidegate devnet allow" in (refused.value.fix or "")
