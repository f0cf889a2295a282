"""What a set-up and a test do with Balancer v2: fill a pool, govern the vault's loans."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.chain import encode_arguments, selector
from tidegate.model import Address, Receipt
from tidegate.sim import World
from tidegate.venues.balancer_v2.deploy import BalancerPool, BalancerV2
from tidegate.venues.calls import read, send

_FIRST_JOIN = 0
_JOIN = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))"
_SET_FEE = "setFlashLoanFeePercentage(uint256)"
_SET_PAUSED = "setPaused(bool)"


def join_pool(
    world: World,
    venue: BalancerV2,
    pool: BalancerPool,
    amounts: Mapping[Address, int],
    *,
    provider: Address,
) -> Receipt:
    """Fill a new pool with ``amounts`` of all its tokens, in base units and approved to the vault.

    Raises
    ------
    WorldReverted
        If the pool is not new, or a token was not approved.
    """
    given = [amounts[token] for token in pool.tokens]
    user_data = encode_arguments(("uint256", "uint256[]"), (_FIRST_JOIN, given))
    request = (pool.tokens, given, user_data, False)
    return send(world, venue.vault, _JOIN, pool.pool_id, provider, provider, request, sender=provider)


def set_flash_fee(world: World, venue: BalancerV2, fee_e18: int) -> Receipt:
    """Let the vault take ``fee_e18`` of each loan, a fraction with 18 decimals.

    Raises
    ------
    WorldReverted
        BAL#601 above 1 %.
    """
    _allow(world, venue, venue.fees_collector, _SET_FEE)
    return send(world, venue.fees_collector, _SET_FEE, fee_e18, sender=venue.admin)


def set_paused(world: World, venue: BalancerV2, *, paused: bool) -> Receipt:
    """Stop the vault, loans with it, or let it go on.

    Raises
    ------
    WorldReverted
        BAL#403 if the pause window has passed.
    """
    _allow(world, venue, venue.vault, _SET_PAUSED)
    return send(world, venue.vault, _SET_PAUSED, paused, sender=venue.admin)


def _allow(world: World, venue: BalancerV2, contract: Address, signature: str) -> None:
    """Let the admin call one function of ``contract``: the authorizer knows it by an id of its own."""
    role = read(world, contract, "getActionId(bytes4)(bytes32)", selector(signature))
    send(world, venue.authorizer, "grantRole(bytes32,address)", role, venue.admin, sender=venue.admin)
