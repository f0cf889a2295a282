"""Killed between any two durable writes: the same end, each log once by key, no block passed over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chain.heads.fakechain import FakeChain
from tests.chain.heads.fold import Fold
from tests.chain.heads.following import NETWORK, catch_up, follower, step
from tests.sim.assembly import ALICE, LOGS, initcode

from tidegate.chain import mined_logs_of
from tidegate.chain.heads import Added, Cursor, JournalCursors, MemoryCursors, RolledBack
from tidegate.ledger import CursorBody, Journal, JournalReader
from tidegate.model import ManualClock, RecordKind
from tidegate.sim import ExactWorld

REPOSITORY = Path(__file__).parents[3]


class KilledError(BaseException):
    """The process is gone: nothing after this line runs."""


class Dying:
    """A store whose process dies at write number ``at``: before it, or after it and before the hand-out."""

    def __init__(self, store, at: int, *, is_written: bool) -> None:
        self.store, self.left, self.is_written = store, at, is_written

    def load(self, blocks: int):
        return self.store.load(blocks)

    def append(self, cursor: Cursor) -> None:
        if self.left == 0 and not self.is_written:
            self.left -= 1
            raise KilledError
        self.store.append(cursor)
        if self.left == 0:
            self.left -= 1
            raise KilledError
        self.left -= 1


def story(chain: FakeChain):
    """Change the chain between looks: a backfill, growth, reorgs at and below what was handed out."""
    yield
    yield
    yield chain.grow(3)
    yield chain.reorg(2, 4)
    yield chain.grow()
    yield chain.reorg(6)
    yield chain.reorg(3, 1)
    yield chain.grow(12)
    yield chain.reorg(1)


def killed_once(store, at: int, *, is_written: bool, reorg_meanwhile: int) -> bool:
    """Play the story with one kill; check the end. Return whether the kill came to be."""
    chain, fold = FakeChain(60), Fold(is_strict=False)
    dying = Dying(store, at, is_written=is_written)
    following = follower(chain, dying, span_max=16)
    was_killed = False
    for _ in story(chain):
        for _ in range(4):
            try:
                fold.take(step(following))
            except KilledError:
                was_killed = True
                if reorg_meanwhile:
                    chain.reorg(reorg_meanwhile)
                following = follower(chain, store, span_max=16)
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()
    assert fold.blocks == dict(enumerate(chain.canonical))
    return was_killed


@pytest.mark.parametrize("reorg_meanwhile", [0, 1, 5])
@pytest.mark.parametrize("is_written", [False, True])
def test_a_kill_between_any_two_durable_writes_ends_in_the_same_state(is_written, reorg_meanwhile) -> None:
    writes = 0
    while killed_once(MemoryCursors(), writes, is_written=is_written, reorg_meanwhile=reorg_meanwhile):
        writes += 1
    assert writes >= 10


def watch(following, chain: FakeChain, fold: Fold) -> None:
    for _ in story(chain):
        for _ in range(4):
            fold.take(step(following))


def journal_at(path: Path) -> Journal:
    return Journal.open(path, clock=ManualClock(1_700_000_000_000))


@pytest.mark.parametrize("at", [0, 2, 6, 9])
def test_a_kill_with_the_cursor_in_the_journal(tmp_path: Path, at: int) -> None:
    """The killed journal is what lay on disk at that moment: what was not flushed is gone."""
    chain, fold = FakeChain(60), Fold(is_strict=False)
    with journal_at(tmp_path / "first.sqlite") as journal:
        dying = Dying(JournalCursors(journal, 1), at, is_written=True)
        following = follower(chain, dying, span_max=16)
        with pytest.raises(KilledError):
            watch(following, chain, fold)
        image = tmp_path / "second.sqlite"
        for suffix in ("", "-wal", "-head"):
            shutil.copy(tmp_path / f"first.sqlite{suffix}", f"{image}{suffix}")
    chain.reorg(2, 5)
    with journal_at(image) as journal:
        catch_up(follower(chain, JournalCursors(journal, 1), span_max=16), fold)
        assert journal.verify().records > at
    assert set(fold.logs) == chain.keys()


def test_only_the_newest_batch_is_repeated_after_a_restart() -> None:
    chain, cursors = FakeChain(20), MemoryCursors()
    following = follower(chain, cursors)
    catch_up(following)
    chain.grow()
    step(following)
    chain.grow()
    batch = step(follower(chain, cursors))
    blocks = [(change.block.number, change.is_repeated) for change in batch if isinstance(change, Added)]
    assert blocks == [(20, True), (21, False)]


def test_a_clean_end_repeats_nothing() -> None:
    chain, cursors, fold = FakeChain(20), MemoryCursors(), Fold()
    following = follower(chain, cursors)
    catch_up(following, fold)
    following.acknowledge()
    chain.reorg(3, 5)
    catch_up(follower(chain, cursors), fold)
    assert set(fold.logs) == chain.keys()


def test_blocks_replaced_while_nobody_watched_are_rolled_back_after_the_restart() -> None:
    chain, cursors = FakeChain(20), MemoryCursors()
    following = follower(chain, cursors)
    catch_up(following)
    following.acknowledge()
    old = [chain.block(number) for number in (19, 18, 17)]
    chain.reorg(3)
    batch = catch_up(follower(chain, cursors))
    withdrawn = [change for change in batch if isinstance(change, RolledBack)]
    assert [change.hash for change in withdrawn] == [block.hash for block in old]
    assert all(len(change.keys) == 2 for change in withdrawn)


def test_the_newest_blocks_are_readable_from_the_journal_after_a_restart(tmp_path: Path) -> None:
    chain = FakeChain(40)
    with journal_at(tmp_path / "ledger.sqlite") as journal:
        following = follower(chain, JournalCursors(journal, 1))
        catch_up(following)
        for _ in range(30):
            chain.grow()
            catch_up(following)
        kept = JournalCursors(journal, 1).load(NETWORK.reorg_max_blocks)
        held = {mark.number: mark.hash for cursor in kept for mark in cursor.added}
        newest = range(chain.height - NETWORK.reorg_max_blocks, chain.height + 1)
        assert {number: held[number] for number in newest} == {
            number: chain.block(number).hash for number in newest
        }
        assert len(kept) <= 2 * NETWORK.reorg_max_blocks


def test_followers_of_other_streams_and_chains_keep_their_own_place(tmp_path: Path) -> None:
    chain = FakeChain(12)
    with journal_at(tmp_path / "ledger.sqlite") as journal:
        for chain_id, stream in ((1, "all"), (1, "aave"), (10, "all")):
            cursors = JournalCursors(journal, chain_id, stream)
            assert list(cursors.load(8)) == []
            following = follower(chain, cursors)
            catch_up(following)
            chain.grow()
        bodies = [CursorBody.from_body(record.body) for record in journal.records(RecordKind.CURSOR)]
    newest = {(body.chain_id, body.stream): body.number for body in bodies}
    assert newest == {(1, "all"): 11, (1, "aave"): 12, (10, "all"): 13}


def test_a_process_killed_in_the_middle_of_a_backfill_goes_on_where_it_stood(tmp_path: Path) -> None:
    """SIGKILL at its own write, on a real node and a real journal; a reorg happens meanwhile."""
    ledger, book = tmp_path / "ledger.sqlite", tmp_path / "book.jsonl"
    with ExactWorld() as world:
        contract = world.deploy(initcode(LOGS), sender=ALICE)
        for index in range(30):
            world.mine(7)
            if index % 3 == 0:
                world.transact(contract, sender=ALICE)
        for at in (2, 3, 0):
            for _ in range(3):
                world.transact(contract, sender=ALICE)
            killed = run_consumer(world, ledger, book, at)
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            world.reorg(3)
        done = run_consumer(world, ledger, book, -1)
        assert done.returncode == 0, done.stderr
        found = mined_logs_of(
            world._request("eth_getLogs", {"fromBlock": "0x0", "toBlock": hex(world.block().number)})
        )
        assert {f"{log.block_hash.hex()}:{log.index}" for log in found} == folded(book)
        assert len(found) == 10
    with JournalReader.open(ledger) as reader:
        reader.verify()


def run_consumer(world: ExactWorld, ledger: Path, book: Path, at: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.chain.heads.consumer", world.url, str(ledger), str(book), str(at)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def folded(book: Path) -> set[str]:
    """Return what the consumer's own durable book holds at its end."""
    keys: set[str] = set()
    for line in book.read_text().splitlines():
        entry = json.loads(line)
        keys = keys | set(entry["add"]) if "add" in entry else keys - set(entry["take"])
    return keys


def test_two_kills_in_a_row_forget_no_block_that_the_consumer_may_hold() -> None:
    """The second start sees only the first of three blocks again; then those above it are replaced."""
    chain, cursors, fold = FakeChain(20), MemoryCursors(), Fold(is_strict=False)
    following = follower(chain, cursors)
    catch_up(following, fold)
    chain.grow(3)
    fold.take(step(following))
    chain.null.add(("logs", chain.block(21).hash))
    batch = step(follower(chain, cursors))
    assert [change.block.number for change in batch if isinstance(change, Added)] == [20]
    fold.take(batch)
    old = [chain.block(22).hash, chain.block(21).hash]
    chain.null.clear()
    chain.reorg(2)
    batch = step(follower(chain, cursors))
    assert [change.hash for change in batch if isinstance(change, RolledBack)] == old
    fold.take(batch)
    assert set(fold.logs) == chain.keys()
