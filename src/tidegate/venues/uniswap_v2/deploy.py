"""Put Uniswap v2 into a world: factory, router, pairs with liquidity."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.chain import address, keccak256
from tidegate.model import Address, Tampered
from tidegate.sim import Artifacts, World
from tidegate.venues.calls import FAR_DEADLINE_S, create, read, send
from tidegate.venues.tokens import balance_of

PAIR_INIT_CODE_HASH = bytes.fromhex("96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f")
"""Keccak of the canonical pair's creation code; the router computes pair addresses from it."""


@dataclass(frozen=True, slots=True)
class UniswapV2:
    """A deployment: where its contracts are."""

    factory: Address
    router: Address
    weth: Address


@dataclass(frozen=True, slots=True)
class UniswapV2Pair:
    """A pair. ``token0`` is the lower address."""

    address: Address
    token0: Address
    token1: Address


def deploy_uniswap_v2(
    world: World, artifacts: Artifacts, *, deployer: Address, weth: Address, admin: Address
) -> UniswapV2:
    """Deploy the factory (fee setter ``admin``, no protocol fee) and Router02.

    Raises
    ------
    Tampered
        If the artifact's pair is not the canonical one: the router would look for pairs where none are.
    """
    found = artifacts["UniswapV2Pair"].initcode_keccak
    if found != PAIR_INIT_CODE_HASH:
        raise Tampered(
            "the Uniswap v2 pair is not the canonical build",
            found=found.hex(),
            allowed=PAIR_INIT_CODE_HASH.hex(),
            fix="install the packages again from package-lock.json (npm ci)",
        )
    factory = create(world, artifacts["UniswapV2Factory"], admin, sender=deployer)
    router = create(world, artifacts["UniswapV2Router02"], factory, weth, sender=deployer)
    return UniswapV2(factory, router, weth)


def pair_address(factory: Address, token_a: Address, token_b: Address) -> Address:
    """Return where the factory puts the pair of two tokens (CREATE2, salt = keccak of both, sorted)."""
    token0, token1 = sorted_tokens(token_a, token_b)
    salt = keccak256(bytes.fromhex(token0[2:]) + bytes.fromhex(token1[2:]))
    return address(keccak256(b"\xff" + bytes.fromhex(factory[2:]) + salt + PAIR_INIT_CODE_HASH)[12:])


def create_pair(
    world: World, venue: UniswapV2, token_a: Address, token_b: Address, *, sender: Address
) -> UniswapV2Pair:
    """Create an empty pair of two tokens, named in any order."""
    send(world, venue.factory, "createPair(address,address)", token_a, token_b, sender=sender)
    token0, token1 = sorted_tokens(token_a, token_b)
    where = read(world, venue.factory, "getPair(address,address)(address)", token0, token1)
    return UniswapV2Pair(where, token0, token1)


def add_liquidity(
    world: World,
    venue: UniswapV2,
    pair: UniswapV2Pair,
    amount0: int,
    amount1: int,
    *,
    provider: Address,
) -> None:
    """Add exactly both amounts (base units) from ``provider``, who has approved the router.

    In a pair that has reserves the amounts must be in their ratio, rounded as the router rounds.
    """
    send(
        world,
        venue.router,
        "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
        pair.token0,
        pair.token1,
        amount0,
        amount1,
        amount0,
        amount1,
        provider,
        FAR_DEADLINE_S,
        sender=provider,
    )


def reserves(world: World, pair: UniswapV2Pair) -> tuple[int, int]:
    """Return the pair's reserves of token0 and token1, in base units."""
    reserve0, reserve1, _ = read(world, pair.address, "getReserves()(uint112,uint112,uint32)")
    return reserve0, reserve1


def swap_exact_in(
    world: World,
    venue: UniswapV2,
    path: tuple[Address, ...],
    amount_in: int,
    *,
    trader: Address,
    minimum_out: int = 0,
) -> int:
    """Swap exactly ``amount_in`` of the path's first token, approved by ``trader``; return what came out."""
    signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    arguments = (amount_in, minimum_out, path, trader, FAR_DEADLINE_S)
    before = balance_of(world, path[-1], trader)
    send(world, venue.router, signature, *arguments, sender=trader)
    return balance_of(world, path[-1], trader) - before


def sorted_tokens(token_a: Address, token_b: Address) -> tuple[Address, Address]:
    """Return both addresses, the lower one first, as factories do."""
    low, high = sorted((token_a, token_b), key=lambda token: int(token, 16))
    return low, high
