"""Fees as they are taken: a loan through the executor from each kind of lender, against what we foretold."""

from __future__ import annotations

import pytest

from tidegate.app.devnet import Devnet, address_book, change_executor
from tidegate.chain import encode_call
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.erc3156 import list_token
from tidegate.venues.executor import (
    Change,
    Flash,
    Line,
    Load,
    Program,
    assemble,
    decode_error,
    decode_simulated,
    encode_simulate,
)
from tidegate.venues.flash import Lender, is_allowed, lenders_of

AMOUNT = 12_345_678_901_234_567


def borrow(world: FastWorld, devnet: Devnet, lender: Lender, amount: int, max_fee: int) -> tuple[int, int]:
    """Borrow and repay WETH, nothing else; return the change of balance and amount + fee."""
    program = Program(
        chain_id=world.chain_id,
        deadline=2**40 - 1,
        max_base_fee=2**48 - 1,
        registers=2,
        lines=(Line(devnet.weth, -(2**255)),),
        ops=(
            Load.literal(0, 0, amount),
            Flash(1, lender.kind, lender.address, devnet.weth, 0, (), 1, lender.side(devnet.weth), max_fee),
        ),
    )
    with pytest.raises(WorldReverted) as caught:
        world.call(devnet.executor, encode_simulate(assemble(program)), sender=devnet.accounts["operator"])
    simulated = decode_simulated(caught.value.data)
    if simulated is None:
        raise caught.value
    return simulated.deltas[0], simulated.registers[1]


@pytest.mark.parametrize("name", ["aave_v3.pool", "erc3156.lender", "uniswap_v3.pool"])
def test_the_fee_taken_is_never_more_than_foretold(world: FastWorld, devnet: Devnet, name: str) -> None:
    _lend_weth_by_the_standard(world, devnet)
    lender = next(
        item
        for item in lenders_of(address_book(devnet, world))
        if item.name.startswith(name) and item.liquidity(devnet.weth, world) > AMOUNT
    )
    assert not is_allowed(devnet.executor, lender, world)
    change_executor(world, devnet, [Change.lender(lender.address, lender.kind)])
    assert is_allowed(devnet.executor, lender, world)
    own = encode_call("transfer(address,uint256)", devnet.executor, AMOUNT)
    world.transact(devnet.weth, own, sender=devnet.accounts["trader"])
    fee = lender.fee(devnet.weth, AMOUNT, world)
    delta, repaid = borrow(world, devnet, lender, AMOUNT, fee)
    assert delta == AMOUNT - repaid
    assert 0 <= fee - (repaid - AMOUNT) <= 1, "Aave 3.0 rounds half up, all others as we do"
    with pytest.raises(WorldReverted) as caught:
        borrow(world, devnet, lender, AMOUNT, fee - 2)
    assert decode_error(caught.value.data).root.revert.name == "FeeTooHigh"


def _lend_weth_by_the_standard(world: FastWorld, devnet: Devnet) -> None:
    """Give the ERC-3156 lender WETH to lend for 9 bps."""
    lender, admin, trader = devnet.erc3156_lender, devnet.accounts["admin"], devnet.accounts["trader"]
    list_token(world, lender, devnet.weth, fee_bps=9, owner=admin)
    given = encode_call("transfer(address,uint256)", lender, 2 * AMOUNT)
    world.transact(devnet.weth, given, sender=trader)
