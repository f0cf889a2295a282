"""The executor and its lens in a world, and changes walked through the delay there."""

import pytest

from tidegate.chain import address, encode_call
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.executor import (
    CHANGES_MAX,
    Change,
    apply_changes,
    deploy_executor,
    deploy_guard_lens,
    encode_apply,
    encode_schedule,
)

OWNER, TREASURY, WETH, DEPLOYER = (address(0xA0_0000_0000 + place) for place in range(4))
DELAY_S = 86_400


@pytest.fixture
def world():
    world = FastWorld()
    for account in (OWNER, DEPLOYER):
        world.set_balance(account, 10**18)
    return world


def deploy(world, delay_s=0):
    return deploy_executor(
        world, owner=OWNER, treasury=TREASURY, weth=WETH, deployer=DEPLOYER, delay_s=delay_s
    )


def cap(world, executor, key):
    return int.from_bytes(world.call(executor, encode_call("caps(uint256)", key)))


def test_more_changes_than_one_call_takes(world):
    executor = deploy(world)
    changes = [Change.cap(64 + place, 1 + place) for place in range(CHANGES_MAX + 5)]
    apply_changes(world, executor, changes, owner=OWNER)
    assert [cap(world, executor, 64 + place) for place in range(CHANGES_MAX + 6)] == [
        *range(1, CHANGES_MAX + 6),
        0,
    ]


def test_the_delay_passes_in_the_world(world):
    executor = deploy(world, DELAY_S)
    before = world.block().timestamp
    apply_changes(world, executor, [Change.cap(64, 7)], owner=OWNER, delay_s=DELAY_S)
    assert cap(world, executor, 64) == 7
    assert world.block().timestamp >= before + DELAY_S
    with pytest.raises(WorldReverted, match="not ready"):
        apply_changes(world, executor, [Change.cap(65, 7)], owner=OWNER)


def test_nobody_but_the_owner_changes_anything(world):
    executor = deploy(world)
    with pytest.raises(WorldReverted, match="atomic: role"):
        apply_changes(world, executor, [Change.cap(64, 7)], owner=DEPLOYER)
    world.transact(executor, encode_schedule([Change.cap(64, 7)]), sender=OWNER)
    with pytest.raises(WorldReverted, match="atomic: role"):
        world.transact(executor, encode_apply([Change.cap(64, 7)]), sender=DEPLOYER)


def test_the_lens_stands_and_answers(world):
    lens = deploy_guard_lens(world, deployer=DEPLOYER)
    assert world.code(lens)
    with pytest.raises(WorldReverted):  # a feed without code has no price
        world.call(lens, encode_call("chainlink(address,uint256)", WETH, 60))
