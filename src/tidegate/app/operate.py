"""On a node of ours: let an account operate the executors, and let the chain's clock tell our time."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.app.devnet import Devnet
from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic import Assignment, joint_policy, loss_limits
from tidegate.model import Address
from tidegate.sim import ExactWorld, World
from tidegate.venues.chainlink import LATEST_ROUND, decode_round, set_answer
from tidegate.venues.executor import CHANGES_MAX, Change, Role, encode_apply, encode_schedule

_FUNDS_WEI = 100 * 10**18
_CLOCK_MAX_S = 60


def let_operate(world: World, assignments: Sequence[Assignment], account: Address) -> int:
    """Have each executor's owner give ``account`` its role and allow what the strategies need.

    The owner needs no key in a world of ours, whoever it is. An account without ether gets some for gas;
    return how much, in wei. What holds something already is left as it is, because books may count it, so
    doing it again moves nothing.

    Raises
    ------
    WorldReverted
        If the executor refuses a change, such as one that its delay holds back.
    """
    given_wei = 0 if world.balance(account) else _FUNDS_WEI
    if given_wei:
        world.set_balance(account, given_wei)
    by_executor: dict[Address, list[Assignment]] = {}
    for one in assignments:
        by_executor.setdefault(one.executor, []).append(one)
    for executor, held in by_executor.items():
        owner = decode_output(("address",), world.call(executor, encode_call("owner()")))[0]
        roles = decode_output(("uint256",), world.call(executor, encode_call("roles(address)", account)))[0]
        role = [] if roles == Role.OPERATOR else [Change.role(account, Role.OPERATOR)]
        wanted = [*role, *joint_policy(held, world), *loss_limits(held)]
        world.set_balance(owner, _FUNDS_WEI)
        for start in range(0, len(wanted), CHANGES_MAX):
            batch = wanted[start : start + CHANGES_MAX]
            world.transact(executor, encode_schedule(batch), sender=owner)
            world.transact(executor, encode_apply(batch), sender=owner)
    return given_wei


def set_to_now(world: ExactWorld, devnet: Devnet, now_s: int) -> None:
    """Let a devnet's blocks tell our time from now on, and its feeds answer afresh.

    A devnet begins at a time of its own, and whoever signs judges deadlines by ours. What is a minute
    off or less stays as it is.
    """
    if abs(world.block().timestamp - now_s) <= _CLOCK_MAX_S:
        return
    world.set_next_timestamp(now_s)
    for feed in devnet.feeds.values():
        newest = decode_round(world.call(feed.address, LATEST_ROUND))
        set_answer(world, feed, newest.price_usd_e8)


def keep_to_now(world: ExactWorld, now_s: int) -> None:
    """Let the next block tell our time, if blocks come late: whoever signs judges deadlines by ours."""
    if world.block().timestamp + 1 < now_s:
        world.set_next_timestamp(now_s)
