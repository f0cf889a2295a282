"""What a set-up and a test do with Morpho Blue: put idle money in, take it out."""

from __future__ import annotations

from tidegate.model import Address, Receipt
from tidegate.sim import World
from tidegate.venues.calls import send
from tidegate.venues.morpho_blue.deploy import MARKET, MorphoBlue, idle_market


def supply(world: World, venue: MorphoBlue, asset: Address, amount: int, *, holder: Address) -> Receipt:
    """Put ``amount`` base units, approved to it, into the asset's market for idle money."""
    signature = f"supply({MARKET},uint256,uint256,address,bytes)"
    return send(world, venue.morpho, signature, idle_market(asset), amount, 0, holder, b"", sender=holder)


def withdraw(world: World, venue: MorphoBlue, asset: Address, amount: int, *, holder: Address) -> Receipt:
    """Take ``amount`` base units out of the asset's market for idle money again."""
    signature = f"withdraw({MARKET},uint256,uint256,address,address)"
    return send(world, venue.morpho, signature, idle_market(asset), amount, 0, holder, holder, sender=holder)
