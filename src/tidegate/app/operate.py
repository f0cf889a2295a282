"""On a node of ours: let an account operate the executors, with exactly what the strategies need."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic import Assignment, joint_policy, loss_limits
from tidegate.model import Address
from tidegate.sim import World
from tidegate.venues.executor import CHANGES_MAX, Change, Role, encode_apply, encode_schedule

_FUNDS_WEI = 100 * 10**18


def let_operate(world: World, assignments: Sequence[Assignment], account: Address) -> None:
    """Have each executor's owner give ``account`` its role and allow what the strategies need.

    The owner needs no key in a world of ours, whoever it is. The account gets ether for gas.

    Raises
    ------
    WorldReverted
        If the executor refuses a change, such as one that its delay holds back.
    """
    world.set_balance(account, _FUNDS_WEI)
    by_executor: dict[Address, list[Assignment]] = {}
    for one in assignments:
        by_executor.setdefault(one.executor, []).append(one)
    for executor, held in by_executor.items():
        owner = decode_output(("address",), world.call(executor, encode_call("owner()")))[0]
        wanted = [Change.role(account, Role.OPERATOR), *joint_policy(held, world), *loss_limits(held)]
        world.set_balance(owner, _FUNDS_WEI)
        for start in range(0, len(wanted), CHANGES_MAX):
            batch = wanted[start : start + CHANGES_MAX]
            world.transact(executor, encode_schedule(batch), sender=owner)
            world.transact(executor, encode_apply(batch), sender=owner)
