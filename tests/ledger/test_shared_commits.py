"""Tasks that wait for the disk beside each other: one commit for all, and the loop goes on meanwhile.

In both back ends alike: a file of SQLite, and a real PostgreSQL server.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tidegate.ledger import Journal, JournalReader, Record, rebuild
from tidegate.ledger.records import Record as AnyRecord
from tidegate.model import RecordKind, SystemClock, Tampered, Unavailable

from .postgres import Server

ANSWER = RecordKind.ANSWER


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the place of a ledger that is not there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    server: Server = request.getfixturevalue("server")
    return server.new_database()


def wait(journal: Journal, actor: str) -> asyncio.Future[Record]:
    return asyncio.ensure_future(journal.append_and_wait(ANSWER, {"of": actor}, actor=actor))


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


def on_disk(where: str) -> list[str]:
    with JournalReader.open(where) as reader:
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


def test_tasks_that_wait_at_the_same_time_share_one_durable_commit(where: str) -> None:
    names = [f"task {number}" for number in range(40)]

    async def scene(journal: Journal) -> None:
        begun = count_flights(journal)
        records = await asyncio.gather(*(wait(journal, name) for name in names))
        assert begun == [True]
        assert [record.seq for record in records] == list(range(1, 41))
        assert on_disk(where) == names, "each is there when its task goes on"

    with Journal.open(where, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        assert journal.verify().records == 40


def test_the_loop_goes_on_while_the_disk_works_and_what_comes_meanwhile_is_the_next_group(where: str) -> None:
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
        assert on_disk(where) == ["first", "no hurry", "second"]

    with Journal.open(where, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        journal.verify()


@pytest.mark.parametrize("sync", ["append", "flush", "read", "append_many"])
def test_who_does_not_wait_in_the_loop_comes_after_the_commit_that_is_on_its_way(
    where: str, sync: str
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
        assert on_disk(where)[:2] == ["first", "second"]
        assert [(await first).seq, (await second).seq] == [1, 2]

    with Journal.open(where, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        journal.verify()


def fail_for(journal: Journal, actor: str) -> None:
    project: Callable[..., None] = journal._commits._projector.project

    def picky(connection: Any, records: Sequence[AnyRecord], bodies: Any = None) -> None:
        if any(record.actor == actor for record in records):
            raise Tampered("not this one")
        project(connection, records, bodies)

    journal._commits._projector.project = picky  # type: ignore[method-assign, assignment]


def test_a_record_that_can_not_be_written_fails_alone_and_the_others_move_up(where: str) -> None:
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

    with Journal.open(where, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        journal.verify()
    assert sorted(on_disk(where)) == ["after", "better", "good", "no hurry"]


@pytest.mark.parametrize("who_lands", ["the loop", "a sync append"])
def test_a_commit_that_fails_in_its_thread_is_tried_again_record_by_record(
    where: str, who_lands: str
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
        assert on_disk(where)[:2] == ["one", "two"]

    with Journal.open(where, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
        journal.verify()


def test_a_store_that_stays_lost_is_told_to_everyone_who_waits_and_nothing_of_theirs_comes_later(
    where: str,
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

    with Journal.open(where, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
    assert on_disk(where) == ["three"]


def test_a_task_that_is_cancelled_while_its_record_goes_to_disk_is_cancelled_after_it(where: str) -> None:
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

    with Journal.open(where, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
    assert [record.seq for record in heard] == [1, 2]
    assert on_disk(where) == ["x", "x"]


def test_what_waits_when_the_loop_ends_is_written_by_whoever_comes_next(where: str) -> None:
    with Journal.open(where, clock=SystemClock()) as journal:
        loop = asyncio.new_event_loop()
        task = loop.create_task(journal.append_and_wait(ANSWER, {}, actor="cut off"))
        loop.run_until_complete(asyncio.sleep(0))
        assert not task.done()
        task.cancel()
        journal.append(ANSWER, {}, actor="next")
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
    assert on_disk(where) == ["cut off", "next"]


def test_a_record_that_nothing_acts_on_waits_for_nothing(where: str) -> None:
    async def scene(journal: Journal) -> None:
        begun = count_flights(journal)
        await journal.append_and_wait(RecordKind.GUARDS, {}, actor="x")
        assert begun == []

    with Journal.open(where, clock=SystemClock()) as journal:
        journal._timer.begin = lambda: None  # type: ignore[method-assign]
        asyncio.run(scene(journal))


def test_a_closed_journal_takes_nothing_from_tasks_either(where: str) -> None:
    journal = Journal.open(where, clock=SystemClock())
    journal.close()
    with pytest.raises(Unavailable, match="was closed"):
        asyncio.run(journal.append_and_wait(ANSWER, {}, actor="x"))


_KILLED_WRITER = """
import asyncio, os, signal, sys
from tidegate.ledger import Journal
from tidegate.model import RecordKind, SystemClock

where, moment, at = sys.argv[1], sys.argv[2], int(sys.argv[3])

async def writes(journal, task):
    for number in range(10):
        record = await journal.append_and_wait(RecordKind.ANSWER, {"task": task, "n": number}, actor="x")
        print(record.seq, record.hash, flush=True)

async def scene(journal):
    commit, flights = journal._writing.commit, []
    def dies():
        flights.append(1)
        if len(flights) == at and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit()
        if len(flights) == at:
            os.kill(os.getpid(), signal.SIGKILL)
    journal._writing.commit = dies
    await asyncio.gather(*(writes(journal, task) for task in range(5)))

with Journal.open(where, clock=SystemClock()) as journal:
    asyncio.run(scene(journal))
"""


@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_writer_killed_beside_a_shared_commit_loses_nothing_that_a_task_heard_of(
    where: str, tmp_path: Path, moment: str, at: int
) -> None:
    """Killed before the COMMIT: the group is gone whole. After it, before a task heard: it is there whole."""
    dead = subprocess.run(
        [sys.executable, "-c", _KILLED_WRITER, where, moment, str(at)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    heard = {int(line.split()[0]): line.split()[1] for line in dead.stdout.splitlines()}
    with eventually_open(where) as journal:
        kept = {record.seq: record.hash for record in journal.records()}
        assert heard.items() <= kept.items()
        assert len(kept) == len(heard) + (5 if moment == "after" else 0)
        assert len(heard) == 5 * (at - 1)
        assert journal.append(ANSWER, {}, actor="next").seq == len(kept) + 1
        assert journal.verify().records == len(kept) + 1
        assert rebuild(journal, tmp_path / "copy").is_equal


def eventually_open(where: str) -> Journal:
    """Open a ledger whose writer was killed: a server sees the end of its session a moment later."""
    end_ns = SystemClock().monotonic_ns() + 30 * 10**9
    while True:
        try:
            return Journal.open(where, clock=SystemClock())
        except Unavailable as silence:
            if silence.code != "ledger_leased" or SystemClock().monotonic_ns() > end_ns:
                raise


def test_a_session_that_is_lost_under_a_shared_commit_is_told_to_every_task(server: Server) -> None:
    url = server.new_database()

    async def scene(journal: Journal) -> None:
        assert (await wait(journal, "before")).seq == 1
        commit, works = journal._writing.commit, threading.Event()

        def held() -> None:
            assert works.wait(30)
            commit()

        journal._writing.commit = held  # type: ignore[method-assign]
        tasks = [wait(journal, "one"), wait(journal, "two")]
        await until(lambda: journal._shared._flight is not None)
        tasks.append(wait(journal, "three"))
        await asyncio.sleep(0)
        server.execute(
            "postgres",
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
            " WHERE starts_with(application_name, 'pid ')",
        )
        works.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in told] == [Unavailable] * 3
        assert {one.code for one in told if isinstance(one, Unavailable)} == {"ledger_unavailable"}

    with Journal.open(url, clock=SystemClock()) as journal:
        asyncio.run(scene(journal))
    assert on_disk(url) == ["before"]


def test_a_note_that_can_not_be_written_is_told_to_every_task_whose_record_it_should_vouch_for(
    where: str, tmp_path: Path
) -> None:
    """The records are on disk and stay there; who waited is told that nothing vouches for them yet."""

    class Full:
        def write(self, seq: int, hash_: str) -> None:
            raise OSError(28, "No space left on device")

    async def scene(journal: Journal) -> None:
        note, journal._commits._note = journal._commits._note, Full()  # type: ignore[assignment]
        told = await asyncio.gather(wait(journal, "one"), wait(journal, "two"), return_exceptions=True)
        assert [type(one) for one in told] == [Unavailable] * 2
        journal._commits._note = note
        assert (await wait(journal, "three")).seq == 3

    with Journal.open(where, clock=SystemClock(), notes=tmp_path / "notes") as journal:
        asyncio.run(scene(journal))
        assert journal.verify().records == 3
