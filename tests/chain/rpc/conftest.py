from collections.abc import Iterator

import pytest
from tests.chain.rpc.support import SEEN

from tidegate.chain.rpc import health, lane
from tidegate.sim import ExactWorld


@pytest.fixture(autouse=True)
def nobody_is_slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no endpoint be degraded or overtaken because the machine is busy.

    Slowness has a test with a clock of its own; whoever is about hedging says so with ``hedged``.
    """
    if not request.module.__name__.endswith("test_health"):
        monkeypatch.setattr(health, "SLOW_FLOOR_S", 3_600)
    if "hedged" not in request.fixturenames:
        monkeypatch.setattr(lane.Lane, "hedge_after_s", 3_600.0)


@pytest.fixture
def hedged() -> None:
    """Ask a second endpoint beside a slow one, as always outside of these tests."""


@pytest.fixture(scope="package")
def node() -> Iterator[ExactWorld]:
    """One node with a few blocks; no test changes it."""
    with ExactWorld() as world:
        world.set_balance(SEEN, 10**18)
        for _ in range(8):
            world.mine()
        yield world
