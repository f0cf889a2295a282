from collections.abc import Iterator

import pytest
from tests.chain.rpc.support import SEEN

from tidegate.sim import ExactWorld


@pytest.fixture(scope="package")
def node() -> Iterator[ExactWorld]:
    """One node with a few blocks; no test changes it."""
    with ExactWorld() as world:
        world.set_balance(SEEN, 10**18)
        for _ in range(8):
            world.mine()
        yield world
