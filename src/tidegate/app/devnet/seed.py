"""Fill a devnet's protocols: liquidity in pools, lenders and borrowers in the Aave market."""

from __future__ import annotations

from tidegate.app.devnet.spec import BorrowerSpec, DevnetSpec
from tidegate.model import Address, mul_div_down
from tidegate.sim import World
from tidegate.venues.aave_v3 import AaveV3, borrow, supply
from tidegate.venues.tokens import MintableToken
from tidegate.venues.uniswap_v2 import UniswapV2, UniswapV2Pair, add_liquidity, create_pair
from tidegate.venues.uniswap_v3 import UniswapV3, UniswapV3Pool, add_range, create_pool, sqrt_price_x96

Tokens = dict[str, MintableToken]


def seed_pairs(
    world: World, spec: DevnetSpec, venue: UniswapV2, tokens: Tokens, *, provider: Address
) -> tuple[UniswapV2Pair, ...]:
    """Create the spec's v2 pairs and fill both sides."""
    made = []
    for item in spec.pairs:
        first, second = (tokens[symbol].address for symbol in item.tokens)
        pair = create_pair(world, venue, first, second, sender=provider)
        amounts = _sorted_amounts(spec, tokens, item.tokens, item.side_usd, pair.token0)
        add_liquidity(world, venue, pair, *amounts, provider=provider)
        made.append(pair)
    return tuple(made)


def seed_pools(
    world: World, spec: DevnetSpec, venue: UniswapV3, tokens: Tokens, *, provider: Address
) -> tuple[UniswapV3Pool, ...]:
    """Create the spec's v3 pools at the feeds' price and mint their ranges."""
    made = []
    for item in spec.pools:
        first, second = (tokens[symbol].address for symbol in item.tokens)
        price = _start_price(spec, tokens, item.tokens)
        pool = create_pool(world, venue, first, second, fee=item.fee, sqrt_price=price, sender=provider)
        for one in item.ranges:
            amounts = _sorted_amounts(spec, tokens, item.tokens, one.side_usd, pool.token0)
            add_range(world, venue, pool, *amounts, width_ticks=one.width_ticks, provider=provider)
        made.append(pool)
    return tuple(made)


def seed_aave(
    world: World, spec: DevnetSpec, market: AaveV3, tokens: Tokens, accounts: dict[str, Address]
) -> AaveV3:
    """Let the lender supply every reserve and the borrowers take their debts."""
    for item in spec.reserves:
        amount = spec.worth(item.token, item.lent_usd)
        supply(world, market, tokens[item.token].address, amount, holder=accounts["lender"])
    for one in spec.borrowers:
        holder = accounts[one.account]
        collateral = spec.worth(one.collateral, one.collateral_usd)
        supply(world, market, tokens[one.collateral].address, collateral, holder=holder)
        borrow(world, market, tokens[one.debt].address, debt_amount(spec, one), holder=holder)
    return market


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


def _start_price(spec: DevnetSpec, tokens: Tokens, symbols: tuple[str, str]) -> int:
    # One token's unit times the other's price: both amounts are worth the product of the prices.
    low, high = sorted(symbols, key=lambda symbol: int(tokens[symbol].address, 16))
    price_low, price_high = spec.token(low).price_usd_e8, spec.token(high).price_usd_e8
    return sqrt_price_x96(
        10 ** spec.token(low).decimals * price_high, 10 ** spec.token(high).decimals * price_low
    )


def _sorted_amounts(
    spec: DevnetSpec, tokens: Tokens, symbols: tuple[str, str], side_usd: int, token0: Address
) -> tuple[int, int]:
    first, second = (spec.worth(symbol, side_usd) for symbol in symbols)
    return (first, second) if tokens[symbols[0]].address == token0 else (second, first)
