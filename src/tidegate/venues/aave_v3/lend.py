"""What a set-up and a test do with an Aave v3 market: supply, borrow, look, liquidate."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model import Address, Receipt
from tidegate.sim import World
from tidegate.venues.aave_v3.deploy import AaveV3
from tidegate.venues.calls import read, send

_VARIABLE_RATE = 2


@dataclass(frozen=True, slots=True)
class AccountData:
    """Where an account stands. Worth in USD with 8 decimals; ``health_factor_e18`` 2²⁵⁶−1 without debt."""

    collateral_usd_e8: int
    debt_usd_e8: int
    available_borrows_usd_e8: int
    liquidation_threshold_bps: int
    ltv_bps: int
    health_factor_e18: int


def supply(world: World, market: AaveV3, asset: Address, amount: int, *, holder: Address) -> Receipt:
    """Supply ``amount`` base units, approved to the pool, as the holder's collateral."""
    signature = "supply(address,uint256,address,uint16)"
    return send(world, market.pool, signature, asset, amount, holder, 0, sender=holder)


def borrow(world: World, market: AaveV3, asset: Address, amount: int, *, holder: Address) -> Receipt:
    """Borrow ``amount`` base units at the variable rate against the holder's collateral."""
    return send(
        world,
        market.pool,
        "borrow(address,uint256,uint256,uint16,address)",
        *(asset, amount, _VARIABLE_RATE, 0, holder),
        sender=holder,
    )


def liquidate(
    world: World,
    market: AaveV3,
    *,
    collateral: Address,
    debt: Address,
    user: Address,
    amount: int,
    liquidator: Address,
) -> Receipt:
    """Pay up to ``amount`` of ``user``'s debt, approved to the pool, for collateral and bonus."""
    return send(
        world,
        market.pool,
        "liquidationCall(address,address,address,uint256,bool)",
        *(collateral, debt, user, amount, False),
        sender=liquidator,
    )


def account_data(world: World, market: AaveV3, user: Address) -> AccountData:
    """Return where ``user`` stands at the oracle's prices of this block."""
    signature = "getUserAccountData(address)(uint256,uint256,uint256,uint256,uint256,uint256)"
    return AccountData(*read(world, market.pool, signature, user))
