"""Plans: every limit closed, gas in the floor, refusals with figures, and bounds that hold on chain."""

from __future__ import annotations

import dataclasses

import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD, SWAPS, V2_IN, V2_OUT, V3_IN, V3_OUT, swap

from tidegate.desks.atomic import Assignment, Draft, draft_plan, finish_plan, refuse_reverted
from tidegate.desks.atomic.language.schema import MAXIMUM_GAS
from tidegate.desks.atomic.machine.planner import most_gas
from tidegate.model import Block, ConfigError, Denied, Intent, Plan, Reason, maximum_in, minimum_out
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    Call,
    Flash,
    Program,
    decode_error,
    decode_execute,
    disassemble,
    program_hash,
    walk,
)
from tidegate.venues.uniswap_v3 import swap_exact_in

WETH, USDC, GWEI = 10**18, 10**6, 10**9


def arbitrage(ground: Ground, size: int = 10 * WETH) -> Assignment:
    ground.push_v2("USDC", 200_000 * USDC, "WETH")
    return ground.shipped("flash-arb", size=size)


def drafted(ground: Ground, job: Assignment) -> Draft:
    return draft_plan(ground.intent(job), job, ground.world)


def planned(ground: Ground, job: Assignment, gas_used: int = 300_000) -> Plan:
    return finish_plan(drafted(ground, job), gas_used)


def program_of(plan: Plan) -> Program:
    return disassemble(decode_execute(plan.data))


def with_base_fee(ground: Ground, wei: int) -> None:
    """The fast world keeps a base fee of its own; a view with another is what a node would give."""
    block = ground.world.block()
    ground.world._block = Block(
        block.number, block.timestamp, wei, block.gas_limit, block.hash, block.coinbase, block.prevrandao
    )


def test_floors_carry_gas_at_its_limit_and_highest_price(ground: Ground) -> None:
    job = arbitrage(ground)
    with_base_fee(ground, 10 * GWEI)
    draft = drafted(ground, job)
    plan = finish_plan(draft, 400_000)
    assert (plan.gas_limit, plan.max_fee_wei, plan.max_priority_fee_wei) == (460_000, 21 * GWEI, GWEI)
    floors = {bound.symbol: bound.floor for bound in plan.bounds}
    assert floors == {"WETH": 10**15 + 460_000 * 21 * GWEI, "USDC": 0}
    assert {bound.symbol: bound.floor for bound in draft.plan.bounds} == {"WETH": 10**15, "USDC": 0}
    assert [bound.payout for bound in plan.bounds if bound.symbol == "WETH"] == [True]


def test_limits_come_from_quotes_and_slippage(ground: Ground) -> None:
    draft = drafted(ground, arbitrage(ground))
    values = draft.prospect.quoted.values
    calls = [
        op
        for op in walk(program_of(finish_plan(draft, 300_000)).ops)
        if isinstance(op, Call) and not op.is_read
    ]
    least = [int.from_bytes(calls[0].data[36:68]), int.from_bytes(calls[1].data[4 + 160 : 4 + 192])]
    assert least == [minimum_out(values[step, "amount_out"], 30) for step in ("sell", "buy")]


def test_maximum_inputs_round_up(ground: Ground) -> None:
    job = ground.job(HEAD + swap(V3_OUT))
    ground.allow(job)
    ground.give("WETH", WETH)
    draft = drafted(ground, job)
    assert draft.terms.limits == {"swap": maximum_in(draft.prospect.quoted.values["swap", "amount_in"], 30)}


def test_the_fee_of_the_loan_is_bounded_by_the_authors_maximum_or_by_the_quote(ground: Ground) -> None:
    job = arbitrage(ground)
    (flash,) = (op for op in program_of(planned(ground, job)).ops if isinstance(op, Flash))
    assert flash.max_fee == 9 * 10 * WETH // 10_000
    flash_step = job.strategy.steps[0]
    changed = {"max_fee_bps": None, "providers": ("aave_v3",)}
    without = dataclasses.replace(
        job,
        strategy=dataclasses.replace(job.strategy, steps=(dataclasses.replace(flash_step, **changed),)),
    )
    (flash,) = (op for op in program_of(planned(ground, without)).ops if isinstance(op, Flash))
    assert flash.max_fee == 5 * 10 * WETH // 10_000, "Aave takes 5 bps"


def test_a_plan_says_what_it_is(ground: Ground) -> None:
    job = arbitrage(ground)
    draft = drafted(ground, job)
    plan = finish_plan(draft, 300_000)
    program = decode_execute(plan.data)
    assert (plan.to, plan.desk, plan.chain_id) == (ground.executor, "atomic", 31_337)
    assert plan.program_hash == "0x" + program_hash(program).hex()
    assert plan.deadline_s == ground.world.block().timestamp + 36 == disassemble(program).deadline
    assert disassemble(program).max_base_fee == 40 * GWEI
    assert plan.prices_usd_e8 == {"USDC": 10**8, "WETH": 3_000 * 10**8, "native": 3_000 * 10**8}
    assert plan.flow_usd_e6 == 30_000 * 10**6
    assert plan.at_risk_usd_e6 == plan.gas_limit * plan.max_fee_wei * 3_000 * 10**6 // 10**18
    assert (plan.notes["strategy"], plan.notes["size"]) == ("v2-v3-arb", str(10 * WETH))
    assert plan.notes["loans"] == {"loan": "morpho_blue.morpho"}, "the cheapest: no fee, little gas"
    assert plan.digest != draft.plan.digest
    assert finish_plan(draft, 300_000).digest == plan.digest


def test_a_run_id_is_consumed_once_where_the_strategy_says_so(ground: Ground) -> None:
    assert program_of(planned(ground, arbitrage(ground))).run_id is None
    once = ground.shipped("leverage-open")
    ground.give("WETH", 2 * WETH)
    intent = ground.intent(once)
    plan = finish_plan(draft_plan(intent, once, ground.world), 700_000)
    assert program_of(plan).run_id == bytes.fromhex(intent.id)
    ground.world.transact(plan.to, plan.data, sender=ground.operator)
    with pytest.raises(WorldReverted, match="run id used"):
        ground.world.transact(plan.to, plan.data, sender=ground.operator)


def test_what_the_executor_itself_spends_counts_as_flow(ground: Ground) -> None:
    steps = "  - {id: put, use: aave_v3.supply, in: {asset: USDC, amount: balance(USDC)}}\n"
    job = ground.job(HEAD.replace("name: test", "name: put") + steps)
    ground.allow(job)
    ground.give("USDC", 1_234 * USDC)
    assert planned(ground, job).flow_usd_e6 == 1_234 * 10**6


def test_gas_beyond_the_cap_is_refused(ground: Ground) -> None:
    draft = drafted(ground, arbitrage(ground))
    assert draft.plan.gas_limit == 900_000
    assert finish_plan(draft, 782_608).gas_limit == 900_000
    with pytest.raises(Denied, match="gas limit of 900001") as caught:
        finish_plan(draft, 782_609)
    assert (caught.value.reason, caught.value.allowed) == (Reason.GAS_CAP, "at most 900000")


@pytest.mark.parametrize(
    ("max_gas", "block_gas", "most"),
    [
        (900_000, 30_000_000, 900_000),
        (10**9, 30_000_000, MAXIMUM_GAS),
        (10**9, 15_000_000, 12_000_000),
        (10**9, 60_000_000, MAXIMUM_GAS),
    ],
)
def test_the_highest_gas_limit(max_gas: int, block_gas: int, most: int) -> None:
    block = Block(number=1, timestamp=1, base_fee_wei=0, gas_limit=block_gas)
    assert most_gas(max_gas, block) == most


def test_a_gain_that_does_not_pay_for_its_gas_is_refused(ground: Ground) -> None:
    ground.push_v2("USDC", 30_000 * USDC, "WETH")
    job = ground.shipped("flash-arb", size=WETH)
    with_base_fee(ground, 40 * GWEI)
    draft = drafted(ground, job)
    gain = draft.prospect.quoted.deltas["WETH"]
    assert 10**15 < gain < 10**15 + 900_000 * 41 * GWEI
    affordable = (gain - 10**15) // (41 * GWEI) * 10_000 // 11_500
    assert finish_plan(draft, affordable - 1).bounds
    with pytest.raises(Denied, match="less than its floor") as caught:
        finish_plan(draft, affordable + 1)
    assert caught.value.reason is Reason.UNPROFITABLE


def test_a_bound_that_the_quote_breaks_is_refused(ground: Ground) -> None:
    job = ground.job(HEAD.replace("min: -10 WETH", "min: -0.5 WETH") + swap(V3_IN))
    ground.allow(job)
    ground.give("WETH", WETH)
    with pytest.raises(Denied) as caught:
        planned(ground, job)
    assert (caught.value.reason, caught.value.found) == (Reason.BOUNDS, "-1 WETH")
    assert caught.value.allowed == "at least -0.5 WETH"


def test_a_step_without_tolerance_makes_no_plan(ground: Ground) -> None:
    job = ground.job(HEAD + swap(V3_IN).replace(", slippage: 30 bps", ""))
    ground.allow(job)
    ground.give("WETH", WETH)
    with pytest.raises(ConfigError) as caught:
        drafted(ground, job)
    assert caught.value.code == "ATM101"
    assert caught.value.position is not None


@pytest.mark.parametrize("use", sorted(SWAPS))
def test_a_market_that_moved_beyond_the_limit_reverts_on_chain(ground: Ground, use: str) -> None:
    """The mistake of the field: checks only off chain. Here the swap's own limit word refuses."""
    job = ground.job(HEAD + swap(use))
    ground.allow(job)
    ground.give("WETH", 2 * WETH)
    plan = planned(ground, job)
    with ground.world.snapshot():
        ground.world.transact(plan.to, plan.data, sender=ground.operator)
    if use in (V2_IN, V2_OUT):
        ground.push_v2("WETH", 100 * WETH, "USDC")
    else:
        _push_v3(ground, 500 if use == V3_IN else 3_000)
    with pytest.raises(WorldReverted) as caught:
        ground.world.transact(plan.to, plan.data, sender=ground.operator)
    assert decode_error(caught.value.data, plan).step_id == "swap"


def test_a_draft_that_reverts_says_why(ground: Ground) -> None:
    draft = drafted(ground, arbitrage(ground))
    ground.push_v2("WETH", 300 * WETH, "USDC")
    with pytest.raises(WorldReverted) as caught:
        ground.world.transact(draft.plan.to, draft.plan.data, sender=ground.operator)
    denied = refuse_reverted(draft, caught.value.data)
    assert denied.reason is Reason.SIMULATION_REVERTED
    assert "step sell" in denied.message


def test_an_expired_plan_reverts_on_chain(ground: Ground) -> None:
    plan = planned(ground, arbitrage(ground))
    ground.world.mine(timestamp=plan.deadline_s)
    with pytest.raises(WorldReverted, match="expired"):
        ground.world.transact(plan.to, plan.data, sender=ground.operator)


def test_the_deadline_is_the_intents(ground: Ground) -> None:
    job = arbitrage(ground)
    intent = Intent("cd" * 32, "atomic", 31_337, job.strategy.name, "test", 2**39, 0, {})
    assert finish_plan(draft_plan(intent, job, ground.world), 300_000).deadline_s == 2**39


def _push_v3(ground: Ground, fee: int) -> None:
    swap_exact_in(
        ground.world,
        ground.devnet.uniswap_v3,
        ground.devnet.weth,
        ground.devnet.token("USDC"),
        fee=fee,
        amount_in=100 * WETH,
        trader=ground.devnet.accounts["trader"],
    )
