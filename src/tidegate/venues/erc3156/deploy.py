"""Put a lender of ours into a world: faithful to the standard, funded by whoever transfers to it."""

from __future__ import annotations

from tidegate.model import Address, Receipt
from tidegate.sim import World, compile_contract
from tidegate.venues.calls import create, send


def deploy_erc3156_lender(world: World, *, owner: Address, deployer: Address) -> Address:
    """Deploy a lender that lends nothing yet; ``owner`` lists tokens."""
    return create(world, compile_contract("erc3156_lender"), owner, sender=deployer)


def list_token(world: World, lender: Address, token: Address, *, fee_bps: int, owner: Address) -> Receipt:
    """Let ``token`` be lent for ``fee_bps`` of the amount, rounded up."""
    return send(world, lender, "list_token(address,uint256)", token, fee_bps, sender=owner)
