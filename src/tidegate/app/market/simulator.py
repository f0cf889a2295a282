"""A seeded market: a price that wanders, traders who push pools away from it and back.

Each block's moves are a function of the seed, the number of blocks since the market began and the chain's
own state, so the same seed gives the same chain, and a chain can be built again block by block.

The wandering price is the world outside. An arbitrageur moves the 0.05 % Uniswap v3 pool to it; others trade
on the v2 pairs at random, which opens the gaps that the desk looks for; the price
feed follows with a deviation threshold and a heartbeat, as real feeds do.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from random import Random

from tidegate.app.devnet import Devnet
from tidegate.chain import encode_call
from tidegate.model import BPS, Address
from tidegate.sim import World
from tidegate.venues.uniswap_v2 import UniswapV2Pair, reserves
from tidegate.venues.uniswap_v3 import UniswapV3Pool, slot0

_Q96 = 2**96
_E8 = 10**8
_GWEI = 10**9
_FAR_DEADLINE_S = 2**40
_FEED_DEVIATION_BPS = 50
_FIRST_TURN = 366
"""Where a market's own time begins: from there the default seed shows an ordinary day."""
_FEED_HEARTBEAT_BLOCKS = 20


@dataclass(frozen=True, slots=True)
class Move:
    """One transaction of someone else, to be included in the next block."""

    sender: Address
    to: Address
    data: bytes
    priority_fee_wei: int
    label: str


@dataclass(frozen=True, slots=True)
class Prices:
    """What one WETH costs in dollars, in 10⁻⁸, by where one asks."""

    outside_usd_e8: int
    feed_usd_e8: int
    v2_usd_e8: int
    v3_usd_e8: int

    @property
    def gap_bps(self) -> int:
        """Return how far the v2 pair stands above the v3 pool, in basis points of the latter."""
        return (self.v2_usd_e8 - self.v3_usd_e8) * BPS // self.v3_usd_e8


class Market:
    """The seeded market of WETH and USDC on a devnet.

    Parameters
    ----------
    seed, start_usd_e8
        The same seed and first price, the same market.
    after_block
        The newest block when it begins. Its own time counts from there, so that what a devnet is built of
        does not change what its market does; without it by the chain's own numbers, for a chain that goes on.
    """

    def __init__(
        self, devnet: Devnet, *, seed: int, start_usd_e8: int, after_block: int = _FIRST_TURN
    ) -> None:
        self._lag = after_block - _FIRST_TURN
        self._devnet = devnet
        self._seed = seed
        self._outside_usd_e8 = start_usd_e8
        self._feed_usd_e8 = start_usd_e8
        self._feed_turn = 0
        self._pair = devnet.pair("WETH", "USDC")
        self._other_pairs = tuple(pair for pair in devnet.uniswap_v2_pairs if pair != self._pair)
        self._pool = devnet.pool("WETH", "USDC", 500)

    def base_fee_wei(self, block: int) -> int:
        """Return what the rest of the chain makes ``block`` cost: 8 to 21 gwei, in waves with noise.

        From one block to the next it moves by less than an eighth, as EIP-1559 allows.
        """
        turn = block - self._lag
        rng = Random(f"tidegate base fee {self._seed} {turn}")  # noqa: S311
        wave_gwei_e3 = 8_000 + 300 * abs(turn % 80 - 40)
        return wave_gwei_e3 * rng.randint(9_700, 10_300) // BPS * _GWEI // 1_000

    def prices(self, world: World) -> Prices:
        """Return the prices as they stand at the newest block."""
        weth = self._devnet.weth
        return Prices(
            outside_usd_e8=self._outside_usd_e8,
            feed_usd_e8=self._feed_usd_e8,
            v2_usd_e8=pair_price_e8(world, self._pair, weth),
            v3_usd_e8=pool_price_e8(world, self._pool, weth),
        )

    def moves(self, world: World, block: int) -> list[Move]:
        """Return what others do in ``block``, given the state before it."""
        turn = block - self._lag
        rng = Random(f"tidegate market {self._seed} {turn}")  # noqa: S311 (a simulation, not a secret)
        self._wander(rng)
        moves = [self._arbitrage(rng, world)] if rng.random() < 0.7 else []
        if rng.random() < 0.35:
            moves.append(self._trade(rng, world, self._pair))
        moves += self._trades_elsewhere(world, turn)
        if self._feed_is_due(turn):
            moves.append(self._update_feed(turn))
        return [move for move in moves if move is not None]

    def _wander(self, rng: Random) -> None:
        step_bps_e2 = rng.randint(-900, 900)
        if rng.random() < 0.04:
            step_bps_e2 += rng.choice((-1, 1)) * rng.randint(3_000, 9_000)
        self._outside_usd_e8 += self._outside_usd_e8 * step_bps_e2 // (100 * BPS)

    def _arbitrage(self, rng: Random, world: World) -> Move | None:
        """Move the v3 pool to the outside price: the swap stops at its price limit."""
        devnet, pool = self._devnet, self._pool
        root, _ = slot0(world, pool)
        target = root_price_x96(self._outside_usd_e8, weth_is_token0=pool.token0 == devnet.weth)
        if root == target:
            return None
        token_in, token_out = (pool.token0, pool.token1) if target < root else (pool.token1, pool.token0)
        trader = devnet.accounts["arbitrageur"]
        return Move(
            sender=trader,
            to=devnet.uniswap_v3.router02,
            data=encode_call(
                "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
                (token_in, token_out, pool.fee, trader, self._large(token_in), 0, target),
            ),
            priority_fee_wei=rng.randint(1, 300) * _GWEI // 100,
            label="arbitrage",
        )

    def _trades_elsewhere(self, world: World, turn: int) -> list[Move]:
        """Trade on the other v2 pairs, which nobody brings back: there cycles of three swaps begin to pay.

        Each pair has chances of its own, so that what happens on one does not change another.
        """
        moves = []
        for pair in self._other_pairs:
            rng = Random(f"tidegate market {self._seed} {turn} {pair.address}")  # noqa: S311
            if rng.random() < 0.25:
                moves.append(self._trade(rng, world, pair))
        return moves

    def _trade(self, rng: Random, world: World, pair: UniswapV2Pair) -> Move:
        """Trade 0.1 % to 1.2 % of a v2 pair's reserve, in a random direction."""
        devnet = self._devnet
        held = reserves(world, pair)
        side = rng.randrange(2)
        path = (pair.token0, pair.token1) if side == 0 else (pair.token1, pair.token0)
        trader = devnet.accounts["trader"]
        amount_in = held[side] * rng.randint(10, 120) // BPS
        return Move(
            sender=trader,
            to=devnet.uniswap_v2.router,
            data=encode_call(
                "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
                amount_in,
                0,
                path,
                trader,
                _FAR_DEADLINE_S,
            ),
            priority_fee_wei=rng.randint(1, 300) * _GWEI // 100,
            label="trade",
        )

    def _feed_is_due(self, turn: int) -> bool:
        gap = abs(self._outside_usd_e8 - self._feed_usd_e8) * BPS
        stale = turn - self._feed_turn >= _FEED_HEARTBEAT_BLOCKS
        return stale or gap >= self._feed_usd_e8 * _FEED_DEVIATION_BPS

    def _update_feed(self, turn: int) -> Move:
        self._feed_usd_e8, self._feed_turn = self._outside_usd_e8, turn
        return Move(
            sender=self._devnet.accounts["admin"],
            to=self._devnet.feeds["ETH/USD"].address,
            data=encode_call("set_answer(int256)", self._outside_usd_e8),
            priority_fee_wei=5 * _GWEI,
            label="feed",
        )

    def _large(self, token: Address) -> int:
        return 20_000 * 10**18 if token == self._devnet.weth else 50_000_000 * 10**6


def root_price_x96(price_usd_e8: int, *, weth_is_token0: bool) -> int:
    """Return a v3 pool's root price for a WETH price in dollars; rounds down.

    USDC has 6 decimals and WETH 18: 3,000 dollars are 3·10⁻⁹ base units of USDC for one of WETH.
    """
    numerator, denominator = price_usd_e8, _E8 * 10**12
    if not weth_is_token0:
        numerator, denominator = denominator, numerator
    return isqrt((numerator << 192) // denominator)


def pool_price_e8(world: World, pool: UniswapV3Pool, weth: Address) -> int:
    """Return the v3 pool's WETH price in 10⁻⁸ USDC; rounds down."""
    root, _ = slot0(world, pool)
    if pool.token0 == weth:
        return root * root * _E8 * 10**12 // _Q96**2
    return _Q96**2 * _E8 * 10**12 // (root * root)


def pair_price_e8(world: World, pair: UniswapV2Pair, weth: Address) -> int:
    """Return the v2 pair's WETH price in 10⁻⁸ USDC; rounds down."""
    reserve0, reserve1 = reserves(world, pair)
    held_weth, held_usdc = (reserve0, reserve1) if pair.token0 == weth else (reserve1, reserve0)
    return held_usdc * _E8 * 10**12 // held_weth
