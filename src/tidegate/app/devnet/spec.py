"""What a devnet is made of, as data: tokens and prices, pools, reserves, borrowers.

Amounts are stated by their worth in whole dollars and turned into base units at the spec's own
prices, rounded down; so every pool starts at the price that the feeds tell.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tidegate.model import ConfigError, digest, mul_div_down
from tidegate.venues.uniswap_v3 import TICK_SPACINGS


class TokenSpec(msgspec.Struct, frozen=True):
    """A token and what one whole one is worth. ``pair`` names its price feed."""

    symbol: str
    name: str
    decimals: int
    price_usd_e8: int
    pair: str


class PairSpec(msgspec.Struct, frozen=True):
    """A Uniswap v2 pair with ``side_usd`` of each token."""

    tokens: tuple[str, str]
    side_usd: int


class RangeSpec(msgspec.Struct, frozen=True):
    """Liquidity of up to ``side_usd`` a side within ``width_ticks`` of the price; None: at every price."""

    side_usd: int
    width_ticks: int | None = None


class PoolSpec(msgspec.Struct, frozen=True):
    """A Uniswap v3 pool. ``fee`` in millionths."""

    tokens: tuple[str, str]
    fee: int
    ranges: tuple[RangeSpec, ...]


class BalancerPoolSpec(msgspec.Struct, frozen=True):
    """A Balancer v2 pool in which every token has the same weight, and ``side_usd`` of each."""

    tokens: tuple[str, ...]
    side_usd: int
    swap_fee_bps: int = 30


class ReserveSpec(msgspec.Struct, frozen=True):
    """A reserve of the Aave market, what is lent to it, and its interest curve (all but USD in bps)."""

    token: str
    lent_usd: int
    ltv_bps: int
    liquidation_threshold_bps: int
    liquidation_bonus_bps: int
    reserve_factor_bps: int
    optimal_usage_bps: int
    slope1_bps: int
    slope2_bps: int


class EfficiencySpec(msgspec.Struct, frozen=True):
    """An efficiency category (e-mode) of an Aave market: what those who enter it may borrow, in bps."""

    number: int
    label: str
    tokens: tuple[str, ...]
    ltv_bps: int
    liquidation_threshold_bps: int
    liquidation_bonus_bps: int


class BorrowerSpec(msgspec.Struct, frozen=True):
    """An account in debt. The debt is what puts it at ``health_factor_bps`` (11,000 is 1.1)."""

    account: str
    collateral: str
    collateral_usd: int
    debt: str
    health_factor_bps: int


_TOKENS = (
    TokenSpec("WETH", "Wrapped Ether", 18, 3_000 * 10**8, "ETH/USD"),
    TokenSpec("USDC", "USD Coin (test)", 6, 10**8, "USDC/USD"),
    TokenSpec("WBTC", "Wrapped Bitcoin (test)", 8, 60_000 * 10**8, "BTC/USD"),
    TokenSpec("DAI", "Dai Stablecoin (test)", 18, 10**8, "DAI/USD"),
)
_PAIRS = (
    PairSpec(("WETH", "USDC"), 3_000_000),
    PairSpec(("WBTC", "WETH"), 1_500_000),
    PairSpec(("WETH", "DAI"), 1_000_000),
)
_POOLS = (
    PoolSpec(
        ("WETH", "USDC"), 500, (RangeSpec(2_000_000, 500), RangeSpec(3_000_000, 2_000), RangeSpec(1_000_000))
    ),
    PoolSpec(("WETH", "USDC"), 3_000, (RangeSpec(1_000_000, 2_000), RangeSpec(1_000_000))),
    PoolSpec(("WETH", "USDC"), 10_000, (RangeSpec(300_000, 4_000), RangeSpec(200_000))),
    PoolSpec(("WBTC", "WETH"), 3_000, (RangeSpec(1_000_000, 2_000), RangeSpec(1_000_000))),
    PoolSpec(("USDC", "DAI"), 500, (RangeSpec(5_000_000, 100), RangeSpec(1_000_000))),
)
_RESERVES = (
    ReserveSpec("WETH", 9_000_000, 8_050, 8_300, 10_500, 1_500, 8_000, 330, 8_000),
    ReserveSpec("USDC", 6_000_000, 7_700, 8_000, 10_450, 1_000, 9_000, 400, 6_000),
    ReserveSpec("WBTC", 6_000_000, 7_300, 7_800, 10_500, 2_000, 4_500, 700, 30_000),
    ReserveSpec("DAI", 6_000_000, 7_500, 7_800, 10_500, 1_000, 9_000, 400, 6_000),
)
_PRIME_RESERVES = (
    ReserveSpec("WETH", 3_000_000, 8_200, 8_400, 10_400, 1_000, 9_000, 270, 8_000),
    ReserveSpec("USDC", 4_000_000, 7_500, 7_800, 10_450, 1_000, 9_000, 300, 6_000),
    ReserveSpec("DAI", 2_000_000, 7_500, 7_800, 10_500, 1_000, 9_000, 300, 6_000),
)
_EFFICIENCY = (EfficiencySpec(1, "dollars", ("USDC", "DAI"), 9_300, 9_500, 10_100),)
_BORROWERS = (
    BorrowerSpec("borrower1", "WETH", 30_000, "USDC", 11_000),
    BorrowerSpec("borrower2", "WBTC", 60_000, "USDC", 15_000),
    BorrowerSpec("borrower3", "USDC", 100_000, "WETH", 12_500),
    BorrowerSpec("borrower4", "WETH", 90_000, "DAI", 20_000),
)
_MORPHO_IDLE = (("WETH", 4_000_000), ("USDC", 5_000_000), ("WBTC", 2_000_000), ("DAI", 2_000_000))
_BALANCER_POOLS = (BalancerPoolSpec(("WETH", "USDC", "WBTC", "DAI"), 2_500_000),)


class DevnetSpec(msgspec.Struct, frozen=True):
    """A devnet. The same spec gives the same addresses and state in every world.

    Parameters
    ----------
    chain
        Its name in the address book and in strategy files.
    chain_id
        What ``CHAINID`` gives.
    prime_reserves
        Those of the second Aave market, ``aave_v3.prime``.
    efficiency
        Efficiency categories (e-mode) of the first Aave market.
    flash_premium_bps
        What Aave takes for a flash loan.
    erc3156_loans
        What the ERC-3156 lender lends: token, dollars, fee in basis points.
    morpho_idle
        Idle money that lies in Morpho Blue, and that it lends for a call: token, dollars.
    balancer_pools
        The pools whose tokens the Balancer v2 vault lends.
    """

    chain: str = "devnet"
    chain_id: int = 31_337
    tokens: tuple[TokenSpec, ...] = _TOKENS
    pairs: tuple[PairSpec, ...] = _PAIRS
    pools: tuple[PoolSpec, ...] = _POOLS
    reserves: tuple[ReserveSpec, ...] = _RESERVES
    prime_reserves: tuple[ReserveSpec, ...] = _PRIME_RESERVES
    efficiency: tuple[EfficiencySpec, ...] = _EFFICIENCY
    borrowers: tuple[BorrowerSpec, ...] = _BORROWERS
    flash_premium_bps: int = 5
    erc3156_loans: tuple[tuple[str, int, int], ...] = (("DAI", 50_000_000, 0),)
    morpho_idle: tuple[tuple[str, int], ...] = _MORPHO_IDLE
    balancer_pools: tuple[BalancerPoolSpec, ...] = _BALANCER_POOLS

    def __post_init__(self) -> None:
        """Refuse a spec that names what it does not have.

        Raises
        ------
        ConfigError
            Naming the token, reserve or fee.
        """
        traded = [item.tokens for item in self.pairs] + [item.tokens for item in self.pools]
        for symbol in (symbol for both in traded for symbol in both):
            self.token(symbol)
        lent = [loan[0] for loan in self.erc3156_loans] + [idle[0] for idle in self.morpho_idle]
        pooled = [symbol for even in self.balancer_pools for symbol in even.tokens]
        for symbol in (*lent, *pooled):
            self.token(symbol)
        for pool in self.pools:
            _require("fee of a Uniswap v3 pool", pool.fee, TICK_SPACINGS)
        for reserve in (*self.reserves, *self.prime_reserves):
            self.token(reserve.token)
        reserves = [reserve.token for reserve in self.reserves]
        for borrower in self.borrowers:
            _require("reserve of the Aave market", borrower.collateral, reserves)
            _require("reserve of the Aave market", borrower.debt, reserves)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything that the spec says."""
        return digest(msgspec.to_builtins(self))

    def token(self, symbol: str) -> TokenSpec:
        """Return the token called ``symbol``.

        Raises
        ------
        ConfigError
            If the spec has no such token.
        """
        by_symbol = {token.symbol: token for token in self.tokens}
        _require("token", symbol, by_symbol)
        return by_symbol[symbol]

    def worth(self, symbol: str, usd: int) -> int:
        """Return how many base units of a token ``usd`` whole dollars are, rounded down."""
        token = self.token(symbol)
        return mul_div_down(usd * 10**8, 10**token.decimals, token.price_usd_e8)


def _require(kind: str, found: str | int, known: Iterable[str | int]) -> None:
    if found not in known:
        raise ConfigError(
            f"the devnet has no such {kind}",
            code="devnet",
            found=str(found),
            allowed=", ".join(str(one) for one in known) or "none",
        )
