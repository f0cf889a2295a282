from __future__ import annotations

import pytest

from tidegate.app.devnet import Devnet
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.calls import read
from tidegate.venues.erc3156 import list_token
from tidegate.venues.tokens import balance_of


def test_it_lends_what_the_spec_says(world: FastWorld, devnet: Devnet) -> None:
    dai, lender = devnet.token("DAI"), devnet.erc3156_lender
    assert read(world, lender, "maxFlashLoan(address)(uint256)", dai) == 50_000_000 * 10**18
    assert balance_of(world, dai, lender) == 50_000_000 * 10**18
    assert read(world, lender, "flashFee(address,uint256)(uint256)", dai, 10**24) == 0


def test_a_token_that_is_not_listed_is_not_lent(world: FastWorld, devnet: Devnet) -> None:
    usdc, lender = devnet.token("USDC"), devnet.erc3156_lender
    assert read(world, lender, "maxFlashLoan(address)(uint256)", usdc) == 0
    with pytest.raises(WorldReverted, match="erc3156_lender: token not lent"):
        read(world, lender, "flashFee(address,uint256)(uint256)", usdc, 1)


def test_its_owner_lists_tokens_and_sets_fees(world: FastWorld, devnet: Devnet) -> None:
    usdc, lender = devnet.token("USDC"), devnet.erc3156_lender
    with pytest.raises(WorldReverted, match="erc3156_lender: not the owner"):
        list_token(world, lender, usdc, fee_bps=9, owner=devnet.accounts["trader"])
    list_token(world, lender, usdc, fee_bps=9, owner=devnet.accounts["admin"])
    assert read(world, lender, "flashFee(address,uint256)(uint256)", usdc, 10_001) == 10  # rounded up
