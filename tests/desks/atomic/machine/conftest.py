"""The devnet with an executor that may run every shipped strategy, in the fast world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from tidegate.app.devnet import Devnet, act_as_owner, address_book, build_devnet, change_executor
from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic import TEMPLATES, Assignment, complete_blinds, parse_strategy, strategy_policy
from tidegate.desks.atomic import template_text as shipped_text
from tidegate.model import Address, Intent, Plan, sha256_hex
from tidegate.pipeline import Rehearsal
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues import NATIVE, AddressBook
from tidegate.venues.executor import (
    CHANGES_MAX,
    Change,
    ChangeKind,
    ExecutorError,
    decode_error,
    encode_tighten,
    merge_policies,
)

FAR_DEADLINE_S = 2**40 - 1
FIRST = ("flash-arb", "flash-arb-reverse", "leverage-open", "leverage-close")
"""Strategies whose lenders and functions some tests count."""


@dataclass(frozen=True)
class Ground:
    """What a test stands on. The world is as it was built at the start of each test."""

    world: FastWorld
    devnet: Devnet
    book: AddressBook

    @property
    def executor(self) -> Address:
        return self.devnet.executor

    @property
    def operator(self) -> Address:
        return self.devnet.accounts["operator"]

    def job(self, text: str, **blinds: int | str) -> Assignment:
        """A strategy's text as an assignment; blinds that are not given take defaults, or are searched."""
        decimals = {name: token.decimals for name, token in self.book.tokens.items()} | {NATIVE: 18}
        strategy = parse_strategy(text.encode(), "strategy.yaml", {self.book.chain: decimals})
        return Assignment(strategy, self.book, self.operator, complete_blinds(strategy, blinds))

    def shipped(self, template: str, **blinds: int) -> Assignment:
        return self.job(shipped_text(template), **blinds)

    def allow(self, *jobs: Assignment) -> None:
        """Give the executor the smallest policy for these strategies."""
        changes = merge_policies(*(strategy_policy(job, self.world) for job in jobs))
        change_executor(self.world, self.devnet, changes)

    def allow_no_more_than(self, *templates: str) -> None:
        """Take back at once what the other shipped strategies alone need."""
        kept = {change.key for change in self._needed(templates)}
        spare = [change for change in self._needed(TEMPLATES) if change.key not in kept]
        gone = [change.removed() for change in spare if change.kind is not ChangeKind.CAP]
        for start in range(0, len(gone), CHANGES_MAX):
            act_as_owner(
                self.world, self.devnet, self.executor, encode_tighten(gone[start : start + CHANGES_MAX])
            )

    def _needed(self, templates: Iterable[str]) -> tuple[Change, ...]:
        return merge_policies(*(strategy_policy(self.shipped(name), self.world) for name in templates))

    def balance(self, symbol: str, holder: Address | None = None) -> int:
        data = encode_call("balanceOf(address)", holder or self.executor)
        return int(decode_output(("uint256",), self.world.call(self.devnet.token(symbol), data))[0])

    def holds(self, symbol: str) -> int:
        """What the executor holds of a token, or of ETH."""
        return self.world.balance(self.executor) if symbol == "ETH" else self.balance(symbol)

    def give(self, symbol: str, amount: int) -> None:
        """Put tokens into the executor."""
        data = encode_call("transfer(address,uint256)", self.executor, amount)
        self.world.transact(self.devnet.token(symbol), data, sender=self.devnet.accounts["trader"])

    def push_v2(self, token_in: str, amount: int, token_out: str) -> None:
        """Move the price of the v2 pair by a trade."""
        trader = self.devnet.accounts["trader"]
        data = encode_call(
            "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
            amount,
            0,
            [self.devnet.token(token_in), self.devnet.token(token_out)],
            trader,
            FAR_DEADLINE_S,
        )
        self.world.transact(self.devnet.uniswap_v2.router, data, sender=trader)

    def measure(self, plan: Plan) -> int:
        """Gas of a plan in the fast world: no true figure, but one that tests can plan with."""
        with self.world.snapshot():
            receipt = self.world.transact(plan.to, plan.data, sender=self.operator, gas_limit=plan.gas_limit)
        return receipt.gas_used

    def revert_of(self, plan: Plan) -> ExecutorError:
        """Why the plan reverts; it must."""
        with pytest.raises(WorldReverted) as caught:
            self.world.transact(plan.to, plan.data, sender=self.operator)
        return decode_error(caught.value.data, plan)

    async def rehearse(self, plan: Plan) -> Rehearsal:
        block = self.world.block().number
        with self.world.snapshot():
            try:
                receipt = self.world.transact(plan.to, plan.data, sender=self.operator)
            except WorldReverted as error:
                return Rehearsal(block, False, 0, 0, (), error.data)
        gas = receipt.gas_used
        return Rehearsal(block, True, gas, gas, receipt.logs, receipt.output)

    def intent(self, job: Assignment) -> Intent:
        block = self.world.block()
        deadline_s = block.timestamp + job.strategy.deadline_s
        identity = sha256_hex(f"{job.strategy.name} {block.number}".encode())
        return Intent(identity, "atomic", self.book.chain_id, job.strategy.name, "test", deadline_s, 0, {})


@pytest.fixture(scope="session")
def _built() -> Ground:
    world = FastWorld()
    devnet = build_devnet(world)
    ground = Ground(world, devnet, address_book(devnet, world))
    ground.allow(*(ground.shipped(template) for template in TEMPLATES))
    return ground


@pytest.fixture
def ground(_built: Ground) -> Iterator[Ground]:
    with _built.world.snapshot():
        yield _built
