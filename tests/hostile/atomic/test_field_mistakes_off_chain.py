"""Mistakes seen in the field (specification, section 17) that are made, and stopped, off the chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.contracts.record import recorded_gas
from tests.desks.atomic.language.samples import ARB, changed, findings
from tests.desks.atomic.language.test_rules import GROUPED, READS_HOP, SKIP, group
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import House
from tests.risk.guards.conftest import NOW_S, make_context
from tests.risk.guards.test_oracle_sanity import PRICES, round_of

from tidegate.app.devnet import address_book, build_devnet
from tidegate.desks.atomic.language.schema import MAXIMUM_GAS
from tidegate.desks.atomic.machine.planner import most_gas
from tidegate.model import Block, Placement
from tidegate.risk.guards import Read, find_guard, judge
from tidegate.sim import FastWorld
from tidegate.venues.chainlink import LATEST_ROUND
from tidegate.venues.executor import FlashKind, Load, TokenPrice, assemble
from tidegate.venues.flash import LoanPrices, choose, lenders_of

WETH_PRICE = TokenPrice(3_000 * 10**8, 18)
STORED_WORD_GAS = 25_000
"""What a word cost through storage in the field, at its cheapest."""


def codes(text: str, folder: Path) -> set[str]:
    return {finding.code for finding in findings(text, folder)}


@attack(
    "F2",
    "write a skip outside an optional group, or use what a skipped step would give",
    stops="ATM108, ATM109",
)
def test_a_skip_that_starves_later_steps_is_no_strategy(tmp_path: Path) -> None:
    assert codes(changed(ARB, ("on_failure: revert", "on_failure: skip")), tmp_path) == {"ATM108"}
    assert "ATM109" in codes(GROUPED + changed(group(True, SKIP), READS_HOP), tmp_path)
    assert codes(GROUPED + group(True, SKIP), tmp_path) == codes(GROUPED + group(False), tmp_path)


@attack("F13", "take the dearest lenders away, one after the other", stops="the chooser offers the next")
def test_no_lender_is_the_only_one() -> None:
    world = FastWorld()
    devnet = build_devnet(world)
    prices = LoanPrices(asset=WETH_PRICE, native=WETH_PRICE, gas_price_wei=20 * 10**9)
    known, gone, kinds = lenders_of(address_book(devnet, world)), [], []
    while quotes := choose(devnet.weth, 10**18, world, exclude=gone, lenders=known, prices=prices):
        assert not {quote.lender for quote in quotes} & set(gone)
        gone.append(quotes[0].lender)
        kinds.append(quotes[0].kind)
    assert len(set(kinds)) > 1
    assert len(gone) > 2


@attack("F18", "plan a swap that takes any price", stops="ATM106; ATM101: no plan has no tolerance")
def test_a_quote_without_tolerance_can_not_be_executed(tmp_path: Path) -> None:
    assert "ATM106" in codes(changed(ARB, ("slippage: 30 bps", "slippage: 0 bps")), tmp_path)
    assert "ATM101" in codes(changed(ARB, ("          slippage: 30 bps\n", "")), tmp_path)


@attack("F21", "let one feed be as old as another may be", stops="guard oracle_sanity: feed_stale")
@pytest.mark.parametrize(("stale", "passed"), [("feed.ETH/USD", False), ("feed.USDC/USD", True)])
def test_each_feed_has_a_heartbeat_of_its_own(stale: str, passed: bool) -> None:
    """5,000 s old: too old for a feed of one hour, young for a feed of one day."""
    context = make_context()
    answers = {
        Read(context.book.entry(name).address, LATEST_ROUND): round_of(
            price, NOW_S - (5_000 if name == stale else 0)
        )
        for name, price in PRICES.items()
    }
    given = {"pair": "WETH/USDC", "max_deviation": 100}
    result = judge(
        find_guard("oracle_sanity"), Placement.PRE, replace(context, answers=answers, parameters=given)
    )
    assert result.passed is passed
    assert passed or result.code == "feed_stale"


@attack("F23", "make a program pay storage prices for a piped word", stops="the gas snapshot, held at +3 %")
def test_a_piped_word_costs_a_register_and_a_patch() -> None:
    gas = recorded_gas().figures
    assert (gas["step_capture"] + gas["step_patch"]) * 10 < STORED_WORD_GAS


@attack("F24", "use a loan's funds in a step behind its block")
def test_a_step_behind_the_block_runs_after_the_repayment(house: House) -> None:
    inside = house.loan(1, FlashKind.MORPHO_BLUE, *house.pull(2, house.a, 100, register=1))
    behind = house.loan(1, FlashKind.MORPHO_BLUE)
    house.mint(house.a, 99)
    for ops in ((inside,), (behind, *house.pull(2, house.a, 100, register=1))):
        error = house.refusal(assemble(house.program(Load.literal(0, 0, 1_000), *ops)))
        assert error.root.meaning != ""
    house.mint(house.a, 1)
    program = house.program(Load.literal(0, 0, 1_000), behind, *house.pull(2, house.a, 100, register=1))
    assert house.refusal(program).revert.name == "DeltaTooLow"  # it was the executor's own that left


@attack("F25", "ask for the block's whole gas", stops="the smaller of cap and four fifths of the block")
@pytest.mark.parametrize(
    ("block_gas", "most"), [(60_000_000, 2**24), (30_000_000, 2**24), (15_000_000, 12_000_000)]
)
def test_the_gas_limit_knows_the_transactions_own_cap(block_gas: int, most: int) -> None:
    block = Block(number=1, timestamp=1, base_fee_wei=0, gas_limit=block_gas)
    assert most_gas(10**9, block) == most <= MAXIMUM_GAS
