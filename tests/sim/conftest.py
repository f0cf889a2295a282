from collections.abc import Iterator

import pytest
from tests.sim.assembly import ALICE, ETHER

from tidegate.sim import ExactWorld, FastWorld


@pytest.fixture
def fast() -> FastWorld:
    world = FastWorld()
    world.set_balance(ALICE, ETHER)
    return world


@pytest.fixture
def exact() -> Iterator[ExactWorld]:
    with ExactWorld() as world:
        world.set_balance(ALICE, ETHER)
        yield world
