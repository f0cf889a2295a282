"""What holds for the whole suite: nothing in it depends on chance, nor on how busy the machine is."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

LONGEST = ("tests/docs/test_pages.py", "tests/journeys/", "tests/pipeline/kills/", "tests/custody/process/")

# The same examples each time, none remembered from an earlier run, none judged by the clock.
settings.register_profile(
    "tidegate", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tidegate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest begin first, so that no worker ends alone with them."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
