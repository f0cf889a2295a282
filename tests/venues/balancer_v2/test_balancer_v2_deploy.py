"""Balancer v2 on its own bytecode: the vault's pool, its fee, its pause, and what it refuses."""

from __future__ import annotations

import pytest

from tidegate.app.devnet import Devnet, DevnetSpec, address_book
from tidegate.chain import encode_call
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues import balancer_v2, glossary_of
from tidegate.venues.balancer_v2 import create_pool, join_pool, set_flash_fee, set_paused
from tidegate.venues.calls import read, send
from tidegate.venues.tokens import approve, balance_of

FLASH_LOAN = "flashLoan(address,address[],uint256[],bytes)"


def test_the_vault_holds_the_pool_of_the_spec(world: FastWorld, devnet: Devnet) -> None:
    venue, (pool,), (item,) = devnet.balancer_v2, devnet.balancer_pools, DevnetSpec().balancer_pools
    kinds = "(address[],uint256[],uint256)"
    tokens, balances, _ = read(world, venue.vault, f"getPoolTokens(bytes32){kinds}", pool.pool_id)
    assert tuple(tokens) == pool.tokens
    expected = {devnet.token(symbol): DevnetSpec().worth(symbol, item.side_usd) for symbol in item.tokens}
    assert dict(zip(tokens, balances, strict=True)) == expected
    for token, amount in expected.items():
        assert balance_of(world, token, venue.vault) == amount
    assert read(world, venue.vault, "WETH()(address)") == devnet.weth
    assert read(world, pool.address, "getSwapFeePercentage()(uint256)") == item.swap_fee_bps * 10**14


def test_a_pool_of_three_has_weights_that_add_up(world: FastWorld, devnet: Devnet) -> None:
    """A third of 10¹⁸ leaves a rest of one: the first token has it."""
    venue, provider = devnet.balancer_v2, devnet.accounts["provider"]
    tokens = [devnet.token(symbol) for symbol in ("WETH", "USDC", "DAI")]
    pool = create_pool(world, venue, tokens, swap_fee_e18=10**15, sender=provider)
    weights = read(world, pool.address, "getNormalizedWeights()(uint256[])")
    assert sum(weights) == 10**18
    assert max(weights) - min(weights) == 1
    amounts = dict.fromkeys(tokens, 10**9)
    for token in tokens:
        approve(world, token, venue.vault, 10**9, holder=provider)
    join_pool(world, venue, pool, amounts, provider=provider)
    with pytest.raises(WorldReverted):
        join_pool(world, venue, pool, amounts, provider=provider)


@pytest.mark.parametrize("count", [0, 1])
def test_a_pool_needs_two_tokens(world: FastWorld, devnet: Devnet, count: int) -> None:
    with pytest.raises(WorldReverted, match="BAL#"):
        create_pool(
            world,
            devnet.balancer_v2,
            [devnet.weth][:count],
            swap_fee_e18=10**15,
            sender=devnet.accounts["provider"],
        )


def test_its_fee_is_at_most_one_percent_and_its_admins_to_set(world: FastWorld, devnet: Devnet) -> None:
    venue = devnet.balancer_v2
    fee = (venue.fees_collector, "getFlashLoanFeePercentage()(uint256)")
    assert read(world, *fee) == 0
    set_flash_fee(world, venue, 10**16)
    assert read(world, *fee) == 10**16
    with pytest.raises(WorldReverted, match="BAL#601"):
        set_flash_fee(world, venue, 10**16 + 1)
    data = encode_call("setFlashLoanFeePercentage(uint256)", 0)
    with pytest.raises(WorldReverted, match="BAL#401"):
        world.transact(venue.fees_collector, data, sender=devnet.accounts["trader"])


def test_paused_it_lends_nothing_and_then_again(world: FastWorld, devnet: Devnet) -> None:
    venue, trader = devnet.balancer_v2, devnet.accounts["trader"]
    loan = (venue.vault, FLASH_LOAN, trader, [devnet.weth], [10**18], b"")
    set_paused(world, venue, paused=True)
    with pytest.raises(WorldReverted, match="BAL#402"):
        send(world, *loan, sender=trader)
    set_paused(world, venue, paused=False)
    with pytest.raises(WorldReverted, match="without data"):
        send(world, *loan, sender=trader)  # lent: but the borrower has no code to answer
    assert balancer_v2.ERROR_MEANINGS["BAL#402"] == "the vault is paused"


@pytest.mark.parametrize(
    ("symbols", "amount", "code"),
    [(("USDC",), 10**30, "BAL#528"), (("WETH", "WETH"), 1, "BAL#102")],
)
def test_what_it_refuses_has_words(
    world: FastWorld, devnet: Devnet, symbols: tuple[str, ...], amount: int, code: str
) -> None:
    venue, trader = devnet.balancer_v2, devnet.accounts["trader"]
    tokens = [devnet.token(symbol) for symbol in symbols]
    with pytest.raises(WorldReverted, match=code):
        send(world, venue.vault, FLASH_LOAN, trader, tokens, [amount] * len(tokens), b"", sender=trader)
    names = glossary_of(address_book(devnet, world)).reasons[venue.vault]
    assert names == balancer_v2.ERROR_MEANINGS
    assert names[code]
