"""Every action of the catalogue runs on canonical bytecode, under exactly the policy that it needs."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.example_scenes import brought_about
from tests.desks.atomic.machine.scenes import SCENES, USDC, WETH, Scene, allowance, ether_falls
from tests.desks.atomic.machine.test_quoting import HEAD

from tidegate.app.devnet import act_as_owner
from tidegate.desks.atomic import TEMPLATES, draft_plan, finish_plan, strategy_policy
from tidegate.desks.atomic.machine.compiler import compile_quote
from tidegate.desks.atomic.machine.terms import Quote
from tidegate.model import Plan
from tidegate.sim import WorldReverted
from tidegate.venues import InputType, catalogue
from tidegate.venues.executor import (
    Approve,
    Call,
    Change,
    ChangeKind,
    Program,
    decode_error,
    encode_tighten,
    merge_policies,
    walk,
)
from tidegate.venues.permissions import action_places

GAS = 1_500_000


def test_every_action_of_the_catalogue_has_a_live_scene() -> None:
    assert {scene.use for scene in SCENES.values()} == set(catalogue())


def test_every_edition_and_every_market_has_a_live_scene(ground: Ground) -> None:
    """Wherever an action exists on the devnet, a scene calls it there; tokens are one place."""
    called = {
        (op.target, op.selector)
        for scene in SCENES.values()
        for op in walk(program_of(ground, scene).ops)
        if isinstance(op, Call)
    }
    places = {
        (target, edition.selector)
        for spec in catalogue().values()
        if spec.target not in spec.inputs or spec.inputs[spec.target].type is InputType.CONTRACT
        for target, edition in action_places(spec, ground.book)
    }
    assert places - called == {
        (ground.devnet.aave_v3_prime.pool, catalogue()[f"aave_v3.{name}"].selector)
        for name in ("liquidation_call", "set_user_e_mode")
    }, "nobody is in debt on the second market, and it has no category"


def program_of(ground: Ground, scene: Scene) -> Program:
    job = ground.job(scene.text(ground))
    return compile_quote(job.strategy, job.book, job.blinds, Quote({}, 2**39), ()).program


@pytest.mark.parametrize("name", sorted(SCENES))
def test_an_action_runs_and_does_what_was_quoted(ground: Ground, name: str) -> None:
    """Canonical bytecode, the smallest policy, and no allowance that outlives the run."""
    scene = SCENES[name]
    job = scene.set_up(ground)
    draft = draft_plan(ground.intent(job), job, ground.world)
    plan = finish_plan(draft, GAS)
    before = {bound.symbol: ground.holds(bound.symbol) for bound in plan.bounds}
    assert ground.world.transact(plan.to, plan.data, sender=ground.operator).status == 1
    changed = {symbol: ground.holds(symbol) - amount for symbol, amount in before.items()}
    assert changed == draft.prospect.quoted.deltas
    named = {symbol: delta for symbol, delta in changed.items() if delta or symbol in scene.deltas}
    assert scene.deltas == {} or scene.deltas.items() <= named.items()
    for op in walk(draft.program.program.ops):
        if isinstance(op, Approve):
            assert allowance(ground, op.token, op.spender) == 0


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_shipped_strategy_needs_every_entry_of_its_policy(ground: Ground, template: str) -> None:
    """Without any one of them the very same bytes revert: the policy is the smallest."""
    job = brought_about(ground, template)
    draft = draft_plan(ground.intent(job), job, ground.world)
    plan = finish_plan(draft, ground.measure(draft.plan))
    needed = strategy_policy(job, ground.world)
    spare = {change for change in needed if not is_needed_now(ground, plan, change)}
    unused = {change for change in spare if change.kind is not ChangeKind.LENDER}
    assert not unused, "lenders that did not serve this time may be spare, nothing else"
    assert ground.world.transact(plan.to, plan.data, sender=ground.operator).status == 1


def is_needed_now(ground: Ground, plan: Plan, change: Change) -> bool:
    """Whether the same bytes are denied without one entry of the policy."""
    with ground.world.snapshot():
        act_as_owner(ground.world, ground.devnet, ground.executor, encode_tighten([change.removed()]))
        try:
            ground.world.transact(plan.to, plan.data, sender=ground.operator)
        except WorldReverted as error:
            return decode_error(error.data, plan).root.revert.name == "PolicyDenied"
    return False


def test_policies_of_all_shipped_strategies_fit_together(ground: Ground) -> None:
    parts = [strategy_policy(ground.shipped(template), ground.world) for template in sorted(TEMPLATES)]
    merged = merge_policies(*parts)
    assert set(merged) >= {change for part in parts for change in part if change.kind is not ChangeKind.CAP}


def test_accounts_and_flags_may_be_blinds_and_what_was_seized_is_piped(ground: Ground) -> None:
    """A liquidation returns nothing: what came is measured by the balance, and sold to the last unit."""
    blinds = "blinds: {who: {type: address}, on: {type: bool}}\n"
    steps = (
        "  - {id: put, use: aave_v3.supply, in: {asset: WETH, amount: 1 WETH}}\n"
        "  - {id: flip, use: aave_v3.set_user_use_reserve_as_collateral, in: {asset: WETH, enabled: $on}}\n"
        "  - {id: take, use: aave_v3.liquidation_call, "
        "in: {collateral: WETH, debt: USDC, user: $who, amount: 1000 USDC}}\n"
        "  - {id: sell, use: uniswap_v3.exact_input_single, in: {token_in: WETH, token_out: USDC, "
        "fee: 500, amount: $take.seized}, slippage: 300 bps}\n"
    )
    text = HEAD.replace("trigger:", f"{blinds}trigger:") + steps
    job = ground.job(text, who=ground.devnet.accounts["borrower1"], on=False)
    ground.allow(job)
    ether_falls(ground)
    ground.give("WETH", 2 * WETH)
    ground.give("USDC", 2_000 * USDC)
    plan = finish_plan(draft_plan(ground.intent(job), job, ground.world), GAS)
    before = ground.holds("WETH"), ground.holds("USDC")
    assert ground.world.transact(plan.to, plan.data, sender=ground.operator).status == 1
    assert ground.holds("WETH") - before[0] == -WETH, "the supply alone; all that was seized is sold"
    assert ground.holds("USDC") > before[1], "paid 1,000, sold for more at the pool's price"
