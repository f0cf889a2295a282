from collections.abc import Iterator

import pytest
from tests.chain.rpc.support import SEEN

from tidegate.chain.rpc import health
from tidegate.sim import ExactWorld


@pytest.fixture(autouse=True)
def nobody_is_slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no endpoint be degraded because the machine is busy; slowness has a clock of its own."""
    if not request.module.__name__.endswith("test_health"):
        monkeypatch.setattr(health, "SLOW_FLOOR_S", 3_600)


@pytest.fixture(scope="package")
def node() -> Iterator[ExactWorld]:
    """One node with a few blocks; no test changes it."""
    with ExactWorld() as world:
        world.set_balance(SEEN, 10**18)
        for _ in range(8):
            world.mine()
        yield world
