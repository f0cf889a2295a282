"""The constructor's arguments and the code that follows from them, against the deployed contract."""

import msgspec
import pytest
from tests.venues.executor.test_deploy import DEPLOYER, OWNER

from tidegate.chain import address, keccak256
from tidegate.model import ZERO_ADDRESS, Tampered
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.executor import (
    DELAY_MAX_S,
    Construction,
    demand_recorded,
    executor_build,
    recorded_build,
    why_refused,
)

WETH, TREASURY = address(0xAE), address(0x7E)
GUARDIANS = tuple(address(0x60 + number) for number in range(4))
GOOD = Construction(owner=OWNER, treasury=TREASURY, weth=WETH, delay_s=172_800, guardians=GUARDIANS)


def test_the_deployed_code_is_the_builds_with_both_immutables_behind_it():
    world = FastWorld()
    executor = world.deploy(GOOD.initcode, sender=DEPLOYER)
    assert world.code(executor) == GOOD.runtime
    assert world.code(executor) != msgspec.structs.replace(GOOD, delay_s=172_801).runtime


def test_the_build_that_is_deployed_is_the_recorded_one():
    build = executor_build()
    demand_recorded(build)
    assert recorded_build()["runtime_bytes"] == len(build.runtime)
    with pytest.raises(Tampered, match="runtime is not the recorded one"):
        demand_recorded(msgspec.structs.replace(build, runtime=build.runtime[:-1] + b"\x00"))
    with pytest.raises(Tampered, match="initcode is not the recorded one"):
        demand_recorded(msgspec.structs.replace(build, initcode=build.initcode + b"\x00"))
    assert "0x" + keccak256(build.initcode).hex() == recorded_build()["initcode_keccak"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"owner": ZERO_ADDRESS}, "owner is the zero address"),
        ({"treasury": ZERO_ADDRESS}, "treasury is the zero address"),
        ({"weth": ZERO_ADDRESS}, "weth is the zero address"),
        ({"delay_s": DELAY_MAX_S + 1}, "was 2592001"),
        ({"guardians": (ZERO_ADDRESS,)}, "a guardian is the zero address"),
        ({"guardians": (OWNER,)}, "the owner can not be a guardian"),
        ({"guardians": (*GUARDIANS, address(1))}, "5 were named"),
    ],
)
def test_what_the_constructor_refuses_is_refused_before_anything_is_sent(changes, why):
    """The check and the contract agree: what one refuses the other does, and the border passes both."""
    wrong = msgspec.structs.replace(GOOD, **changes)
    assert why in (why_refused(wrong) or "")
    with pytest.raises(WorldReverted):
        FastWorld().deploy(wrong.initcode, sender=DEPLOYER)


def test_the_longest_delay_and_four_guardians_are_taken():
    longest = msgspec.structs.replace(GOOD, delay_s=DELAY_MAX_S)
    assert why_refused(longest) is None
    world = FastWorld()
    assert world.code(world.deploy(longest.initcode, sender=DEPLOYER)) == longest.runtime
