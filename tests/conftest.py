"""What holds for the whole suite: its longest tests begin first, so that no worker ends alone with them."""

from __future__ import annotations

import pytest

LONGEST = ("tests/docs/test_pages.py", "tests/journeys/", "tests/pipeline/kills/", "tests/custody/process/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
