"""One small tape for all tests of the backtest: recording takes a node, deciding on it does not."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.backtest import About, record_market, run_backtest
from tidegate.app.demo import shipped_strategies
from tidegate.app.paper import PaperMarket
from tidegate.app.runtime import Job
from tidegate.desks.atomic import Assignment, complete_blinds, template_text
from tidegate.ledger import Journal, JournalReader
from tidegate.model import ManualClock
from tidegate.sim import Tape

BLOCKS = 16
Backtest = Callable[..., tuple[dict[str, Any], Path]]


@pytest.fixture(scope="session")
def tape() -> Tape:
    (strategy,) = [one for one in shipped_strategies() if one.name == "v2-v3-arb"]
    texts = {strategy.name: template_text("flash-arb")}
    return asyncio.run(record_market([Job(strategy)], texts, PaperMarket(7, 24), BLOCKS, lambda _: None))


@pytest.fixture(scope="session")
def backtest(tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    """Run a backtest in a folder of its own and return its figures and the ledger."""

    def run(tape: Tape, **options: Any) -> tuple[dict[str, Any], Path]:
        names = options.pop("names", ("v2-v3-arb",))
        about = About.of(tape)
        book = about.address_book()
        assignments = tuple(
            Assignment(one, book, about.operator, complete_blinds(one, {}))
            for one in shipped_strategies()
            if one.name in names
        )
        clock, path = ManualClock(), tmp_path_factory.mktemp("backtest") / "ledger.sqlite"
        with Journal.open(path, clock=clock) as journal:
            return asyncio.run(run_backtest(tape, assignments, journal, clock, **options)), path

    return run


@pytest.fixture(scope="session")
def usual(tape: Tape, backtest: Backtest) -> tuple[dict[str, Any], Path]:
    """The backtest with the latency that holds when nothing is said."""
    return backtest(tape, latency_blocks=1)


@pytest.fixture
def reader() -> Iterator[Callable[[Path], JournalReader]]:
    opened: list[JournalReader] = []

    def read(path: Path) -> JournalReader:
        opened.append(JournalReader.open(path))
        return opened[-1]

    yield read
    for one in opened:
        one.close()
