"""Put Balancer v2 into a world: authorizer, vault, a pool factory, weighted pools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.model import Address
from tidegate.sim import Artifacts, World
from tidegate.venues.calls import create, read, send

ONE_E18 = 10**18
"""The whole, in the vault's fixed point with 18 decimals."""

_PAUSE_WINDOW_S = 90 * 86_400
_BUFFER_S = 30 * 86_400
_NAME = "Balanced pool"
_CREATE = "create(string,string,address[],uint256[],uint256,address)"


@dataclass(frozen=True, slots=True)
class BalancerV2:
    """Where its contracts are. ``admin`` holds the authorizer's first role, and so can take every other."""

    authorizer: Address
    vault: Address
    fees_collector: Address
    pool_factory: Address
    admin: Address


@dataclass(frozen=True, slots=True)
class BalancerPool:
    """A pool: its id in the vault, and its tokens in ascending order of their addresses."""

    address: Address
    pool_id: bytes
    tokens: tuple[Address, ...]


def deploy_balancer_v2(
    world: World, artifacts: Artifacts, *, deployer: Address, weth: Address, admin: Address
) -> BalancerV2:
    """Deploy the vault as its own task did: pausable for 90 days, and a buffer of 30 days after that."""
    authorizer = create(world, artifacts["Authorizer"], admin, sender=deployer)
    vault = create(world, artifacts["Vault"], authorizer, weth, _PAUSE_WINDOW_S, _BUFFER_S, sender=deployer)
    return BalancerV2(
        authorizer=authorizer,
        vault=vault,
        fees_collector=read(world, vault, "getProtocolFeesCollector()(address)"),
        pool_factory=create(world, artifacts["WeightedPoolFactory"], vault, sender=deployer),
        admin=admin,
    )


def create_pool(
    world: World, venue: BalancerV2, tokens: Iterable[Address], *, swap_fee_e18: int, sender: Address
) -> BalancerPool:
    """Create a pool in which every token has the same weight; it is empty until somebody joins.

    Raises
    ------
    WorldReverted
        BAL#200 or BAL#201 with fewer than two tokens or more than eight, BAL#203 or BAL#202 with a fee
        below 0.0001 % or above 10 %.
    """
    ordered = tuple(sorted(tokens, key=lambda token: int(token, 16)))
    share = ONE_E18 // max(len(ordered), 1)
    weights = [share] * len(ordered)
    if weights:
        weights[0] += ONE_E18 - sum(weights)  # they must add up to the whole
    arguments = (_NAME, "BAL-EVEN", ordered, weights, swap_fee_e18, sender)
    where = read(world, venue.pool_factory, f"{_CREATE}(address)", *arguments)
    send(world, venue.pool_factory, _CREATE, *arguments, sender=sender)
    return BalancerPool(where, read(world, where, "getPoolId()(bytes32)"), ordered)
