"""What may be called, and under which argument rules, on the devnet's own book."""

from __future__ import annotations

from tidegate.app.devnet import Devnet, address_book
from tidegate.chain import selector
from tidegate.sim import FastWorld
from tidegate.venues import catalogue, permissions


def test_adapters_answer_for_their_contracts_and_tokens_only(world: FastWorld, devnet: Devnet) -> None:
    of = permissions(address_book(devnet, world))
    swap = catalogue()["uniswap_v3.exact_input_single"]
    assert of(devnet.uniswap_v3.router02, swap.selector) == swap.permission
    assert of(devnet.uniswap_v3.router, swap.selector) is None
    for token in devnet.tokens.values():
        assert of(token.address, selector("transfer(address,uint256)")) is not None
        assert of(token.address, selector("transferFrom(address,address,uint256)")) is None
    assert of(devnet.uniswap_v3.router02, selector("transfer(address,uint256)")) is None


def test_the_lens_is_read_and_never_called(world: FastWorld, devnet: Devnet) -> None:
    read = permissions(address_book(devnet, world))(
        devnet.guard_lens, selector("health_factor(address,address)")
    )
    assert read is not None
    assert (read.read, read.call, read.rules) == (True, False, ())
