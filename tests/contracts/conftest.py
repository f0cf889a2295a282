"""The executor among the contracts that the hostile suite controls too: one set of doubles for both."""

import pytest
from tests.hostile.atomic.house import build_house


@pytest.fixture(scope="session")
def built_house():
    return build_house()


@pytest.fixture
def house(built_house):
    with built_house.world.snapshot():
        yield built_house
