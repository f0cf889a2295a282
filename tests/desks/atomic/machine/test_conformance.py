"""Every action of the catalogue runs on canonical bytecode, under exactly the policy that it needs."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD, SWAPS, swap

from tidegate.app.devnet import act_as_owner
from tidegate.desks.atomic import TEMPLATES, Assignment, draft_plan, finish_plan, strategy_policy
from tidegate.desks.atomic.machine.search import search_size
from tidegate.model import Plan
from tidegate.sim import WorldReverted
from tidegate.venues import catalogue
from tidegate.venues.executor import Change, ChangeKind, decode_error, encode_tighten, merge_policies

WETH, USDC = 10**18, 10**6
BORROWING = (
    "  - {id: put, use: aave_v3.supply, in: {asset: WETH, amount: 1 WETH}}\n"
    "  - {id: owe, use: aave_v3.borrow, in: {asset: USDC, amount: 1000 USDC}}\n"
)
REPAID = "  - {id: pay, use: aave_v3.repay, in: {asset: USDC, amount: 5000 USDC}}\n"
TAKEN_BACK = f"  - {{id: get, use: aave_v3.withdraw, in: {{asset: WETH, amount: {2**256 - 1}}}}}\n"

STEPS = {
    **{use: swap(use) for use in SWAPS},
    "erc20.transfer": "  - {id: pay, use: erc20.transfer, in: {token: USDC, to: treasury, amount: 7 USDC}}\n",
    "weth.withdraw": "  - {id: out, use: weth.withdraw, in: {amount: 1 WETH}}\n",
    "weth.deposit": (
        "  - {id: out, use: weth.withdraw, in: {amount: 1 WETH}}\n"
        "  - {id: in, use: weth.deposit, in: {amount: 50% of balance(ETH)}}\n"
    ),
    "aave_v3.supply": "  - {id: put, use: aave_v3.supply, in: {asset: WETH, amount: 1 WETH}}\n",
    "aave_v3.borrow": BORROWING,
    "aave_v3.repay": BORROWING + REPAID,
    "aave_v3.withdraw": BORROWING + REPAID + TAKEN_BACK,
}
DELTAS = {
    "erc20.transfer": {"USDC": -7 * USDC},
    "weth.withdraw": {"WETH": -WETH, "ETH": WETH},
    "weth.deposit": {"WETH": -WETH // 2, "ETH": WETH // 2},
    "aave_v3.supply": {"WETH": -WETH},
    "aave_v3.borrow": {"WETH": -WETH, "USDC": 1_000 * USDC},
    "aave_v3.repay": {"WETH": -WETH, "USDC": 0},
    "aave_v3.withdraw": {"WETH": 0, "USDC": 0},
}
"""What the steps change exactly; swaps are compared with the protocols' quoters elsewhere."""


def job_of(ground: Ground, name: str) -> Assignment:
    return ground.job(HEAD.replace("tokens: [", "tokens: [ETH, ") + STEPS[name])


def planned(ground: Ground, job: Assignment) -> Plan:
    return finish_plan(draft_plan(ground.intent(job), job, ground.world), 700_000)


def test_every_action_of_the_catalogue_is_tried() -> None:
    assert set(STEPS) == set(catalogue())


@pytest.mark.parametrize("name", sorted(STEPS))
def test_an_action_runs_and_does_what_was_quoted(ground: Ground, name: str) -> None:
    job = job_of(ground, name)
    ground.allow(job)
    ground.give("WETH", 3 * WETH)
    ground.give("USDC", 6_000 * USDC)
    draft = draft_plan(ground.intent(job), job, ground.world)
    plan = finish_plan(draft, 1_000_000)
    before = {bound.symbol: ground.holds(bound.symbol) for bound in plan.bounds}
    assert ground.world.transact(plan.to, plan.data, sender=ground.operator).status == 1
    changed = {symbol: ground.holds(symbol) - amount for symbol, amount in before.items()}
    assert changed == draft.prospect.quoted.deltas
    expected = DELTAS.get(name)
    if expected is not None:
        assert {symbol: delta for symbol, delta in changed.items() if delta or symbol in expected} == expected


def prepare(ground: Ground, template: str) -> Assignment:
    """Bring about what the template waits for."""
    if template == "flash-arb":
        ground.push_v2("USDC", 80_000 * USDC, "WETH")
    elif template == "flash-arb-reverse":
        ground.push_v2("WETH", 30 * WETH, "USDC")
    else:
        ground.give("WETH", 3 * WETH)
    if template == "leverage-close":
        opening = planned(ground, ground.shipped("leverage-open"))
        ground.world.transact(opening.to, opening.data, sender=ground.operator)
    job = ground.shipped(template)
    if job.strategy.searched_blind is not None:
        best = search_size(job, ground.world).best
        assert best is not None
        job = job.with_blind("size", best.size)
    return job


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_a_shipped_strategy_needs_every_entry_of_its_policy(ground: Ground, template: str) -> None:
    """Without any one of them the very same bytes revert: the policy is the smallest."""
    job = prepare(ground, template)
    plan = planned(ground, job)
    needed = strategy_policy(job, ground.world)
    assert {change.kind for change in needed} >= {ChangeKind.POLICY, ChangeKind.LENDER, ChangeKind.SPENDER}
    spare = {change for change in needed if not _is_needed_now(ground, plan, change)}
    unused = {change for change in spare if change.kind is not ChangeKind.LENDER}
    assert not unused, "lenders that did not serve this time may be spare, nothing else"
    assert ground.world.transact(plan.to, plan.data, sender=ground.operator).status == 1


def _is_needed_now(ground: Ground, plan: Plan, change: Change) -> bool:
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
