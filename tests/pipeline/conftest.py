from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk

from tidegate.ledger import Journal
from tidegate.model import (
    ManualClock,
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock())
    yield opened
    opened.close()


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()
