"""A devnet in the fast world, built once; each test gets it as it was built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tidegate.app.devnet import Devnet, build_devnet
from tidegate.sim import FastWorld


@pytest.fixture(scope="session")
def _built() -> tuple[FastWorld, Devnet]:
    world = FastWorld()
    return world, build_devnet(world)


@pytest.fixture
def world(_built: tuple[FastWorld, Devnet]) -> Iterator[FastWorld]:
    fast, _ = _built
    with fast.snapshot():
        yield fast


@pytest.fixture
def devnet(_built: tuple[FastWorld, Devnet]) -> Devnet:
    return _built[1]
