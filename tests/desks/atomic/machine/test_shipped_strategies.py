"""Every strategy that ships runs through the executor on the protocols' own bytecode."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.conftest import Ground

from tidegate.desks.atomic import Assignment, draft_plan, finish_plan, search_size
from tidegate.model import Plan, Receipt
from tidegate.venues.executor import decode_executed

USDC = 10**6
WETH = 10**18


def land(ground: Ground, job: Assignment) -> tuple[Plan, Receipt]:
    draft = draft_plan(ground.intent(job), job, ground.world)
    plan = finish_plan(draft, ground.measure(draft.plan))
    receipt = ground.world.transact(plan.to, plan.data, sender=ground.operator, gas_limit=plan.gas_limit * 2)
    return plan, receipt


@pytest.mark.parametrize(
    ("template", "token_in", "amount", "token_out"),
    [("flash-arb", "USDC", 200_000 * USDC, "WETH"), ("flash-arb-reverse", "WETH", 70 * WETH, "USDC")],
)
def test_an_arbitrage_lands_and_pays_its_gain_to_the_treasury(
    ground: Ground, template: str, token_in: str, amount: int, token_out: str
) -> None:
    ground.push_v2(token_in, amount, token_out)
    job = ground.shipped(template)
    found = search_size(job, ground.world)
    assert found.best is not None
    job = job.with_blind("size", found.best.size)
    treasury = ground.devnet.accounts["treasury"]
    before = ground.balance("WETH", treasury)
    plan, receipt = land(ground, job)
    (run,) = decode_executed(receipt.logs, ground.executor)
    assert ground.balance("WETH", treasury) - before == found.best.gain
    assert ground.balance("WETH") == 0
    assert ground.balance("USDC") == 0
    first = next(iter(plan.bounds))
    assert first.symbol in {"WETH", "USDC"}
    assert run.delta == (found.best.gain if first.symbol == "WETH" else 0)


def test_a_leveraged_position_is_opened_and_closed(ground: Ground) -> None:
    ground.give("WETH", 12 * WETH // 10)
    opening, _ = land(ground, ground.shipped("leverage-open"))
    assert ground.balance("WETH") < 22 * WETH // 100
    measured = {label: int(value) for _, _, label, value in opening.notes["measured"]}
    assert measured["health factor"] > 13 * 10**17
    assert measured["price of WETH"] == 3_000 * 10**8
    treasury = ground.devnet.accounts["treasury"]
    before = ground.balance("WETH", treasury)
    land(ground, ground.shipped("leverage-close"))
    assert ground.balance("WETH", treasury) - before > 9 * WETH // 10
    assert ground.balance("USDC") == 0
