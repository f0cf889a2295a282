"""A reorg deeper than is followed: the chain is halted, and a person's word begins a new history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chain.heads.fakechain import FakeChain
from tests.chain.heads.following import NETWORK, clock_at

from tidegate.app.running.heads import RunHeads, run_cursors
from tidegate.chain.heads import Added, HeadFollower
from tidegate.ledger import HaltBody, Journal
from tidegate.model import RecordKind, SystemClock, TidegateError
from tidegate.pipeline import HaltBook

SCOPE = f"chain:{NETWORK.chain_id}"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "ledger.sqlite", clock=SystemClock()) as opened:
        yield opened


class Process:
    """A run's heads as a new process has them: all that it knows comes from the journal."""

    def __init__(self, chain: FakeChain, journal: Journal) -> None:
        def begin() -> HeadFollower:
            cursors = run_cursors(journal, NETWORK.chain_id)
            return HeadFollower(chain, cursors, NETWORK, clock=clock_at(chain))

        self.troubles: list[TidegateError] = []
        self.halts = HaltBook(journal)
        self.heads = RunHeads(begin, self.halts, SCOPE, self.troubles.append)

    def step(self) -> list[int]:
        batch = asyncio.run(self.heads.step())
        return [change.block.number for change in batch if isinstance(change, Added)]


def lost(chain: FakeChain, journal: Journal) -> Process:
    process = Process(chain, journal)
    process.step()
    for _ in range(10):
        chain.grow()
        process.step()
    chain.reorg(NETWORK.reorg_max_blocks + 2, NETWORK.reorg_max_blocks + 4)
    assert process.step() == []
    return process


def test_a_reorg_deeper_than_is_followed_halts_the_chain_and_ends_no_run(journal: Journal) -> None:
    process = lost(FakeChain(3), journal)
    assert process.heads.is_lost
    assert [body.scope for body in process.halts.in_force()] == [SCOPE]
    assert [error.code for error in process.troubles] == ["reorg_too_deep"]
    assert process.step() == []
    assert len(process.troubles) == 1, "said once"


def test_who_lifts_the_halt_lets_the_running_process_begin_at_the_head(journal: Journal) -> None:
    chain = FakeChain(3)
    process = lost(chain, journal)
    process.halts.lift(SCOPE, who="ada", why="two providers agree")
    assert process.step() == [chain.height]
    chain.grow()
    assert process.step() == [chain.height]
    assert process.halts.in_force() == ()


def test_a_restart_lifts_nothing_and_halts_nothing_twice(journal: Journal) -> None:
    chain = FakeChain(3)
    lost(chain, journal)
    again = Process(chain, journal)
    assert again.step() == []
    assert again.heads.is_lost
    assert len(list(journal.records(kind=RecordKind.HALT))) == 1


def test_a_halt_that_was_lifted_while_nothing_ran_is_lifted_for_every_later_start(journal: Journal) -> None:
    chain = FakeChain(3)
    lost(chain, journal)
    HaltBook(journal).lift(SCOPE, who="ada", why="two providers agree")
    for _ in range(2):
        later = Process(chain, journal)
        chain.grow()
        assert later.step()[-1] == chain.height
        assert not later.heads.is_lost
    told = [HaltBody.from_body(record.body) for record in journal.records(kind=RecordKind.HALT)]
    assert [body.lifted for body in told] == [False, True]


def test_the_next_reorg_that_is_too_deep_halts_it_again(journal: Journal) -> None:
    chain = FakeChain(3)
    process = lost(chain, journal)
    process.halts.lift(SCOPE, who="ada", why="two providers agree")
    process.step()
    for _ in range(10):
        chain.grow()
        process.step()
    chain.reorg(NETWORK.reorg_max_blocks + 2, NETWORK.reorg_max_blocks + 4)
    assert process.step() == []
    assert [body.scope for body in process.halts.in_force()] == [SCOPE]
