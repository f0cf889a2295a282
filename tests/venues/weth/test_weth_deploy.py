from __future__ import annotations

import pytest

from tidegate.app.devnet import Devnet
from tidegate.chain import encode_call
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.tokens import balance_of
from tidegate.venues.weth import wrap


def test_wrapping_turns_ether_into_as_much_weth_and_back(world: FastWorld, devnet: Devnet) -> None:
    holder = devnet.accounts["operator"]
    before = world.balance(holder)
    wrap(world, devnet.weth, 5 * 10**18, holder=holder)
    assert balance_of(world, devnet.weth, holder) == 5 * 10**18
    assert world.balance(holder) == before - 5 * 10**18
    world.transact(devnet.weth, encode_call("withdraw(uint256)", 5 * 10**18), sender=holder)
    assert (balance_of(world, devnet.weth, holder), world.balance(holder)) == (0, before)


def test_unwrapping_more_than_is_held_reverts(world: FastWorld, devnet: Devnet) -> None:
    holder = devnet.accounts["operator"]
    wrap(world, devnet.weth, 10, holder=holder)
    with pytest.raises(WorldReverted):
        world.transact(devnet.weth, encode_call("withdraw(uint256)", 11), sender=holder)
    assert balance_of(world, devnet.weth, holder) == 10
