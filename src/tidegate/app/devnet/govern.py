"""Act as the owner of a devnet's executor: its Safe, with three owners who agree on chain."""

from __future__ import annotations

from tidegate.app.devnet.devnet import Devnet
from tidegate.model import Address, Receipt
from tidegate.sim import World
from tidegate.venues.safe import SafeCall, approve_and_execute


def act_as_owner(world: World, devnet: Devnet, to: Address, data: bytes) -> Receipt:
    """Have the owner's Safe call ``to`` with ``data``; four transactions, no keys needed.

    Raises
    ------
    WorldReverted
        GS013 if the call itself reverts.
    """
    return approve_and_execute(world, devnet.owner_safe, SafeCall(to, data))
