"""Fill a devnet: accounts with tokens, pools with liquidity, the market with lenders and borrowers."""

from __future__ import annotations

from tidegate.app.devnet.devnet import Devnet
from tidegate.app.devnet.spec import BorrowerSpec, DevnetSpec
from tidegate.model import UINT256_MAX, Address, mul_div_down
from tidegate.sim import World
from tidegate.venues import morpho_blue
from tidegate.venues.aave_v3 import borrow, supply
from tidegate.venues.balancer_v2 import BalancerPool, join_pool
from tidegate.venues.balancer_v2 import create_pool as create_even_pool
from tidegate.venues.chainlink import set_answer
from tidegate.venues.erc3156 import list_token
from tidegate.venues.tokens import approve, mint, transfer
from tidegate.venues.uniswap_v2 import UniswapV2Pair, add_liquidity, create_pair
from tidegate.venues.uniswap_v3 import (
    UniswapV3Pool,
    add_range,
    create_pool,
    keep_observations,
    sqrt_price_x96,
)
from tidegate.venues.weth import wrap

FUNDED = (
    *("provider", "lender", "liquidator", "trader", "arbitrageur"),
    *(f"borrower{number}" for number in range(1, 5)),
)
"""Accounts that act on the protocols, and so hold every token."""

_FUNDS_USD = 100_000_000
"""What each of them holds of every token, in dollars: more than any pool has."""

_OBSERVATIONS = 64
_PAST_S = 1_800


def fund_account(world: World, spec: DevnetSpec, devnet: Devnet, account: Address) -> None:
    """Give ``account`` every token, and the protocols its approval of them."""
    v3 = devnet.uniswap_v3
    spenders = (
        *(devnet.uniswap_v2.router, v3.router, v3.router02, v3.position_manager),
        *(devnet.aave_v3.pool, devnet.aave_v3_prime.pool),
    )
    for symbol, token in devnet.tokens.items():
        amount = spec.worth(symbol, _FUNDS_USD)
        if token.address == devnet.weth:
            wrap(world, devnet.weth, amount, holder=account)
        else:
            mint(world, token, account, amount)
        for spender in spenders:
            approve(world, token.address, spender, UINT256_MAX, holder=account)


def seed_loans(world: World, spec: DevnetSpec, devnet: Devnet) -> None:
    """Give the ERC-3156 lender and Morpho Blue what they lend."""
    lender, admin = devnet.erc3156_lender, devnet.accounts["admin"]
    for symbol, usd, fee_bps in spec.erc3156_loans:
        token, amount = devnet.token(symbol), spec.worth(symbol, usd)
        list_token(world, lender, token, fee_bps=fee_bps, owner=admin)
        transfer(world, token, lender, amount, holder=devnet.accounts["lender"])
    holder, market = devnet.accounts["lender"], devnet.morpho_blue
    for symbol, usd in spec.morpho_idle:
        token, amount = devnet.token(symbol), spec.worth(symbol, usd)
        approve(world, token, market.morpho, amount, holder=holder)
        morpho_blue.supply(world, market, token, amount, holder=holder)


def seed_balancer(world: World, spec: DevnetSpec, devnet: Devnet) -> tuple[BalancerPool, ...]:
    """Create the spec's Balancer v2 pools and fill all their sides."""
    venue, provider, made = devnet.balancer_v2, devnet.accounts["provider"], []
    for item in spec.balancer_pools:
        fee_e18 = item.swap_fee_bps * 10**14
        amounts = {devnet.token(symbol): spec.worth(symbol, item.side_usd) for symbol in item.tokens}
        pool = create_even_pool(world, venue, amounts, swap_fee_e18=fee_e18, sender=provider)
        for token, amount in amounts.items():
            approve(world, token, venue.vault, amount, holder=provider)
        join_pool(world, venue, pool, amounts, provider=provider)
        made.append(pool)
    return tuple(made)


def seed_pairs(world: World, spec: DevnetSpec, devnet: Devnet) -> tuple[UniswapV2Pair, ...]:
    """Create the spec's v2 pairs and fill both sides."""
    venue, provider, made = devnet.uniswap_v2, devnet.accounts["provider"], []
    for item in spec.pairs:
        first, second = (devnet.token(symbol) for symbol in item.tokens)
        pair = create_pair(world, venue, first, second, sender=provider)
        low, high = _sorted(devnet, item.tokens)
        amounts = spec.worth(low, item.side_usd), spec.worth(high, item.side_usd)
        add_liquidity(world, venue, pair, *amounts, provider=provider)
        made.append(pair)
    return tuple(made)


def seed_pools(world: World, spec: DevnetSpec, devnet: Devnet) -> tuple[UniswapV3Pool, ...]:
    """Create the spec's v3 pools at the feeds' price and mint their ranges."""
    venue, provider, made = devnet.uniswap_v3, devnet.accounts["provider"], []
    for item in spec.pools:
        first, second = (devnet.token(symbol) for symbol in item.tokens)
        low, high = _sorted(devnet, item.tokens)
        price = _start_price(spec, low, high)
        pool = create_pool(world, venue, first, second, fee=item.fee, sqrt_price=price, sender=provider)
        keep_observations(world, pool, _OBSERVATIONS, sender=provider)
        for one in item.ranges:
            amounts = spec.worth(low, one.side_usd), spec.worth(high, one.side_usd)
            add_range(world, venue, pool, *amounts, width_ticks=one.width_ticks, provider=provider)
        made.append(pool)
    return tuple(made)


def let_time_pass(world: World, spec: DevnetSpec, devnet: Devnet) -> None:
    """Give the pools a past of half an hour, so that mean prices exist, and the feeds a fresh answer."""
    world.mine(timestamp=world.block().timestamp + _PAST_S)
    for token in spec.tokens:
        set_answer(world, devnet.feeds[token.pair], token.price_usd_e8)


def seed_aave(world: World, spec: DevnetSpec, devnet: Devnet) -> None:
    """Let the lender supply every reserve of both markets and the borrowers take their debts."""
    market = devnet.aave_v3
    for where, reserves in ((market, spec.reserves), (devnet.aave_v3_prime, spec.prime_reserves)):
        for item in reserves:
            amount = spec.worth(item.token, item.lent_usd)
            supply(world, where, devnet.token(item.token), amount, holder=devnet.accounts["lender"])
    for one in spec.borrowers:
        holder = devnet.accounts[one.account]
        collateral = spec.worth(one.collateral, one.collateral_usd)
        supply(world, market, devnet.token(one.collateral), collateral, holder=holder)
        borrow(world, market, devnet.token(one.debt), debt_amount(spec, one), holder=holder)


def debt_amount(spec: DevnetSpec, borrower: BorrowerSpec) -> int:
    """Return the debt in base units: collateral · threshold / health factor, rounded down.

    30,000 USD of WETH at a threshold of 83 % and a health factor of 1.1 carries
    30,000 · 0.83 / 1.1 = 22,636.363636 USDC.
    """
    threshold_bps = next(
        item.liquidation_threshold_bps for item in spec.reserves if item.token == borrower.collateral
    )
    return mul_div_down(
        spec.worth(borrower.debt, borrower.collateral_usd), threshold_bps, borrower.health_factor_bps
    )


def _sorted(devnet: Devnet, symbols: tuple[str, str]) -> tuple[str, str]:
    low, high = sorted(symbols, key=lambda symbol: int(devnet.token(symbol), 16))
    return low, high


def _start_price(spec: DevnetSpec, low: str, high: str) -> int:
    # One token's unit times the other's price: both amounts are worth the product of the prices.
    return sqrt_price_x96(
        10 ** spec.token(low).decimals * spec.token(high).price_usd_e8,
        10 ** spec.token(high).decimals * spec.token(low).price_usd_e8,
    )
