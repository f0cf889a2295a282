"""Every example that needs a scene lands in one: a gap in prices, a position, a price that falls."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.example_scenes import EXAMPLE_SCENES, dusty, opened, price_falls, threatened
from tests.desks.atomic.machine.test_desk import desk_of
from tests.desks.atomic.machine.test_shipped_strategies import USDC, WETH, land

from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic import TEMPLATES, Assignment, Event, Situation, draft_plan, search_size
from tidegate.model import Operation, Reason
from tidegate.venues.executor import ExecutorError

E18 = 10**18


def health_factor(ground: Ground, pool: str) -> int:
    """Return the executor's health factor in 10⁻¹⁸; without a debt, the largest number there is."""
    data = encode_call("health_factor(address,address)", pool, ground.executor)
    return int(decode_output(("uint256",), ground.world.call(ground.devnet.guard_lens, data))[0])


def position(ground: Ground, pool: str) -> tuple[int, int]:
    """Return what the executor has as collateral and owes, in 10⁻⁸ dollars."""
    data = encode_call("getUserAccountData(address)", ground.executor)
    collateral, debt = decode_output(("uint256",) * 6, ground.world.call(pool, data))[:2]
    return int(collateral), int(debt)


def sized(ground: Ground, template: str) -> tuple[Assignment, int]:
    """Return a strategy with the size that the search finds, and what that size gains."""
    job = ground.shipped(template)
    found = search_size(job, ground.world)
    assert found.best is not None
    return job.with_blind("size", found.best.size), found.best.gain


def reverts(ground: Ground, job: Assignment) -> ExecutorError:
    """Return why the chain itself refuses the very bytes of a plan."""
    return ground.revert_of(draft_plan(ground.intent(job), job, ground.world).plan)


@pytest.mark.parametrize(("template", "symbol"), [("triangle", "WETH"), ("flash-mint", "DAI")])
def test_a_cycle_of_three_swaps_pays_its_gain_to_the_treasury(
    ground: Ground, template: str, symbol: str
) -> None:
    EXAMPLE_SCENES[template](ground)
    job, gain = sized(ground, template)
    treasury = ground.devnet.accounts["treasury"]
    before = ground.balance(symbol, treasury)
    plan, _ = land(ground, job)
    assert ground.balance(symbol, treasury) - before == gain > 0
    assert [ground.balance(one) for one in ("WETH", "USDC", "DAI")] == [0, 0, 0]
    floors = {bound.symbol: bound.floor for bound in plan.bounds}
    assert set(floors) == {"WETH", "USDC", "DAI"}
    assert 0 < floors.pop(symbol) <= gain
    assert set(floors.values()) == {0}


@pytest.mark.parametrize("template", ["triangle", "flash-mint"])
def test_a_cycle_finds_nothing_where_prices_agree(ground: Ground, template: str) -> None:
    assert search_size(ground.shipped(template), ground.world).best is None


def test_a_flash_mint_costs_nothing_and_comes_from_the_named_lender(ground: Ground) -> None:
    EXAMPLE_SCENES["flash-mint"](ground)
    held = ground.balance("DAI", ground.devnet.erc3156_lender)
    job, _ = sized(ground, "flash-mint")
    plan, _ = land(ground, job)
    assert [one["name"] for one in plan.notes["lenders"]["mint"]][:1] == ["erc3156.lender"]
    assert ground.balance("DAI", ground.devnet.erc3156_lender) == held


def test_collateral_is_swapped_under_a_debt_that_stays(ground: Ground) -> None:
    opened(ground)
    pool = ground.devnet.aave_v3.pool
    collateral, debt = position(ground, pool)
    own = ground.balance("WETH")
    land(ground, ground.shipped("collateral-swap"))
    after, debt_after = position(ground, pool)
    assert 0 <= debt_after - debt <= debt // 10**6, "interest of a block, and nothing else"
    assert collateral * 99 // 100 < after < collateral, "the swap's fee of 30 bps, on half of it"
    wbtc = ground.devnet.aave_v3.reserve("WBTC").a_token
    held = decode_output(
        ("uint256",), ground.world.call(wbtc, encode_call("balanceOf(address)", ground.executor))
    )
    assert int(held[0]) > 4_900_000, "1 WETH buys 0.05 WBTC at 3,000 and 60,000 dollars, less 30 bps"
    assert ground.balance("WETH") == own
    assert health_factor(ground, pool) > 13 * E18 // 10


def test_a_debt_moves_to_the_second_market_with_its_collateral(ground: Ground) -> None:
    opened(ground)
    first, second = ground.devnet.aave_v3.pool, ground.devnet.aave_v3_prime.pool
    collateral, debt = position(ground, first)
    own = ground.balance("WETH"), ground.balance("USDC")
    land(ground, ground.shipped("debt-swap"))
    assert position(ground, first) == (0, 0)
    moved, owed = position(ground, second)
    assert abs(moved - collateral) <= 10**4, "all of it, but for a base unit and a block's interest"
    assert 0 <= owed - debt <= debt // 10**4
    assert (ground.balance("WETH"), ground.balance("USDC") - own[1] >= 0) == (own[0], True)
    assert health_factor(ground, second) > 13 * E18 // 10


def test_a_position_that_nears_liquidation_is_made_lighter(ground: Ground) -> None:
    threatened(ground)
    pool = ground.devnet.aave_v3.pool
    before = health_factor(ground, pool)
    assert E18 < before < 135 * E18 // 100
    collateral, debt = position(ground, pool)
    own = ground.balance("WETH"), ground.balance("USDC")
    land(ground, ground.shipped("deleverage"))
    assert health_factor(ground, pool) > 15 * E18 // 10
    after, owed = position(ground, pool)
    assert collateral - after == pytest.approx(1_200 * 10**8, rel=1e-3), "half a WETH at 2,400"
    assert debt - owed == pytest.approx(1_200 * 10**8, rel=2e-3), "the same, less the pool's fee"
    assert (ground.balance("WETH"), ground.balance("USDC")) == own


def test_the_trigger_waits_for_the_health_factor_to_fall(ground: Ground) -> None:
    opened(ground)
    job = ground.shipped("deleverage")
    desk = desk_of(ground, job)
    calm = desk.look("deleverage", Event(id="block 1", kind="block"), Situation()).decision
    assert (calm.intent, calm.reason) == (None, Reason.TRIGGER_QUIET)
    price_falls(ground, 2_400)
    alarmed = desk.look("deleverage", Event(id="block 2", kind="block"), Situation()).decision
    assert alarmed.intent is not None, alarmed
    assert alarmed.intent.operation is Operation.OPEN, "a position is left: it is no exit"


def test_what_does_not_lift_the_health_factor_far_enough_reverts(ground: Ground) -> None:
    threatened(ground)
    assert reverts(ground, ground.shipped("deleverage", size=WETH // 20)).revert.name == "CheckFailed"


def test_funds_are_swapped_without_a_loan(ground: Ground) -> None:
    ground.give("WETH", WETH)
    treasury = ground.devnet.accounts["treasury"]
    before = ground.balance("USDC", treasury)
    plan, _ = land(ground, ground.shipped("funds-swap"))
    assert ground.balance("WETH") == WETH // 2
    assert 1_490 * USDC < ground.balance("USDC", treasury) - before < 1_500 * USDC
    assert plan.notes["lenders"] == {}


def test_dust_of_every_token_goes_to_the_treasury(ground: Ground) -> None:
    dusty(ground)
    treasury = ground.devnet.accounts["treasury"]
    before = {one: ground.balance(one, treasury) for one in ("USDC", "DAI", "WBTC")}
    land(ground, ground.shipped("dust-sweep"))
    assert [ground.balance(one) for one in before] == [0, 0, 0]
    assert [ground.balance(one, treasury) - held for one, held in before.items()] == [3 * USDC + 1, 7, 1_000]


def test_what_is_more_than_dust_is_not_swept(ground: Ground) -> None:
    ground.give("USDC", 251 * USDC)
    assert reverts(ground, ground.shipped("dust-sweep")).revert.name == "DeltaTooLow"
    assert ground.balance("USDC") == 251 * USDC


def test_every_template_has_a_scene() -> None:
    assert set(EXAMPLE_SCENES) == set(TEMPLATES)
