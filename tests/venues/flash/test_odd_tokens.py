"""P14 on canonical lenders: Morpho Blue and Balancer v2 lend any token, also those that keep no standard."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.hostile.atomic.house import CONTRACTS, QUIRKS

from tidegate.app.devnet import Devnet, change_executor
from tidegate.chain import decode_output, encode_call
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import FastWorld, WorldReverted, compile_contract
from tidegate.venues.calls import create, send
from tidegate.venues.executor import (
    Change,
    ExecutorError,
    Flash,
    FlashKind,
    Line,
    Load,
    Program,
    assemble,
    decode_error,
    encode_execute,
)

AMOUNT, FUNDS, MAY_LOSE = 10_000, 1_000, 500
KINDS = (FlashKind.MORPHO_BLUE, FlashKind.BALANCER_V2)


@dataclass(frozen=True)
class Odd:
    """A token with a quirk, which both lenders hold and the executor has some of."""

    world: FastWorld
    devnet: Devnet
    token: Address

    def lender(self, kind: FlashKind) -> Address:
        devnet = self.devnet
        return devnet.morpho_blue.morpho if kind is FlashKind.MORPHO_BLUE else devnet.balancer_v2.vault

    def number(self, signature: str, *accounts: Address) -> int:
        answer = self.world.call(self.token, encode_call(signature, *accounts))
        return int(decode_output(("uint256",), answer)[0])

    def borrow(self, kind: FlashKind) -> int:
        """Borrow and repay; return how the executor's balance changed."""
        executor = self.devnet.executor
        program = Program(
            chain_id=self.world.chain_id,
            deadline=2**40 - 1,
            max_base_fee=2**48 - 1,
            registers=1,
            lines=(Line(self.token, -MAY_LOSE),),
            ops=(Load.literal(0, 0, AMOUNT), Flash(1, kind, self.lender(kind), self.token, 0, ())),
        )
        before = self.number("balanceOf(address)", executor)
        data = encode_execute(assemble(program))
        self.world.transact(executor, data, sender=self.devnet.accounts["operator"])
        assert self.number("allowance(address,address)", executor, self.lender(kind)) == 0
        return self.number("balanceOf(address)", executor) - before

    def refusal(self, kind: FlashKind) -> ExecutorError:
        """Borrow what can not be repaid by the rules; nothing has changed after it."""
        held = self.number("balanceOf(address)", self.devnet.executor)
        with pytest.raises(WorldReverted) as caught:
            self.borrow(kind)
        assert self.number("balanceOf(address)", self.devnet.executor) == held
        return decode_error(caught.value.data)


@pytest.fixture
def odd(world: FastWorld, devnet: Devnet, request: pytest.FixtureRequest) -> Odd:
    trader = devnet.accounts["trader"]
    token = create(world, compile_contract(CONTRACTS / "token.vy"), sender=trader)
    found = Odd(world, devnet, token)
    change_executor(world, devnet, [Change.lender(found.lender(kind), kind) for kind in KINDS])
    holders = {found.lender(kind): 100 * AMOUNT for kind in KINDS} | {devnet.executor: FUNDS}
    for holder, amount in holders.items():
        send(world, token, "mint(address,uint256)", holder, amount, sender=trader)
    quirk = QUIRKS.index(request.param)
    send(world, token, "set_quirk(uint256,address)", quirk, ZERO_ADDRESS, sender=trader)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", ["honest", "silent", "race"], indirect=True)
def test_p14_a_token_that_is_honest_silent_or_wary_of_approvals_is_lent(odd: Odd, kind: FlashKind) -> None:
    assert odd.borrow(kind) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", ["answers_false"], indirect=True)
def test_p14_a_token_that_answers_false_is_not(odd: Odd, kind: FlashKind) -> None:
    meaning = odd.refusal(kind).meaning
    assert ("transfer returned false" in meaning) if kind is FlashKind.MORPHO_BLUE else ("BAL#" in meaning)


@pytest.mark.parametrize("odd", ["fee"], indirect=True)
def test_p14_a_token_that_takes_a_fee_costs_what_the_line_allows_or_is_not_repaid(odd: Odd) -> None:
    """Morpho pulls what it lent, whatever arrived: the line counts. Balancer sees that less came back."""
    assert odd.borrow(FlashKind.MORPHO_BLUE) == -AMOUNT // 100
    assert "BAL#515" in odd.refusal(FlashKind.BALANCER_V2).meaning
