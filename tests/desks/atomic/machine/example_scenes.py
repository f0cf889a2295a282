"""What each strategy that ships waits for: a gap in prices, a position, a price that falls, dust."""

from __future__ import annotations

from collections.abc import Callable

from tests.desks.atomic.machine.conftest import Ground

from tidegate.app.market.simulator import root_price_x96
from tidegate.chain import encode_call
from tidegate.desks.atomic import Assignment, draft_plan, finish_plan, search_size
from tidegate.venues.chainlink import set_answer

WETH, USDC = 10**18, 10**6


def brought_about(ground: Ground, template: str) -> Assignment:
    """Set the scene of a template and return it with the size that pays there."""
    EXAMPLE_SCENES[template](ground)
    job = ground.shipped(template)
    if job.strategy.searched_blind is None:
        return job
    found = search_size(job, ground.world).best
    assert found is not None, "the scene pays no size"
    return job.with_blind("size", found.size)


def opened(ground: Ground) -> None:
    """Leave the position that leverage-open makes: 2 WETH against 3,030 USDC, and a little WETH beside it."""
    ground.give("WETH", 12 * WETH // 10)
    job = ground.shipped("leverage-open")
    plan = finish_plan(draft_plan(ground.intent(job), job, ground.world), 700_000)
    ground.world.transact(plan.to, plan.data, sender=ground.operator)


def price_falls(ground: Ground, price_usd: int) -> None:
    """Move the feed of WETH, and the pool where the examples sell it, to a price."""
    devnet, trader = ground.devnet, ground.devnet.accounts["trader"]
    set_answer(ground.world, devnet.feeds["ETH/USD"], price_usd * 10**8)
    pool = devnet.pool("WETH", "USDC", 500)
    target = root_price_x96(price_usd * 10**8, weth_is_token0=pool.token0 == devnet.weth)
    swap = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
    order = (devnet.weth, devnet.token("USDC"), 500, trader, 20_000 * WETH, 0, target)
    ground.world.transact(devnet.uniswap_v3.router02, encode_call(swap, order), sender=trader)


def threatened(ground: Ground) -> None:
    """Open the position and let WETH fall to where it nears liquidation: 1.31."""
    opened(ground)
    price_falls(ground, 2_400)


def funded(ground: Ground) -> None:
    """Give the executor WETH of its own."""
    ground.give("WETH", 3 * WETH)


def dusty(ground: Ground) -> None:
    """Leave a few units of each token that the sweep knows."""
    ground.give("USDC", 3 * USDC + 1)
    ground.give("DAI", 7)
    ground.give("WBTC", 1_000)


EXAMPLE_SCENES: dict[str, Callable[[Ground], None]] = {
    "flash-arb": lambda ground: ground.push_v2("USDC", 80_000 * USDC, "WETH"),
    "flash-arb-reverse": lambda ground: ground.push_v2("WETH", 30 * WETH, "USDC"),
    "triangle": lambda ground: ground.push_v2("WETH", 12 * WETH, "DAI"),
    "flash-mint": lambda ground: ground.push_v2("WETH", 12 * WETH, "DAI"),
    "leverage-open": funded,
    "leverage-close": opened,
    "collateral-swap": opened,
    "debt-swap": opened,
    "deleverage": threatened,
    "funds-swap": funded,
    "dust-sweep": dusty,
}
"""By the name of the template. A template without a scene fails the tests that run them all."""
