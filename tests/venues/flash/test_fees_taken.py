"""P16 for the lenders: each kind on its canonical bytecode (ERC-3156: our double) as we foretell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tidegate.app.devnet import Devnet, address_book, change_executor
from tidegate.chain import encode_call
from tidegate.model import Address
from tidegate.sim import FastWorld, WorldReverted, compile_contract
from tidegate.venues.balancer_v2 import ERROR_MEANINGS, set_flash_fee
from tidegate.venues.calls import create, read, send
from tidegate.venues.erc3156 import list_token
from tidegate.venues.executor import (
    Change,
    Flash,
    FlashKind,
    Line,
    Load,
    Program,
    assemble,
    decode_error,
    decode_simulated,
    encode_simulate,
)
from tidegate.venues.flash import Lender, is_allowed, lenders_of, refusal_of
from tidegate.venues.tokens import mint, transfer

USDC = 10**6
MOST = 400_000 * USDC
"""The largest loan that is asked for: the smallest pool of USDC has a little more."""

NAMES = ("aave_v3.pool", "balancer_v2.vault", "erc3156.lender", "morpho_blue.morpho", "uniswap_v3.pool")

FeeSetter = Callable[[FastWorld, Devnet, int], None]


@dataclass(frozen=True)
class Bank:
    """A devnet whose executor may borrow USDC from everyone, and has some of its own."""

    world: FastWorld
    devnet: Devnet
    lenders: dict[str, Lender]
    borrower: Address

    @property
    def usdc(self) -> Address:
        return self.devnet.token("USDC")

    def lender(self, name: str) -> Lender:
        return next(lender for full, lender in self.lenders.items() if full.startswith(name))

    def borrow(self, lender: Lender, amount: int, max_fee: int) -> tuple[int, int]:
        """Borrow and repay by the executor; return the change of its balance, and amount + fee."""
        program = Program(
            chain_id=self.world.chain_id,
            deadline=2**40 - 1,
            max_base_fee=2**48 - 1,
            registers=2,
            lines=(Line(self.usdc, -(2**255)),),
            ops=(
                Load.literal(0, 0, amount),
                Flash(1, lender.kind, lender.address, self.usdc, 0, (), 1, lender.side(self.usdc), max_fee),
            ),
        )
        operator = self.devnet.accounts["operator"]
        with pytest.raises(WorldReverted) as caught:
            self.world.call(self.devnet.executor, encode_simulate(assemble(program)), sender=operator)
        simulated = decode_simulated(caught.value.data)
        if simulated is None:
            raise caught.value
        return simulated.deltas[0], simulated.registers[1]

    def refusal(self, lender: Lender, amount: int, max_fee: int) -> str | None:
        return refusal_of(
            lender.kind,
            lender.address,
            self.usdc,
            amount,
            self.world,
            side=lender.side(self.usdc),
            executor=self.devnet.executor,
            operator=self.devnet.accounts["operator"],
            chain_id=self.world.chain_id,
            max_fee=max_fee,
        )

    def ask_directly(self, lender: Lender, amount: int, short: int) -> int:
        """Borrow by a contract that repays ``short`` too little; return the fee that it was told."""
        request = _request(lender, self.borrower, self.usdc, amount)
        arguments = (lender.address, request, self.usdc, amount, short)
        signature = "borrow(address,bytes,address,uint256,uint256)"
        send(self.world, self.borrower, signature, *arguments, sender=self.devnet.accounts["trader"])
        return int(read(self.world, self.borrower, "fee()(uint256)"))


def _request(lender: Lender, borrower: Address, token: Address, amount: int, payload: bytes = b"") -> bytes:
    match lender.kind:
        case FlashKind.AAVE_V3:
            signature = "flashLoanSimple(address,address,uint256,bytes,uint16)"
            return encode_call(signature, borrower, token, amount, payload, 0)
        case FlashKind.ERC3156:
            return encode_call("flashLoan(address,address,uint256,bytes)", borrower, token, amount, payload)
        case FlashKind.UNISWAP_V3:
            sides = (0, amount) if lender.side(token) else (amount, 0)
            return encode_call("flash(address,uint256,uint256,bytes)", borrower, *sides, payload)
        case FlashKind.MORPHO_BLUE:
            return encode_call("flashLoan(address,uint256,bytes)", token, amount, payload)
        case FlashKind.BALANCER_V2:
            signature = "flashLoan(address,address[],uint256[],bytes)"
            return encode_call(signature, borrower, [token], [amount], payload)


@pytest.fixture
def bank(world: FastWorld, devnet: Devnet) -> Bank:
    lenders = {lender.name: lender for lender in lenders_of(address_book(devnet, world))}
    bank = Bank(world, devnet, lenders, _borrower(world, devnet))
    list_token(world, devnet.erc3156_lender, bank.usdc, fee_bps=9, owner=devnet.accounts["admin"])
    transfer(world, bank.usdc, devnet.erc3156_lender, 2 * MOST, holder=devnet.accounts["trader"])
    assert not any(is_allowed(devnet.executor, lender, world) for lender in lenders.values())
    kinds = [bank.lender(name) for name in NAMES]
    change_executor(world, devnet, [Change.lender(lender.address, lender.kind) for lender in kinds])
    assert all(is_allowed(devnet.executor, lender, world) for lender in kinds)
    for holder in (devnet.executor, bank.borrower):
        mint(world, devnet.tokens["USDC"], holder, MOST)
    return bank


def _borrower(world: FastWorld, devnet: Devnet) -> Address:
    build = compile_contract(Path(__file__).parent / "borrower.vy")
    return create(world, build, sender=devnet.accounts["trader"])


def _set_premium(world: FastWorld, devnet: Devnet, bps: int) -> None:
    signature = "updateFlashloanPremiumTotal(uint128)"
    send(world, devnet.aave_v3.configurator, signature, bps, sender=devnet.aave_v3.admin)


def _set_standard_fee(world: FastWorld, devnet: Devnet, bps: int) -> None:
    owner = devnet.accounts["admin"]
    list_token(world, devnet.erc3156_lender, devnet.token("USDC"), fee_bps=bps, owner=owner)


def _set_vault_fee(world: FastWorld, devnet: Devnet, bps: int) -> None:
    # The vault counts in 18 decimals: an odd unit more, so that no amount divides without a rest.
    set_flash_fee(world, devnet.balancer_v2, bps * 10**14 + (1 if 0 < bps < 100 else 0))


def _no_fee(world: FastWorld, devnet: Devnet, bps: int) -> None:
    """Nobody sets it: Morpho has none, a pool's is its own."""


SETTERS: dict[str, FeeSetter] = {
    "aave_v3.pool": _set_premium,
    "balancer_v2.vault": _set_vault_fee,
    "erc3156.lender": _set_standard_fee,
    "morpho_blue.morpho": _no_fee,
    "uniswap_v3.pool": _no_fee,
}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=some.integers(1, MOST), fee_bps=some.integers(0, 100))
def test_the_fee_that_a_lender_takes_is_what_we_foretell(
    bank: Bank, name: str, amount: int, fee_bps: int
) -> None:
    """Equal to the unit; Aave 3.0 rounds half up where later versions round up: never more than foretold."""
    lender = bank.lender(name)
    with bank.world.snapshot():
        SETTERS[name](bank.world, bank.devnet, fee_bps)
        foretold = lender.fee(bank.usdc, amount, bank.world)
        delta, repaid = bank.borrow(lender, amount, foretold)
    assert delta == amount - repaid
    taken = repaid - amount
    assert taken in ((foretold, foretold - 1) if name == "aave_v3.pool" else (foretold,))


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("aave_v3.pool", "allowance"),
        ("balancer_v2.vault", "BAL#602"),
        ("erc3156.lender", "allowance"),
        ("morpho_blue.morpho", "transferFrom reverted"),
        ("uniswap_v3.pool", "F[01]"),
    ],
)
def test_one_unit_short_of_what_is_owed_reverts(bank: Bank, name: str, refusal: str) -> None:
    lender, amount = bank.lender(name), 123_456_789_013
    SETTERS[name](bank.world, bank.devnet, 7)
    fee = lender.fee(bank.usdc, amount, bank.world)
    assert fee - bank.ask_directly(lender, amount, 0) in (0, 1)
    with pytest.raises(WorldReverted, match=refusal):
        bank.ask_directly(lender, amount, 1)


def test_balancer_tells_a_missing_fee_from_a_missing_loan(bank: Bank) -> None:
    lender, amount = bank.lender("balancer_v2.vault"), 10**9
    set_flash_fee(bank.world, bank.devnet.balancer_v2, 10**15)
    with pytest.raises(WorldReverted, match="BAL#602"):
        bank.ask_directly(lender, amount, 10**6)
    with pytest.raises(WorldReverted, match="BAL#515"):
        bank.ask_directly(lender, amount, 10**6 + 1)
    assert {"BAL#602", "BAL#515"} <= set(ERROR_MEANINGS)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "morpho_blue.morpho"])
def test_a_fee_above_the_plans_is_refused_on_chain_and_told_by_the_trial(bank: Bank, name: str) -> None:
    lender, amount = bank.lender(name), 10**9
    SETTERS[name](bank.world, bank.devnet, 5)
    _, repaid = bank.borrow(lender, amount, 2**256 - 1)
    taken = repaid - amount
    assert taken > 0
    assert bank.refusal(lender, amount, taken) is None
    with pytest.raises(WorldReverted) as caught:
        bank.borrow(lender, amount, taken - 1)
    error = decode_error(caught.value.data).root.revert
    assert (error.name, dict(error.arguments)) == ("FeeTooHigh", {"fee": taken, "max": taken - 1})
    told = bank.refusal(lender, amount, taken - 1)
    assert told == f"the loan's fee is {taken}, at most {taken - 1} was planned"


@pytest.mark.parametrize("name", NAMES)
def test_the_trial_says_who_lends_and_what_the_others_answer(bank: Bank, name: str) -> None:
    """A loan of all that there is: lent, though the executor could not pay its fee; one unit more: not."""
    lender = bank.lender(name)
    has = lender.liquidity(bank.usdc, bank.world)
    fee = lender.fee(bank.usdc, has, bank.world)
    assert bank.refusal(lender, has, fee) is None
    why = bank.refusal(lender, has + 1, lender.fee(bank.usdc, has + 1, bank.world))
    assert why is not None
    assert why != ""


@pytest.mark.parametrize("name", ["aave_v3.pool", "balancer_v2.vault", "erc3156.lender"])
def test_p1_nobody_borrows_in_the_executors_name(bank: Bank, name: str) -> None:
    """These lend to whoever is named: the executor finds that it did not ask."""
    lender, executor = bank.lender(name), bank.devnet.executor
    program = assemble(Program(bank.world.chain_id, 2**40 - 1, 2**48 - 1, 0, (Line(bank.usdc, 0),), ()))
    data = _request(lender, executor, bank.usdc, 10**6, program)
    with pytest.raises(WorldReverted) as caught:
        bank.world.transact(lender.address, data, sender=bank.devnet.accounts["trader"])
    assert decode_error(caught.value.data).meaning == "atomic: bad callback"


def test_a_contract_that_is_no_lender_is_told_by_the_trial(bank: Bank) -> None:
    change_executor(bank.world, bank.devnet, [Change.lender(bank.usdc, FlashKind.ERC3156)])
    token = bank.lender("erc3156.lender")
    nobody = type(token)("nobody", bank.usdc)
    assert bank.refusal(nobody, 1, 0) is not None
