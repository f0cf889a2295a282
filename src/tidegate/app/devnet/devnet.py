"""A devnet as it stands: where everything is. Plain data that can be written down and read back."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model import Address, ConfigError
from tidegate.venues.aave_v3 import AaveV3
from tidegate.venues.balancer_v2 import BalancerPool, BalancerV2
from tidegate.venues.chainlink import PriceFeed
from tidegate.venues.morpho_blue import MorphoBlue
from tidegate.venues.safe import Safe, SafeContracts
from tidegate.venues.tokens import MintableToken
from tidegate.venues.uniswap_v2 import UniswapV2, UniswapV2Pair
from tidegate.venues.uniswap_v3 import UniswapV3, UniswapV3Pool


@dataclass(frozen=True, slots=True)
class Devnet:
    """Everything that ``build_devnet`` put into a world.

    Attributes
    ----------
    spec_digest
        Of the spec that it was built from.
    accounts
        Address by name; the keys are throw-away (``devnet_key``).
    tokens
        With WETH, which nobody mints: its owner is itself.
    feeds
        Price feed by pair, ``ETH/USD``.
    token_feeds
        The pair that prices a token, by the token's symbol.
    owner_safe
        Three of five owners govern the executor.
    executor
        Run by ``operator``, paused by ``guardian``, without delay, and without any permission yet.
    erc3156_lender
        Lends DAI for nothing, as Maker does.
    morpho_blue
        Holds idle money of several tokens, and lends it for nothing.
    aave_v3_prime
        A second market of Aave, with reserves, rates and prices of its own choice.
    balancer_v2, balancer_pools
        The vault lends what lies in the pools.
    """

    chain: str
    chain_id: int
    spec_digest: str
    accounts: dict[str, Address]
    weth: Address
    tokens: dict[str, MintableToken]
    feeds: dict[str, PriceFeed]
    token_feeds: dict[str, str]
    uniswap_v2: UniswapV2
    uniswap_v2_pairs: tuple[UniswapV2Pair, ...]
    uniswap_v3: UniswapV3
    uniswap_v3_pools: tuple[UniswapV3Pool, ...]
    aave_v3: AaveV3
    aave_v3_prime: AaveV3
    safe: SafeContracts
    owner_safe: Safe
    executor: Address
    guard_lens: Address
    erc3156_lender: Address
    morpho_blue: MorphoBlue
    balancer_v2: BalancerV2
    balancer_pools: tuple[BalancerPool, ...]

    def token(self, symbol: str) -> Address:
        """Return where a token is, by its symbol. Raises ``ConfigError`` if there is none."""
        if symbol not in self.tokens:
            raise _missing("token", symbol, tuple(self.tokens))
        return self.tokens[symbol].address

    def pair(self, token_a: str, token_b: str) -> UniswapV2Pair:
        """Return the v2 pair of two symbols, in any order. Raises ``ConfigError`` if there is none."""
        wanted = {self.token(token_a), self.token(token_b)}
        for pair in self.uniswap_v2_pairs:
            if {pair.token0, pair.token1} == wanted:
                return pair
        raise _missing("Uniswap v2 pair", f"{token_a}/{token_b}", ())

    def pool(self, token_a: str, token_b: str, fee: int) -> UniswapV3Pool:
        """Return the v3 pool of two symbols, in any order, at a fee. Raises as ``pair`` does."""
        wanted = {self.token(token_a), self.token(token_b)}
        for pool in self.uniswap_v3_pools:
            if {pool.token0, pool.token1} == wanted and pool.fee == fee:
                return pool
        raise _missing("Uniswap v3 pool", f"{token_a}/{token_b} at {fee}", ())


def _missing(kind: str, found: str, known: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        f"the devnet has no such {kind}", code="devnet", found=found, allowed=", ".join(known) or None
    )
