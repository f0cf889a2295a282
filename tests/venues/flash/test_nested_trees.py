"""P13 on the node: random trees of loans from every kind of lender, as they are and as they may not be.

A tree is what a program may do: loans inside each other up to four deep, several after each other, the
same lender twice. Whether it runs is known beforehand: a Uniswap v3 pool and Balancer's vault are locked
while they lend. What it costs is the sum of what each lender takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from tidegate.app.devnet import Devnet, address_book, change_executor, start_devnet
from tidegate.model import Address
from tidegate.sim import ExactWorld, WorldReverted
from tidegate.venues.calls import read
from tidegate.venues.erc3156 import list_token
from tidegate.venues.executor import (
    Change,
    Flash,
    Line,
    Load,
    Op,
    Program,
    assemble,
    encode_execute,
)
from tidegate.venues.flash import LOCKED_WHILE_LENDING, Lender, lenders_of
from tidegate.venues.tokens import balance_of, mint, transfer

USDC = 10**6
FUNDS = 1_000_000 * USDC
DEEPEST = 4
LEGS = 8
"""A program has a tag for each operation; more loans than this say nothing new."""

NAMES = (
    "aave_v3.pool",
    "balancer_v2.vault",
    "erc3156.lender",
    "morpho_blue.morpho",
    "uniswap_v3.pool.500",
    "uniswap_v3.pool.3000",
)


@dataclass(frozen=True)
class Tree:
    """A loan of ``amount`` base units of USDC, with the loans that are taken while it is open."""

    lender: str
    amount: int
    inside: tuple[Tree, ...] = field(default=())

    def walk(self, around: tuple[str, ...] = ()) -> Iterator[tuple[Tree, tuple[str, ...]]]:
        """Yield every loan with the lenders of those around it."""
        yield self, around
        for tree in self.inside:
            yield from tree.walk((*around, self.lender))


def trees(depth: int) -> some.SearchStrategy[Tree]:
    inside = some.lists(trees(depth - 1), max_size=2).map(tuple) if depth > 1 else some.just(())
    return some.builds(Tree, some.sampled_from(NAMES), some.integers(1, 50_000 * USDC), inside)


@dataclass(frozen=True)
class Bank:
    """A node whose executor may borrow USDC from one lender of each kind, and from two pools."""

    world: ExactWorld
    devnet: Devnet
    lenders: dict[str, Lender]

    @property
    def usdc(self) -> Address:
        return self.devnet.token("USDC")

    def program(self, forest: tuple[Tree, ...], costs: int) -> bytes:
        tags = count()
        ops = tuple(op for tree in forest for op in self._ops(tree, tags, 0))
        return assemble(
            Program(
                chain_id=self.world.chain_id,
                deadline=2**40 - 1,
                max_base_fee=2**48 - 1,
                registers=DEEPEST,
                lines=(Line(self.usdc, -costs),),
                ops=ops,
            )
        )

    def _ops(self, tree: Tree, tags: Iterator[int], depth: int) -> tuple[Op, Op]:
        lender = self.lenders[tree.lender]
        load = Load.literal(next(tags), depth, tree.amount)
        tag = next(tags)
        inside = tuple(op for inner in tree.inside for op in self._ops(inner, tags, depth + 1))
        loan = Flash(
            tag,
            lender.kind,
            lender.address,
            self.usdc,
            depth,
            inside,
            side=lender.side(self.usdc),
            max_fee=lender.fee(self.usdc, tree.amount, self.world),
        )
        return load, loan

    def runs(self, forest: tuple[Tree, ...]) -> bool:
        """Say whether every lender of a forest is free when it is asked."""
        return not any(
            tree.lender in around and self.lenders[tree.lender].kind in LOCKED_WHILE_LENDING
            for root in forest
            for tree, around in root.walk()
        )

    def costs(self, forest: tuple[Tree, ...]) -> int:
        return sum(
            self.lenders[tree.lender].fee(self.usdc, tree.amount, self.world)
            for root in forest
            for tree, _ in root.walk()
        )


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    world, devnet = start_devnet(block_time_s=1)
    with world:
        usdc, admin = devnet.token("USDC"), devnet.accounts["admin"]
        every = {lender.name: lender for lender in lenders_of(address_book(devnet, world))}
        pools = {fee: devnet.pool("WETH", "USDC", fee).address for fee in (500, 3_000)}
        by_address = {lender.address: lender for lender in every.values()}
        lenders = {name: every[name] for name in NAMES if name in every}
        lenders |= {f"uniswap_v3.pool.{fee}": by_address[pool] for fee, pool in pools.items()}
        assert set(lenders) == set(NAMES)
        list_token(world, devnet.erc3156_lender, usdc, fee_bps=9, owner=admin)
        transfer(world, usdc, devnet.erc3156_lender, FUNDS, holder=devnet.accounts["trader"])
        mint(world, devnet.tokens["USDC"], devnet.executor, FUNDS)
        allowed = [Change.lender(lender.address, lender.kind) for lender in lenders.values()]
        change_executor(world, devnet, allowed)
        yield Bank(world, devnet, lenders)


def check(bank: Bank, forest: tuple[Tree, ...]) -> None:
    """Run a forest in a transaction; it costs what was foretold, or changes nothing."""
    operator, executor = bank.devnet.accounts["operator"], bank.devnet.executor
    before, costs = balance_of(bank.world, bank.usdc, executor), bank.costs(forest)
    data = encode_execute(bank.program(forest, costs))
    loans = [tree for root in forest for tree, _ in root.walk()]
    with bank.world.snapshot():
        if not bank.runs(forest):
            with pytest.raises(WorldReverted):
                bank.world.transact(executor, data, sender=operator)
            assert balance_of(bank.world, bank.usdc, executor) == before
            return
        bank.world.transact(executor, data, sender=operator)
        paid = before - balance_of(bank.world, bank.usdc, executor)
        rounding = sum(tree.lender == "aave_v3.pool" for tree in loans)  # 3.0 rounds half up, we up
        assert costs - rounding <= paid <= costs
        for name in {tree.lender for tree in loans}:
            left = ("allowance(address,address)(uint256)", executor, bank.lenders[name].address)
            assert read(bank.world, bank.usdc, *left) == 0


AAVE, VAULT = Tree("aave_v3.pool", 7), Tree("balancer_v2.vault", 7)
DEEP = Tree("erc3156.lender", 5, (Tree("morpho_blue.morpho", 3, (Tree("aave_v3.pool", 9, (AAVE, VAULT)),)),))


def forests() -> some.SearchStrategy[tuple[Tree, ...]]:
    def is_small(forest: tuple[Tree, ...]) -> bool:
        return sum(1 for root in forest for _ in root.walk()) <= LEGS

    return some.lists(trees(DEEPEST), min_size=1, max_size=2).map(tuple).filter(is_small)


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow]


@settings(max_examples=12, suppress_health_check=QUIET)
@example((DEEP,))
@example((Tree("balancer_v2.vault", 5, (VAULT,)),))
@example((VAULT, VAULT))
@example((Tree("uniswap_v3.pool.500", 5, (Tree("uniswap_v3.pool.3000", 5),)),))
@example((Tree("uniswap_v3.pool.500", 5, (AAVE, Tree("uniswap_v3.pool.500", 5))),))
@example((Tree("morpho_blue.morpho", 5, (Tree("morpho_blue.morpho", 5),)), AAVE))
@given(forests())
def test_p13_a_random_tree_of_loans_costs_the_sum_of_its_fees_or_changes_nothing(
    bank: Bank, forest: tuple[Tree, ...]
) -> None:
    check(bank, forest)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=QUIET)
@given(forests())
def test_p13_random_trees_in_depth(bank: Bank, forest: tuple[Tree, ...]) -> None:
    check(bank, forest)


@pytest.mark.parametrize("outer", NAMES)
def test_p13_a_lender_inside_itself_runs_unless_it_is_locked(bank: Bank, outer: str) -> None:
    forest = (Tree(outer, 1_000, (Tree(outer, 2_000),)),)
    assert bank.runs(forest) is (bank.lenders[outer].kind not in LOCKED_WHILE_LENDING)
    check(bank, forest)
