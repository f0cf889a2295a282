"""Act as the owner of a devnet's executor: its Safe, with three owners who agree on chain."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.app.devnet.devnet import Devnet
from tidegate.model import Address, Receipt
from tidegate.sim import World
from tidegate.venues.executor import CHANGES_MAX, Change, encode_apply, encode_schedule
from tidegate.venues.safe import SafeCall, approve_and_execute


def act_as_owner(world: World, devnet: Devnet, to: Address, data: bytes) -> Receipt:
    """Have the owner's Safe call ``to`` with ``data``; four transactions, no keys needed.

    Raises
    ------
    WorldReverted
        GS013 if the call itself reverts.
    """
    return approve_and_execute(world, devnet.owner_safe, SafeCall(to, data))


def change_executor(world: World, devnet: Devnet, changes: Iterable[Change]) -> None:
    """Schedule ``changes`` of the devnet's executor by its owner's Safe and apply them (its delay is 0).

    Raises
    ------
    WorldReverted
        GS013 if the executor refuses a change.
    """
    pending = list(changes)
    for start in range(0, len(pending), CHANGES_MAX):
        batch = pending[start : start + CHANGES_MAX]
        act_as_owner(world, devnet, devnet.executor, encode_schedule(batch))
        act_as_owner(world, devnet, devnet.executor, encode_apply(batch))
