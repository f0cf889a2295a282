"""Put Morpho Blue into a world, with a market for idle money in every asset that is to be lent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import Artifacts, World
from tidegate.venues.calls import create, send

MARKET = "(address,address,address,address,uint256)"
"""A market's parameters (``MarketParams``): loan token, collateral, oracle, rate model, loan-to-value."""


@dataclass(frozen=True, slots=True)
class MorphoBlue:
    """Where it is, and who governs it. ``assets`` have a market for idle money."""

    morpho: Address
    owner: Address
    assets: tuple[Address, ...]


def deploy_morpho_blue(
    world: World, artifacts: Artifacts, *, deployer: Address, owner: Address, assets: Iterable[Address]
) -> MorphoBlue:
    """Deploy it and create a market of each asset that has no collateral, no oracle and no interest.

    That is where vaults on live chains leave what they do not lend out: nobody can borrow from it, and
    flash loans may take all of it.
    """
    morpho = create(world, artifacts["Morpho"], owner, sender=deployer)
    send(world, morpho, "enableIrm(address)", ZERO_ADDRESS, sender=owner)
    send(world, morpho, "enableLltv(uint256)", 0, sender=owner)
    listed = tuple(assets)
    for asset in listed:
        send(world, morpho, f"createMarket({MARKET})", idle_market(asset), sender=owner)
    return MorphoBlue(morpho, owner, listed)


def idle_market(asset: Address) -> tuple[Address, Address, Address, Address, int]:
    """Return the parameters of an asset's market for idle money."""
    return asset, ZERO_ADDRESS, ZERO_ADDRESS, ZERO_ADDRESS, 0
