"""Morpho Blue, built from its own source: idle money goes in, is lent for a call, and comes out."""

from __future__ import annotations

import pytest

from tidegate.app.devnet import Devnet, DevnetSpec, address_book
from tidegate.model import Address
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues import glossary_of, morpho_blue
from tidegate.venues.calls import read, send
from tidegate.venues.morpho_blue import supply, withdraw
from tidegate.venues.tokens import approve, balance_of


def test_it_holds_the_idle_money_of_the_spec(world: FastWorld, devnet: Devnet) -> None:
    spec, venue = DevnetSpec(), devnet.morpho_blue
    assert read(world, venue.morpho, "owner()(address)") == venue.owner == devnet.accounts["admin"]
    for symbol, usd in spec.morpho_idle:
        assert balance_of(world, devnet.token(symbol), venue.morpho) == spec.worth(symbol, usd)
    assert set(venue.assets) == {devnet.token(symbol) for symbol, _ in spec.morpho_idle}


def test_who_supplied_takes_it_out_and_nobody_else(world: FastWorld, devnet: Devnet) -> None:
    venue, usdc, trader = devnet.morpho_blue, devnet.token("USDC"), devnet.accounts["trader"]
    before = balance_of(world, usdc, trader)
    approve(world, usdc, venue.morpho, 10**9, holder=trader)
    supply(world, venue, usdc, 10**9, holder=trader)
    assert balance_of(world, usdc, trader) == before - 10**9
    with pytest.raises(WorldReverted):
        withdraw(world, venue, usdc, 10**9 + 1, holder=trader)
    withdraw(world, venue, usdc, 10**9, holder=trader)
    assert balance_of(world, usdc, trader) == before


@pytest.mark.parametrize(
    ("token", "amount", "text"),
    [("USDC", 0, "zero assets"), ("USDC", 10**30, "transfer reverted"), ("nobody", 1, "no code")],
)
def test_what_it_refuses_has_words(
    world: FastWorld, devnet: Devnet, token: str, amount: int, text: str
) -> None:
    asset = Address("0x" + "99" * 20) if token == "nobody" else devnet.token(token)
    with pytest.raises(WorldReverted, match=text):
        send(
            world,
            devnet.morpho_blue.morpho,
            "flashLoan(address,uint256,bytes)",
            *(asset, amount, b""),
            sender=devnet.accounts["trader"],
        )
    assert morpho_blue.ERROR_MEANINGS[text]


def test_a_supply_without_an_approval_or_a_market_is_refused(world: FastWorld, devnet: Devnet) -> None:
    venue, trader = devnet.morpho_blue, devnet.accounts["trader"]
    with pytest.raises(WorldReverted, match="transferFrom reverted"):
        supply(world, venue, devnet.token("USDC"), 1, holder=trader)
    with pytest.raises(WorldReverted, match="market not created"):
        supply(world, venue, devnet.executor, 1, holder=trader)
    names = glossary_of(address_book(devnet, world)).reasons[venue.morpho]
    assert names == morpho_blue.ERROR_MEANINGS
