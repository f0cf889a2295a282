"""Put WETH9 into a world."""

from __future__ import annotations

from tidegate.model import Address, Receipt
from tidegate.sim import Artifacts, World
from tidegate.venues.calls import create, send


def deploy_weth(world: World, artifacts: Artifacts, *, deployer: Address) -> Address:
    """Deploy WETH9 (canonical-weth) and return its address."""
    return create(world, artifacts["WETH9"], sender=deployer)


def wrap(world: World, weth: Address, amount_wei: int, *, holder: Address) -> Receipt:
    """Turn ``amount_wei`` of the holder's ether into as much WETH."""
    return send(world, weth, "deposit()", sender=holder, value_wei=amount_wei)
