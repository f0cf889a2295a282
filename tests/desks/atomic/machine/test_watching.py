"""What triggers read of the devnet: feeds, pools' means, health factors; and a desk that waits for them."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal, localcontext

import mpmath
import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_desk import BLOCK, BY_HAND, desk_of, look
from tests.desks.atomic.machine.test_guards_on_devnet import LEND, push_v3, remember
from tests.desks.atomic.machine.test_quoting import HEAD, V3_IN, swap

from tidegate.desks.atomic import decision_body, replay
from tidegate.desks.atomic.machine.watching import observe
from tidegate.model import UINT256_MAX, Reason, canonical_json
from tidegate.venues.aave_v3 import account_data
from tidegate.venues.chainlink import set_answer
from tidegate.venues.uniswap_v3 import slot0

USDC = 10**6
BY_FEED = "price WETH/USDC chainlink"
HEALTH = "health_factor aave_v3 executor"


def pool_name(ground: Ground) -> str:
    pool = ground.devnet.pool("WETH", "USDC", 500)
    return ground.book.name_of(pool.address)


def read(ground: Ground, name: str) -> int | None:
    return observe([name], ground.book, ground.executor, ground.world).get(name)


def test_a_price_by_feeds_is_rounded_down_and_gone_when_stale(ground: Ground) -> None:
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], 3_000 * 10**8 + 1)
    assert read(ground, BY_FEED) == 3_000 * USDC, "0.01 of a base unit is not paid"
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], 3_100 * 10**8)
    assert read(ground, BY_FEED) == 3_100 * USDC
    ground.world.mine(timestamp=ground.world.block().timestamp + 30 * 86_400)
    assert read(ground, BY_FEED) is None


@pytest.mark.parametrize("pair", ["WETH/USDC", "USDC/WETH"])
def test_a_price_by_a_pool_is_its_mean_as_mpmath_has_it(ground: Ground, pair: str) -> None:
    """An hour without a trade: the mean tick is the tick, and the price 1.0001 to the power of it."""
    remember(ground)
    pool = ground.devnet.pool("WETH", "USDC", 500)
    _, tick = slot0(ground.world, pool)
    base = pair.split("/")[0]
    if pool.token1 == ground.devnet.token(base):
        tick = -tick
    with mpmath.workdps(60):
        exact = mpmath.mpf("1.0001") ** tick * 10 ** ground.book.token(base).decimals
        expected = int(mpmath.floor(exact))
    assert read(ground, f"price {pair} {pool_name(ground)}") == expected


def test_one_block_does_not_push_a_pools_mean(ground: Ground) -> None:
    remember(ground)
    name = f"price WETH/USDC {pool_name(ground)}"
    before = read(ground, name)
    push_v3(ground, "WETH", 400 * 10**18)
    after = read(ground, name)
    assert before is not None
    assert after is not None
    with localcontext() as context:
        context.prec = 30
        assert abs(Decimal(after) / before - 1) < Decimal("0.001")


@pytest.mark.parametrize(
    "name",
    [
        "price WETH/DAI uniswap_v3.pool.none",
        "price WETH/NONE chainlink",
        "health_factor aave_v3 nobody",
        "health_factor compound executor",
    ],
)
def test_what_can_not_be_read_is_left_out(ground: Ground, name: str) -> None:
    assert read(ground, name) is None


def test_a_pool_of_another_pair_gives_no_price(ground: Ground) -> None:
    assert read(ground, f"price WETH/DAI {pool_name(ground)}") is None


def test_a_health_factor_is_what_the_market_says(ground: Ground) -> None:
    assert read(ground, HEALTH) == UINT256_MAX, "no debt"
    job = ground.job(HEAD + LEND)
    ground.allow(job)
    ground.give("WETH", 5 * 10**18)
    desk = desk_of(ground, job)
    seen = look(desk, "test", BY_HAND)
    assert seen.decision.intent is not None
    plan = asyncio.run(desk.plan(seen.decision.intent))
    ground.world.transact(plan.to, plan.data, sender=ground.operator)
    expected = account_data(ground.world, ground.devnet.aave_v3, ground.executor).health_factor_e18
    assert read(ground, HEALTH) == expected


def waiting(ground: Ground, trigger: str) -> str:
    return HEAD.replace("trigger: {manual: {}}", f"trigger: {{{trigger}, cooldown: 0 blocks}}") + swap(V3_IN)


def test_a_desk_waits_for_a_price_and_a_restart_misses_no_crossing(ground: Ground) -> None:
    text = waiting(ground, "price: {pair: WETH/USDC, source: chainlink, crosses: 3100 USDC}")
    job = ground.job(text)
    ground.allow(job)
    ground.give("WETH", 5 * 10**18)
    desk = desk_of(ground, job)
    first = look(desk, "test", BLOCK)
    assert (first.decision.reason, first.inputs.readings) == (Reason.TRIGGER_QUIET, {BY_FEED: 3_000 * USDC})
    set_answer(ground.world, ground.devnet.feeds["ETH/USD"], 3_200 * 10**8)
    restarted = desk_of(ground, job)
    restarted.remember(decision_body(first.inputs, first.config, first.decision).to_body())
    second = look(restarted, "test", BLOCK)
    assert second.decision.reason is not Reason.TRIGGER_QUIET, "it decided"
    body = decision_body(second.inputs, second.config, second.decision).to_body()
    assert replay(json.loads(canonical_json(body))) == body
    assert look(restarted, "test", BLOCK).decision.reason is Reason.TRIGGER_QUIET, "once for each crossing"
    forgetful = desk_of(ground, job)
    assert look(forgetful, "test", BLOCK).decision.reason is Reason.TRIGGER_QUIET
    other = desk_of(ground, ground.job(text.replace("3100", "3150")))
    other.remember(body)
    assert look(other, "test", BLOCK).inputs.memory == {}, "another file remembers nothing of this one"


def test_a_desk_that_can_not_see_its_price_says_so(ground: Ground) -> None:
    job = ground.job(waiting(ground, "price: {pair: WETH/USDC, source: chainlink, above: 1 USDC}"))
    desk = desk_of(ground, job)
    ground.world.mine(timestamp=ground.world.block().timestamp + 30 * 86_400)
    found = look(desk, "test", BLOCK).decision
    assert (found.acted, found.reason) == (False, Reason.UNAVAILABLE)
    assert BY_FEED in found.detail
