"""Put test tokens into a world, and the three calls on tokens that every set-up needs."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model import Address, Receipt
from tidegate.sim import World, compile_contract
from tidegate.venues.calls import create, read, send


@dataclass(frozen=True, slots=True)
class MintableToken:
    """A token of ours. One whole token is ``10 ** decimals`` base units."""

    address: Address
    symbol: str
    decimals: int
    owner: Address


def deploy_token(
    world: World, *, name: str, symbol: str, decimals: int, owner: Address, deployer: Address
) -> MintableToken:
    """Deploy a strict ERC-20 that ``owner`` mints.

    Raises
    ------
    WorldReverted
        If ``decimals`` is above 36 or the owner is zero.
    """
    where = create(world, compile_contract("test_token"), name, symbol, decimals, owner, sender=deployer)
    return MintableToken(where, symbol, decimals, owner)


def mint(world: World, token: MintableToken, to: Address, amount: int) -> Receipt:
    """Create ``amount`` base units for ``to``, by the token's owner."""
    return send(world, token.address, "mint(address,uint256)", to, amount, sender=token.owner)


def approve(world: World, token: Address, spender: Address, amount: int, *, holder: Address) -> Receipt:
    """Let ``spender`` move up to ``amount`` base units of ``holder``."""
    return send(world, token, "approve(address,uint256)", spender, amount, sender=holder)


def transfer(world: World, token: Address, to: Address, amount: int, *, holder: Address) -> Receipt:
    """Move ``amount`` base units from ``holder`` to ``to``."""
    return send(world, token, "transfer(address,uint256)", to, amount, sender=holder)


def balance_of(world: World, token: Address, holder: Address) -> int:
    """Return what ``holder`` has, in base units."""
    balance: int = read(world, token, "balanceOf(address)(uint256)", holder)
    return balance
