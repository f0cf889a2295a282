"""Policy output applied to a fresh executor lets exactly its strategies run (``specs/atomic.md`` 18)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.desks.atomic.machine.conftest import Ground

from tidegate.desks.atomic import (
    Assignment,
    draft_plan,
    finish_plan,
    joint_policy,
    loss_limits,
    strategy_policy,
    template_text,
)
from tidegate.model import Address, Denied, Plan, Reason
from tidegate.sim import WorldReverted
from tidegate.venues import Entry
from tidegate.venues.executor import (
    Change,
    Role,
    apply_changes,
    decode_error,
    deploy_executor,
    encode_tighten,
)
from tidegate.venues.tokens import transfer

WETH = 10**18


class Fresh:
    """A fresh executor that allows what it is given, and nothing else."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.owner = ground.devnet.accounts["admin"]
        self.executor: Address = deploy_executor(
            ground.world,
            owner=self.owner,
            treasury=ground.devnet.accounts["treasury"],
            weth=ground.devnet.weth,
            deployer=ground.devnet.accounts["deployer"],
        )
        self.book = ground.book.with_entries(Entry(name="executor.fresh", address=self.executor))
        self.change(Change.role(ground.operator, Role.OPERATOR))

    def change(self, *changes: Change) -> None:
        apply_changes(self.ground.world, self.executor, changes, owner=self.owner)

    def job(self, template: str) -> Assignment:
        shipped = self.ground.job(one_lender(template_text(template)))
        return replace(shipped, strategy=replace(shipped.strategy, executor="fresh"), book=self.book)

    def plan(self, job: Assignment) -> Plan:
        draft = draft_plan(self.ground.intent(job), job, self.ground.world)
        return finish_plan(draft, self.ground.measure(draft.plan))

    def runs(self, plan: Plan) -> str:
        """Run a plan and take it back; what denied it, empty if it ran."""
        with self.ground.world.snapshot():
            try:
                self.ground.world.transact(plan.to, plan.data, sender=self.ground.operator)
            except WorldReverted as error:
                root = decode_error(error.data, plan).root.revert
                return root.name or root.kind
        return ""


def one_lender(text: str) -> str:
    """A strategy that any lender may serve needs none of them in particular: name one."""
    return text.replace("provider: auto", "provider: aave_v3.pool")


@pytest.fixture
def fresh(ground: Ground) -> Fresh:
    made = Fresh(ground)
    trader = ground.devnet.accounts["trader"]
    transfer(ground.world, ground.devnet.weth, made.executor, 12 * WETH // 10, holder=trader)
    ground.push_v2("USDC", 200_000 * 10**6, "WETH")
    return made


def sized(job: Assignment) -> Assignment:
    blind = job.searched_blind
    return job if blind is None else job.with_blind(blind.name, blind.minimum or WETH)


@pytest.mark.parametrize("template", ["flash-arb", "leverage-open"])
def test_policy_output_lets_its_strategy_run_and_each_single_entry_is_needed(
    fresh: Fresh, template: str
) -> None:
    job = sized(fresh.job(template))
    policy = strategy_policy(job, fresh.ground.world)
    fresh.change(*policy, *loss_limits([job]))
    plan = fresh.plan(job)
    assert fresh.runs(plan) == ""
    for entry in policy:
        with fresh.ground.world.snapshot():
            fresh.ground.world.transact(fresh.executor, encode_tighten([entry.removed()]), sender=fresh.owner)
            assert fresh.runs(plan) == "PolicyDenied", entry


def test_policy_output_of_one_strategy_denies_every_other(fresh: Fresh) -> None:
    job, other = sized(fresh.job("flash-arb")), sized(fresh.job("leverage-open"))
    fresh.change(*strategy_policy(other, fresh.ground.world))
    with fresh.ground.world.snapshot():
        fresh.change(*strategy_policy(job, fresh.ground.world))
        plans = [fresh.plan(one) for one in (job, other)]
        assert [fresh.runs(plan) for plan in plans] == ["", ""]
    assert [fresh.runs(plan) for plan in plans] == ["PolicyDenied", ""]
    with pytest.raises(Denied) as refused:
        fresh.plan(job)
    assert refused.value.reason is Reason.POLICY_MISSING


def test_the_policy_of_two_strategies_is_the_union_of_theirs(fresh: Fresh) -> None:
    jobs = [sized(fresh.job(name)) for name in ("flash-arb", "leverage-open")]
    world = fresh.ground.world
    both = {(one.kind, one.key) for one in joint_policy(jobs, world)}
    apart = {(one.kind, one.key) for job in jobs for one in strategy_policy(job, world)}
    assert both == apart
