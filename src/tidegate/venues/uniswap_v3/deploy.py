"""Put Uniswap v3 into a world: factory, pools, routers, quoter, position manager, tick lens."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from tidegate.chain import address, encode_arguments, keccak256
from tidegate.model import Address, Receipt, Tampered
from tidegate.sim import Artifacts, World
from tidegate.venues.calls import create, read, send
from tidegate.venues.uniswap_v2 import sorted_tokens

POOL_INIT_CODE_HASH = bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54")
"""Keccak of the canonical pool's creation code; the periphery computes pool addresses from it."""

TICK_SPACINGS = {500: 10, 3000: 60, 10_000: 200}
"""Tick spacing by fee in millionths: what the factory's constructor enables."""


@dataclass(frozen=True, slots=True)
class UniswapV3:
    """A deployment: where its contracts are. ``router`` is SwapRouter, ``router02`` SwapRouter02."""

    factory: Address
    router: Address
    router02: Address
    quoter: Address
    position_manager: Address
    tick_lens: Address
    weth: Address


@dataclass(frozen=True, slots=True)
class UniswapV3Pool:
    """A pool. ``token0`` is the lower address, ``fee`` in millionths (500 is 5 bps)."""

    address: Address
    token0: Address
    token1: Address
    fee: int


def deploy_uniswap_v3(
    world: World, artifacts: Artifacts, *, deployer: Address, weth: Address, v2_factory: Address
) -> UniswapV3:
    """Deploy the core and the whole periphery. The deployer owns the factory, as its constructor has it.

    Parameters
    ----------
    v2_factory
        SwapRouter02 serves v2 pairs as well; this is the factory it looks them up in.

    Raises
    ------
    Tampered
        If the artifact's pool is not the canonical one: the periphery would look for pools where none are.
    """
    found = artifacts["UniswapV3Pool"].initcode_keccak
    if found != POOL_INIT_CODE_HASH:
        raise Tampered(
            "the Uniswap v3 pool is not the canonical build",
            found=found.hex(),
            allowed=POOL_INIT_CODE_HASH.hex(),
            fix="install the packages again from package-lock.json (npm ci)",
        )
    factory = create(world, artifacts["UniswapV3Factory"], sender=deployer)
    drawing = create(world, artifacts["NFTDescriptor"], sender=deployer)
    descriptor = create(
        world,
        artifacts["NonfungibleTokenPositionDescriptor"],
        weth,
        b"ETH".ljust(32, b"\0"),
        sender=deployer,
        libraries={"NFTDescriptor": drawing},
    )
    positions = create(
        world, artifacts["NonfungiblePositionManager"], factory, weth, descriptor, sender=deployer
    )
    return UniswapV3(
        factory=factory,
        router=create(world, artifacts["SwapRouter"], factory, weth, sender=deployer),
        router02=create(
            world, artifacts["SwapRouter02"], v2_factory, factory, positions, weth, sender=deployer
        ),
        quoter=create(world, artifacts["QuoterV2"], factory, weth, sender=deployer),
        position_manager=positions,
        tick_lens=create(world, artifacts["TickLens"], sender=deployer),
        weth=weth,
    )


def create_pool(
    world: World,
    venue: UniswapV3,
    token_a: Address,
    token_b: Address,
    *,
    fee: int,
    sqrt_price: int,
    sender: Address,
) -> UniswapV3Pool:
    """Create a pool of two tokens, named in any order, and start it at ``sqrt_price``.

    Parameters
    ----------
    fee
        In millionths; one of ``TICK_SPACINGS``.
    sqrt_price
        Root of token1 base units per token0 base unit, in Q64.96 (see ``sqrt_price_x96``).
    """
    token0, token1 = sorted_tokens(token_a, token_b)
    signature = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
    send(world, venue.position_manager, signature, token0, token1, fee, sqrt_price, sender=sender)
    where = read(world, venue.factory, "getPool(address,address,uint24)(address)", token0, token1, fee)
    return UniswapV3Pool(where, token0, token1, fee)


def keep_observations(world: World, pool: UniswapV3Pool, count: int, *, sender: Address) -> Receipt:
    """Let the pool remember its last ``count`` observations, so that mean prices can be asked for."""
    return send(world, pool.address, "increaseObservationCardinalityNext(uint16)", count, sender=sender)


def pool_address(factory: Address, token_a: Address, token_b: Address, fee: int) -> Address:
    """Return where the factory puts a pool (CREATE2, salt = keccak of the ABI-encoded tokens and fee)."""
    token0, token1 = sorted_tokens(token_a, token_b)
    salt = keccak256(encode_arguments(("address", "address", "uint24"), (token0, token1, fee)))
    return address(keccak256(b"\xff" + bytes.fromhex(factory[2:]) + salt + POOL_INIT_CODE_HASH)[12:])


def sqrt_price_x96(amount0: int, amount1: int) -> int:
    """Return the root of the price ``amount1 / amount0`` in Q64.96, rounded down.

    Both amounts are base units of equal worth. 1 WETH (18 decimals) against 3,000 USDC (6), WETH
    as token0: isqrt(3·10⁹·2¹⁹² / 10¹⁸) = 4339505179874779489431521.
    """
    return isqrt((amount1 << 192) // amount0)
