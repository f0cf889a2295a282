from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.ledger import Journal
from tidegate.model import ManualClock

from .postgres import Server, running_server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_700_000_000_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def journal(path: Path, clock: ManualClock) -> Iterator[Journal]:
    with Journal.open(path, clock=clock) as opened:
        yield opened


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Give a PostgreSQL server that runs for as long as the tests do."""
    with running_server() as running:
        yield running


@pytest.fixture
def server_url(server: Server) -> str:
    """Return the URL of an empty database."""
    return server.new_database()
