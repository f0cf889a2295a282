"""Tasks that wait for the disk beside each other: one commit for all, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tidegate.ledger import Journal, JournalReader, Record
from tidegate.ledger.records import Record as AnyRecord
from tidegate.model import RecordKind, SystemClock, Tampered, Unavailable

ANSWER = RecordKind.ANSWER


def wait(journal: Journal, actor: str) -> asyncio.Future[Record]:
    return asyncio.ensure_future(journal.append_and_wait(ANSWER, {"of": actor}, actor=actor))


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


def on_disk(path: Path) -> list[str]:
    with JournalReader.open(path) as reader:
        return [record.actor for record in reader.records()]


def count_flights(journal: Journal) -> list[bool]:
    """Count what is committed in the thread, and whether it waits for the disk."""
    begun: list[bool] = []
    begin = journal._writing.begin

    def counted(*, durable: bool) -> Any:
        begun.append(durable)
        return begin(durable=durable)

    journal._writing.begin = counted  # type: ignore[method-assign]
    return begun


def test_tasks_that_wait_at_the_same_time_share_one_durable_commit(path: Path) -> None:
    names = [f"task {number}" for number in range(40)]

    async def scene(journal: Journal) -> None:
        begun = count_flights(journal)
        records = await asyncio.gather(*(wait(journal, name) for name in names))
        assert begun == [True]
        assert [record.seq for record in records] == list(range(1, 41))
        assert on_disk(path) == names, "each is there when its task goes on"

    with Journal.open(path, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        assert journal.verify().records == 40


def test_the_loop_goes_on_while_the_disk_works_and_what_comes_meanwhile_is_the_next_group(path: Path) -> None:
    async def scene(journal: Journal) -> None:
        commit, works = journal._writing.commit, threading.Event()

        def slow() -> None:
            assert works.wait(30)
            commit()

        journal._writing.commit = slow  # type: ignore[method-assign]
        first = wait(journal, "first")
        await until(lambda: journal._shared._flight is not None)
        journal.append(RecordKind.EVENT, {}, actor="no hurry")
        second = wait(journal, "second")
        await asyncio.sleep(0)
        assert not first.done()
        assert not second.done()
        works.set()
        assert [(await first).seq, (await second).seq] == [1, 3]
        assert on_disk(path) == ["first", "no hurry", "second"]

    with Journal.open(path, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        journal.verify()


@pytest.mark.parametrize("sync", ["append", "flush", "read", "append_many"])
def test_who_does_not_wait_in_the_loop_comes_after_the_commit_that_is_on_its_way(
    path: Path, sync: str
) -> None:
    async def scene(journal: Journal) -> None:
        commit, works = journal._writing.commit, threading.Event()

        def held() -> None:
            assert works.wait(30)
            commit()

        journal._writing.commit = held  # type: ignore[method-assign]
        first = wait(journal, "first")
        await until(lambda: journal._shared._flight is not None)
        second = wait(journal, "second")
        await asyncio.sleep(0)
        works.set()
        match sync:
            case "append":
                journal.append(ANSWER, {}, actor="third")
            case "flush":
                journal.flush()
            case "read":
                assert [record.actor for record in journal.records()] == ["first", "second"]
            case _:
                journal.append_many([])
                journal.flush()
        assert on_disk(path)[:2] == ["first", "second"]
        assert [(await first).seq, (await second).seq] == [1, 2]

    with Journal.open(path, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        journal.verify()


def fail_for(journal: Journal, actor: str) -> None:
    project: Callable[..., None] = journal._commits._projector.project

    def picky(connection: Any, records: Sequence[AnyRecord], bodies: Any = None) -> None:
        if any(record.actor == actor for record in records):
            raise Tampered("not this one")
        project(connection, records, bodies)

    journal._commits._projector.project = picky  # type: ignore[method-assign, assignment]


def test_a_record_that_can_not_be_written_fails_alone_and_the_others_move_up(path: Path) -> None:
    async def scene(journal: Journal) -> None:
        fail_for(journal, "bad")
        tasks = [wait(journal, name) for name in ("good", "bad", "better")]
        await asyncio.sleep(0)
        journal.append(RecordKind.EVENT, {}, actor="no hurry")
        good, bad, better = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(bad, Tampered)
        assert isinstance(good, Record)
        assert isinstance(better, Record)
        assert {record.seq: record.actor for record in journal.records()}[good.seq] == "good"
        assert (await wait(journal, "after")).prev_hash == better.hash

    with Journal.open(path, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        journal.verify()
    assert sorted(on_disk(path)) == ["after", "better", "good", "no hurry"]


@pytest.mark.parametrize("who_lands", ["the loop", "a sync append"])
def test_a_commit_that_fails_in_its_thread_is_tried_again_record_by_record(
    path: Path, who_lands: str
) -> None:
    async def scene(journal: Journal) -> None:
        commit, works = journal._writing.commit, threading.Event()

        def once() -> None:
            assert works.wait(30)
            journal._writing.commit = commit  # type: ignore[method-assign]
            raise sqlite3.OperationalError("disk I/O error")

        journal._writing.commit = once  # type: ignore[method-assign]
        tasks = [wait(journal, "one"), wait(journal, "two")]
        await until(lambda: journal._shared._flight is not None)
        works.set()
        if who_lands == "a sync append":
            journal.append(ANSWER, {}, actor="three")
        one, two = await asyncio.gather(*tasks)
        assert (one.seq, two.seq) == (1, 2)
        assert on_disk(path)[:2] == ["one", "two"]

    with Journal.open(path, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        journal.verify()


def test_a_store_that_stays_lost_is_told_to_everyone_who_waits_and_nothing_of_theirs_comes_later(
    path: Path,
) -> None:
    async def scene(journal: Journal) -> None:
        begin = journal._writing.begin

        def lost(*, durable: bool) -> Any:
            raise sqlite3.OperationalError("disk I/O error")

        journal._writing.begin = lost  # type: ignore[method-assign]
        tasks = [wait(journal, "one"), wait(journal, "two")]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable, Unavailable]
        journal._writing.begin = begin  # type: ignore[method-assign]
        assert (await wait(journal, "three")).seq == 1

    with Journal.open(path, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
    assert on_disk(path) == ["three"]


def test_a_task_that_is_cancelled_while_its_record_goes_to_disk_is_cancelled_after_it(path: Path) -> None:
    heard: list[Record] = []

    async def writes(journal: Journal) -> None:
        heard.append(await journal.append_and_wait(ANSWER, {}, actor="x"))
        await asyncio.sleep(0)
        raise AssertionError("the cancel was lost")

    async def scene(journal: Journal) -> None:
        task = asyncio.ensure_future(writes(journal))
        await until(lambda: bool(journal._waiters))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await writes(journal)

    with Journal.open(path, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
    assert [record.seq for record in heard] == [1, 2]
    assert on_disk(path) == ["x", "x"]


def test_what_waits_when_the_loop_ends_is_written_by_whoever_comes_next(path: Path) -> None:
    with Journal.open(path, clock=SystemClock()) as journal:
        loop = asyncio.new_event_loop()
        task = loop.create_task(journal.append_and_wait(ANSWER, {}, actor="cut off"))
        loop.run_until_complete(asyncio.sleep(0))
        assert not task.done()
        task.cancel()
        journal.append(ANSWER, {}, actor="next")
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
    assert on_disk(path) == ["cut off", "next"]


def test_a_record_that_nothing_acts_on_waits_for_nothing(path: Path) -> None:
    async def scene(journal: Journal) -> None:
        begun = count_flights(journal)
        await journal.append_and_wait(RecordKind.GUARDS, {}, actor="x")
        assert begun == []

    with Journal.open(path, clock=SystemClock()) as journal:
        journal._timer.begin = lambda: None  # type: ignore[method-assign]
        asyncio.run(scene(journal))


def test_a_closed_journal_takes_nothing_from_tasks_either(path: Path) -> None:
    journal = Journal.open(path, clock=SystemClock())
    journal.close()
    with pytest.raises(Unavailable, match="was closed"):
        asyncio.run(journal.append_and_wait(ANSWER, {}, actor="x"))
