"""Put the executor and its lens into a world, and walk changes through the delay there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidegate.model import Address
from tidegate.sim import World, compile_contract
from tidegate.venues.executor.abi import encode_apply, encode_schedule
from tidegate.venues.executor.changes import CHANGES_MAX, Change
from tidegate.venues.executor.construction import Construction


def deploy_executor(
    world: World,
    *,
    owner: Address,
    treasury: Address,
    weth: Address,
    deployer: Address,
    delay_s: int = 0,
    guardians: Sequence[Address] = (),
) -> Address:
    """Deploy an executor and return its address. The deployer holds no power over it.

    Parameters
    ----------
    owner, guardians
        Who schedules changes, and at most 4 who stop and narrow.
    treasury
        Where payouts and sweeps go.
    weth
        The wrapped native token, which may send it ETH outside a run.
    delay_s
        Seconds from schedule to apply, at most 2,592,000; 0 is for devnets.

    Raises
    ------
    WorldReverted
        ``atomic: deploy`` if the constructor refuses an argument.
    """
    construction = Construction(
        owner=owner, treasury=treasury, weth=weth, delay_s=delay_s, guardians=tuple(guardians)
    )
    return world.deploy(construction.initcode, sender=deployer)


def deploy_guard_lens(world: World, *, deployer: Address) -> Address:
    """Deploy the stateless views that guards read inside a run, and return their address."""
    return world.deploy(compile_contract("guard_lens").initcode, sender=deployer)


def apply_changes(
    world: World, executor: Address, changes: Iterable[Change], *, owner: Address, delay_s: int = 0
) -> None:
    """Schedule ``changes`` as ``owner``, let ``delay_s`` pass in the world, and apply them.

    Raises
    ------
    WorldReverted
        If a change is inadmissible, or ``owner`` is not the owner.
    """
    pending = list(changes)
    for start in range(0, len(pending), CHANGES_MAX):
        batch = pending[start : start + CHANGES_MAX]
        world.transact(executor, encode_schedule(batch), sender=owner)
        if delay_s:
            world.mine(timestamp=world.block().timestamp + delay_s)
        world.transact(executor, encode_apply(batch), sender=owner)
