"""The size search: few simulations, close to brute force, the same answer every time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.desks.atomic.machine.conftest import Ground

from tidegate.app.devnet import DevnetSpec
from tidegate.desks.atomic import Assignment, search_size, template_text
from tidegate.desks.atomic.machine.loans import candidates, known_amounts
from tidegate.desks.atomic.machine.prospect import priced_symbols
from tidegate.desks.atomic.machine.quoting import quote_deltas
from tidegate.desks.atomic.machine.search import SIMULATIONS_MAX, maximise, objective_of
from tidegate.desks.atomic.machine.serving import attempts
from tidegate.desks.atomic.machine.valuation import read_prices
from tidegate.model import ConfigError, Denied, Reason
from tidegate.venues.aave_v3 import set_flash_loans
from tidegate.venues.balancer_v2 import set_paused
from tidegate.venues.morpho_blue import withdraw

WETH, USDC = 10**18, 10**6
LOW, HIGH = 5 * 10**16, 100 * WETH
NEAR_ENOUGH_PPM = 999_900
"""What the search finds is at least 99.99 % of the best of a brute force."""


def brute_force(ground: Ground, job: Assignment) -> int:
    """The best gain of 160 sizes over the whole range and 80 more around the best of them."""
    prices = read_prices(priced_symbols(job), ground.book, ground.world)
    sized = job.with_blind("size", WETH)
    amounts = known_amounts(sized)
    loans = next(attempts(sized, candidates(sized, amounts, ground.world, prices, 0), amounts))

    def gain(size: int) -> int:
        try:
            return quote_deltas(job.with_blind("size", size), loans, ground.world)["WETH"]
        except Denied:
            return -1

    sizes = [int(LOW * (HIGH / LOW) ** (step / 160)) for step in range(161)]
    best = max(sizes, key=gain)
    around = [min(max(best * (1_000 + step) // 1_000, LOW), HIGH) for step in range(-40, 41)]
    return max(gain(size) for size in (*around, best))


@pytest.mark.parametrize(
    ("template", "token_in", "amount", "token_out"),
    [
        ("flash-arb", "USDC", 30_000 * USDC, "WETH"),
        ("flash-arb", "USDC", 250_000 * USDC, "WETH"),
        ("flash-arb-reverse", "WETH", 60 * WETH, "USDC"),
    ],
)
def test_the_search_finds_what_brute_force_finds(
    ground: Ground, template: str, token_in: str, amount: int, token_out: str
) -> None:
    ground.push_v2(token_in, amount, token_out)
    job = ground.shipped(template)
    found = search_size(job, ground.world)
    assert found.best is not None
    assert found.best.gain is not None
    assert len(found.tried) <= SIMULATIONS_MAX
    assert found.best.gain * 1_000_000 >= brute_force(ground, job) * NEAR_ENOUGH_PPM
    assert search_size(job, ground.world) == found


@pytest.mark.parametrize(("own_weth", "simulations"), [(0, 3), (2 * WETH, 2)])
def test_no_gap_is_settled_by_few_simulations(ground: Ground, own_weth: int, simulations: int) -> None:
    """Without funds of its own the executor can not repay at a loss: then every size reverts."""
    ground.push_v2("WETH", 30 * WETH, "USDC")
    ground.give("WETH", own_weth)
    found = search_size(ground.shipped("flash-arb"), ground.world)
    assert (found.best, len(found.tried)) == (None, simulations)


FIXED_COST = """        - {id: spend, use: weth.withdraw, in: {amount: 0.3 WETH}}
        - id: sell
"""


def test_a_fixed_cost_does_not_hide_what_larger_sizes_gain(ground: Ground) -> None:
    """0.3 WETH leave the WETH balance whatever the size: the smallest sizes lose, larger ones gain."""
    ground.push_v2("USDC", 250_000 * USDC, "WETH")
    ground.give("WETH", 2 * WETH)
    job = ground.job(template_text("flash-arb").replace("        - id: sell\n", FIXED_COST))
    ground.allow(job)
    found = search_size(job, ground.world)
    assert found.tried[0].gain is not None
    assert found.tried[0].gain < 0
    assert found.best is not None
    assert found.best.gain is not None
    assert found.best.gain * 1_000_000 >= brute_force(ground, job) * NEAR_ENOUGH_PPM
    assert len(found.tried) <= SIMULATIONS_MAX


def test_sizes_that_all_revert_say_why(ground: Ground) -> None:
    ground.push_v2("USDC", 30_000 * USDC, "WETH")
    text = template_text("flash-arb").replace("        - id: sell\n", FIXED_COST.replace("0.3", "5000"))
    job = ground.job(text)
    ground.allow(job)
    with pytest.raises(Denied, match=r"step spend: WETH\.withdraw failed") as caught:
        search_size(job, ground.world)
    assert caught.value.reason is Reason.SIMULATION_REVERTED


def test_an_optimum_beyond_the_range_ends_at_its_edge(ground: Ground) -> None:
    ground.push_v2("USDC", 900_000 * USDC, "WETH")
    found = search_size(ground.shipped("flash-arb"), ground.world)
    assert found.best is not None
    assert found.best.size == HIGH


def test_nobody_who_lends_is_a_refusal(ground: Ground) -> None:
    world, devnet = ground.world, ground.devnet
    for symbol in ("WETH", "USDC"):
        set_flash_loans(
            world,
            devnet.aave_v3.configurator,
            devnet.token(symbol),
            enabled=False,
            admin=devnet.accounts["admin"],
        )
    set_paused(world, devnet.balancer_v2, paused=True)
    spec, lender = DevnetSpec(), devnet.accounts["lender"]
    for symbol, usd in spec.morpho_idle:
        withdraw(world, devnet.morpho_blue, devnet.token(symbol), spec.worth(symbol, usd), holder=lender)
    with pytest.raises(Denied) as caught:
        search_size(ground.shipped("flash-arb"), ground.world)
    assert caught.value.reason is Reason.FLASH_LIQUIDITY


def test_a_refusal_of_the_executor_is_no_size_that_fails(ground: Ground) -> None:
    job = dataclasses.replace(ground.shipped("flash-arb"), operator=ground.devnet.accounts["trader"])
    with pytest.raises(Denied) as caught:
        search_size(job, ground.world)
    assert caught.value.reason is Reason.ROLE_MISSING


def test_a_strategy_without_a_searched_blind_has_nothing_to_search(ground: Ground) -> None:
    with pytest.raises(ConfigError, match="leaves nothing to search"):
        search_size(ground.shipped("leverage-open"), ground.world)


def test_what_is_maximised_is_the_first_net_bound(ground: Ground) -> None:
    assert objective_of(ground.shipped("flash-arb").strategy).net_of_gas
    plain = ground.shipped("leverage-open").strategy
    assert objective_of(plain) is plain.bounds[0]
    with pytest.raises(ConfigError):
        objective_of(dataclasses.replace(plain, bounds=()))


@settings(deadline=None, derandomize=True)
@given(
    top=some.integers(LOW, 10**21),
    scale=some.integers(1, 10**6),
    wall=some.integers(1, 4),
)
def test_any_parabola_is_climbed(top: int, scale: int, wall: int) -> None:
    """gain = scale·(top² − (size − top)²), None beyond wall·top/2 + top."""

    def gain(size: int) -> int | None:
        return None if 2 * size > (wall + 2) * top else scale * size * (2 * top - size)

    found = maximise(gain, LOW, HIGH)
    assert len(found.tried) <= SIMULATIONS_MAX
    best = gain(min(top, HIGH))
    assert best is not None
    assert found.best is not None
    assert (found.best.gain or 0) * 10_000 >= best * 9_990


@settings(deadline=None, derandomize=True)
@given(depth=some.integers(10**18, 10**22), gap_bps=some.integers(1, 3_000))
def test_the_gain_between_two_constant_products_is_climbed(depth: int, gap_bps: int) -> None:
    """Sell into one pool, buy from another of the same depth whose price is ``gap_bps`` lower."""

    def gain(size: int) -> int | None:
        received = depth * (10_000 + gap_bps) * size // (10_000 * (depth + size))
        bought = depth * received // (depth + received)
        return bought - size if bought > size * 9 // 10 else None

    found = maximise(gain, depth // 10**6, depth)
    best = max(gain(depth * gap_bps * step // 40_000_000) or 0 for step in range(500, 1_100))
    if found.best is None:
        assert best <= depth // 10**6
        return
    assert len(found.tried) <= SIMULATIONS_MAX
    assert (found.best.gain or 0) * 1_000_000 >= best * NEAR_ENOUGH_PPM


@settings(deadline=None, derandomize=True)
@given(
    top=some.integers(2 * LOW, 10**21),
    scale=some.integers(1, 10**6),
    cost_ppm=some.integers(0, 999_000),
)
def test_any_parabola_less_a_fixed_cost_is_climbed(top: int, scale: int, cost_ppm: int) -> None:
    """gain = scale·size·(2·top − size) − cost, where the cost is a part of what the best size brings."""
    most = min(top, HIGH)
    brings = scale * most * (2 * top - most)
    cost = brings * cost_ppm // 1_000_000
    found = maximise(lambda size: scale * size * (2 * top - size) - cost, LOW, HIGH)
    assert len(found.tried) <= SIMULATIONS_MAX
    assert found.best is not None
    assert ((found.best.gain or 0) + cost) * 10_000 >= brings * 9_990


@settings(deadline=None, derandomize=True)
@given(top=some.integers(1, 10**21), scale=some.integers(1, 10**6), cost_ppm=some.integers(1_100_000, 10**8))
def test_a_cost_above_every_gain_finds_nothing(top: int, scale: int, cost_ppm: int) -> None:
    most = min(top, HIGH)
    cost = scale * most * (2 * top - most) * cost_ppm // 1_000_000
    found = maximise(lambda size: scale * size * (2 * top - size) - cost, LOW, HIGH)
    assert found.best is None
    assert len(found.tried) <= SIMULATIONS_MAX


@pytest.mark.parametrize(
    ("name", "gain", "simulations"),
    [
        ("it falls", lambda size: -size, 2),
        ("it does not depend on the size", lambda _: -5, 2),
        ("the line through the first two ends below zero", lambda size: size - 10**10, 2),
        ("all revert", lambda _: None, 3),
    ],
)
def test_where_there_is_nothing_few_are_tried(
    name: str, gain: Callable[[int], int | None], simulations: int
) -> None:
    found = maximise(gain, 10, 10**9)
    assert (found.best, len(found.tried)) == (None, simulations), name


@pytest.mark.parametrize("wall", [11, 10**5 + 1, 9 * 10**8])
def test_small_sizes_that_revert_do_not_hide_the_others(wall: int) -> None:
    found = maximise(lambda size: size * (4 * 10**9 - size) if size >= wall else None, 10, 10**9)
    assert found.best is not None
    assert found.best.size == 10**9
    assert len(found.tried) <= SIMULATIONS_MAX


def test_one_size_is_tried_once_and_bad_ranges_are_refused() -> None:
    found = maximise(lambda size: size, 7, 7)
    assert found.best is not None
    assert (found.best.size, len(found.tried)) == (7, 1)
    for low, high in ((0, 5), (6, 5)):
        with pytest.raises(ValueError, match="1 <= low <= high"):
            maximise(lambda size: size, low, high)


def test_a_straight_line_ends_at_the_top_of_the_range() -> None:
    found = maximise(lambda size: 3 * size, 10, 10**9)
    assert found.best is not None
    assert found.best.size == 10**9


def test_a_gain_that_does_not_depend_on_the_size_takes_the_smallest() -> None:
    found = maximise(lambda _: 5, 10, 10**9)
    assert found.best is not None
    assert found.best.size == 10
    assert len(found.tried) <= SIMULATIONS_MAX
