"""Appending, grouping, reading beside the writer, one writer, and failures of the disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from tidegate.ledger import GENESIS_HASH, SCHEMA_VERSION, Entry, Journal, JournalReader
from tidegate.ledger.group import Group
from tidegate.model import DURABLE_KINDS, ConfigError, ManualClock, RecordKind, Tampered, Unavailable

from .walks import an_intent, landed, what_stands, write, write_runs


def crash_image(path: Path, target: Path) -> Path:
    """Copy what a killed process would leave: the file, its write-ahead log and the head note."""
    target.mkdir()
    for suffix in ("", "-wal", "-head"):
        shutil.copy(path.with_name(path.name + suffix), target / (path.name + suffix))
    return target / path.name


def committed(path: Path) -> int:
    """Return the newest seq that another process can see."""
    with JournalReader.open(path) as reader:
        return reader.head()[0]


def test_records_come_back_in_order_and_by_what_they_belong_to(journal: Journal) -> None:
    write_runs(journal, 3)
    everything = list(journal.records())
    assert [record.seq for record in everything] == list(range(1, 37))
    one = list(journal.records(correlation_id=an_intent(1).id))
    assert len(one) == 11
    assert {record.correlation_id for record in one} == {an_intent(1).id}
    assert [record.seq for record in journal.records(kind=RecordKind.BOOKING)] == [12, 24, 36]
    assert [record.seq for record in journal.records(after=34)] == [35, 36]
    assert [record.seq for record in journal.records(after=10, limit=2)] == [11, 12]
    assert list(journal.records(limit=0)) == []
    assert [record.seq for record in journal.last_records(2)] == [35, 36]


def test_reading_pages_past_one_page(journal: Journal) -> None:
    for number in range(1_100):
        journal.append(RecordKind.EVENT, {"n": number}, actor="x")
    assert [record.body["n"] for record in journal.records()] == list(range(1_100))
    assert len(list(journal.records(limit=600))) == 600


@pytest.mark.parametrize("kind", sorted(DURABLE_KINDS))
def test_a_durable_kind_is_on_disk_when_append_returns(
    path: Path, tmp_path: Path, clock: ManualClock, kind: RecordKind
) -> None:
    bodies = {body.KIND: body for body in [*landed(an_intent()), *what_stands(), *what_stands(is_over=True)]}
    with Journal.open(path, clock=clock) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
        journal.append(kind, bodies.get(kind, {}), actor="x", correlation_id=an_intent().id)
        with JournalReader.open(crash_image(path, tmp_path / "killed")) as reader:
            assert reader.verify().records == 2
        assert journal._commits.is_on_disk


def test_other_kinds_wait_for_their_group(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock) as journal:
        for _ in range(255):
            journal.append(RecordKind.EVENT, {}, actor="x")
        assert committed(path) == 0
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert committed(path) == 256
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert committed(path) == 256
        journal.flush()
        assert committed(path) == 257


def test_a_group_is_not_kept_waiting_past_its_age(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
        clock.set_ms(clock.now_ms() + 1)
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert committed(path) == 0
        clock.set_ms(clock.now_ms() + 1)
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert committed(path) == 3


def test_a_read_through_the_writer_sees_its_open_group(journal: Journal) -> None:
    journal.append(RecordKind.EVENT, {"a": 1}, actor="x")
    assert [record.body for record in journal.records()] == [{"a": 1}]


def test_threads_share_one_chain(journal: Journal) -> None:
    def write_many(thread: int) -> None:
        for number in range(150):
            kind = RecordKind.ANSWER if number % 50 == 0 else RecordKind.EVENT
            journal.append(kind, {"thread": thread, "number": number}, actor=f"thread {thread}")
            if number % 40 == 0:
                list(journal.records(after=journal.head()[0] - 3))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_many, range(4)))
    assert journal.verify().records == 600
    by_thread = [[r.body["number"] for r in journal.records() if r.body["thread"] == n] for n in range(4)]
    assert by_thread == [list(range(150))] * 4


def test_opening_again_goes_on_where_it_ended(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
        head = journal.head()
    with Journal.open(path, clock=clock) as journal:
        assert journal.head() == head
        assert journal.append(RecordKind.EVENT, {}, actor="x").prev_hash == head[1]
        assert journal.verify().records == 2


def entries(intent_number: int) -> list[Entry]:
    intent = an_intent(intent_number)
    return [Entry(body.KIND, body, "street", correlation_id=intent.id) for body in landed(intent)]


def test_many_records_share_one_durable_commit(path: Path, tmp_path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock) as journal:
        assert journal.append_many([]) == []
        journal.append(RecordKind.EVENT, {}, actor="x")
        commits = count_commits(journal)
        added = journal.append_many([Entry(RecordKind.EVENT, {"n": n}, "x") for n in range(64)])
        assert commits == [True]
        assert [record.seq for record in added] == list(range(2, 66))
        with JournalReader.open(crash_image(path, tmp_path / "killed")) as reader:
            assert reader.verify().records == 65
        journal.append_many(entries(1))
        assert [attempt.intent_id for attempt in journal.attempts()] == [an_intent(1).id]


def test_of_many_records_all_are_appended_or_none(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock) as journal:
        kept = journal.append(RecordKind.EVENT, {"kept": True}, actor="x")
        with pytest.raises(ValueError, match="not the body of a sent record"):
            journal.append_many([*entries(1), Entry(RecordKind.SENT, {}, "x")])
        with pytest.raises(ValueError, match="nonsense"):
            journal.append_many([*entries(1), Entry("nonsense", {}, "x")])  # type: ignore[arg-type]
        assert journal.head() == (kept.seq, kept.hash)
        journal.flush()
        fill_the_disk(journal)
        big = Entry(RecordKind.EVENT, {"note": "x" * 200_000}, "x")
        with pytest.raises(Unavailable):
            journal.append_many([*entries(1), big])
        free_the_disk(journal)
        clock.set_ms(clock.now_ms() + 1_000)
        assert journal.head() == (kept.seq, kept.hash)
        journal.append_many(entries(2))
        assert journal.verify().records == 1 + 11
        assert [attempt.intent_id for attempt in journal.attempts()] == [an_intent(2).id]


def count_commits(journal: Journal) -> list[bool]:
    """Return a list that grows by one for each commit: was it durable?"""
    commits: list[bool] = []
    commit = journal._commits.commit

    def counted(group: Group, *, durable: bool) -> None:
        commits.append(durable)
        commit(group, durable=durable)

    journal._commits.commit = counted  # type: ignore[method-assign]
    return commits


def test_an_empty_journal_is_whole(journal: Journal) -> None:
    assert journal.verify().head_hash == GENESIS_HASH
    assert list(journal.records()) == []


def test_a_closed_journal_takes_nothing(path: Path, clock: ManualClock) -> None:
    journal = Journal.open(path, clock=clock)
    journal.close()
    journal.close()
    with pytest.raises(Unavailable, match="was closed"):
        journal.append(RecordKind.EVENT, {}, actor="x")


def test_a_crash_image_is_readable_without_its_shared_memory_file(
    path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, 2)
        journal.flush()
        image = crash_image(path, tmp_path / "killed")
    with JournalReader.open(image) as reader:
        assert reader.verify().records == 24
    with Journal.open(image, clock=clock) as again:
        assert again.head()[0] == 24


def test_a_second_writer_is_refused_and_the_holder_named(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock):
        script = (
            "import sys; from pathlib import Path\n"
            "from tidegate.ledger import Journal, JournalReader\n"
            "from tidegate.model import SystemClock, Unavailable\n"
            "with JournalReader.open(Path(sys.argv[1])) as reader: print('read', reader.head()[0])\n"
            "try: Journal.open(Path(sys.argv[1]), clock=SystemClock())\n"
            "except Unavailable as error: print(error.code, error.found)\n"
        )
        output = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        with pytest.raises(Unavailable, match="has a writer already"):
            Journal.open(path, clock=clock)
    assert output[0] == "read 0"
    assert output[1].startswith(f"ledger_leased pid {os.getpid()} on ")


def test_a_dead_holders_lease_is_taken_over(path: Path, clock: ManualClock) -> None:
    script = (
        "import os, sys, signal; from pathlib import Path\n"
        "from tidegate.ledger import Journal\n"
        "from tidegate.model import SystemClock\n"
        "journal = Journal.open(Path(sys.argv[1]), clock=SystemClock())\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    dead = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert dead.returncode == -9
    with Journal.open(path, clock=clock) as journal:
        assert journal.append(RecordKind.EVENT, {}, actor="x").seq == 1


def fill_the_disk(journal: Journal) -> None:
    """Let the store grow no further; SQLite then answers as on a full disk."""
    connection = journal._writing._connection
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def free_the_disk(journal: Journal) -> None:
    journal._writing._connection.exec_driver_sql("PRAGMA max_page_count = 1000000")


def test_a_full_disk_takes_nothing_in_half(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, 1)
        journal.flush()
        kept = journal.append(RecordKind.EVENT, {"kept": True}, actor="x")
        fill_the_disk(journal)
        intent = an_intent(2)
        big = {**landed(intent)[0].to_body(), "note": "x" * 200_000}
        with pytest.raises(Unavailable) as refused:
            journal.append(RecordKind.INTENT, big, actor="x", correlation_id=intent.id)
        assert refused.value.code == "ledger_full"
        assert "SQLITE_FULL" in str(refused.value.found)
        assert refused.value.exit_code == 12
        assert committed(path) == 12
        assert journal.head() == (kept.seq, kept.hash)
        free_the_disk(journal)
        clock.set_ms(clock.now_ms() + 1_000)
        write(journal, intent, landed(intent))
        assert journal.verify().records == 12 + 1 + 11
        assert [attempt.intent_id for attempt in journal.attempts()] == [an_intent(0).id, intent.id]


def test_a_file_that_may_not_grow_is_unavailable(path: Path) -> None:
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from tidegate.ledger import Journal\n"
        "from tidegate.model import ManualClock, RecordKind, Unavailable\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal.open(Path(sys.argv[1]), clock=ManualClock(1))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    for n in range(10_000):\n"
        "        journal.append(RecordKind.EVENT, {'n': n, 'x': 'y' * 1000}, actor='x'); journal.flush()\n"
        "except Unavailable as error: print(n, error.code)\n"
        "import os; os._exit(0)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    ).stdout.split()
    with JournalReader.open(path) as reader:
        assert reader.verify().records == int(output[0]) > 0
    assert output[1] == "ledger_full"


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can not be a ledger"):
        Journal.open(tmp_path / "file" / "ledger.sqlite", clock=clock)


def test_a_read_only_reader_cannot_write(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock):
        pass
    path.chmod(stat.S_IRUSR)
    with (
        JournalReader.open(path) as reader,
        reader._reading.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.exec_driver_sql("DELETE FROM journal_records")


def test_a_newer_schema_is_refused_and_both_versions_named(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE ledger_schema SET version = {SCHEMA_VERSION + 1}")
    connection.close()
    named = f"has ledger schema {SCHEMA_VERSION + 1}, this release reads schema {SCHEMA_VERSION}"
    for attempt in (lambda: Journal.open(path, clock=clock), lambda: JournalReader.open(path)):
        with pytest.raises(ConfigError, match=named):
            attempt()


def test_a_foreign_database_is_refused_and_not_touched(path: Path, clock: ManualClock) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(ConfigError, match="is not a ledger"):
        Journal.open(path, clock=clock)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    connection.close()


def test_a_file_that_never_was_a_ledger_is_a_wrong_argument(path: Path, clock: ManualClock) -> None:
    for content in ("name: first\n", "not a database, but long enough to be read as the header of one" * 20):
        path.write_text(content)
        with pytest.raises(ConfigError, match="is not a ledger"):
            Journal.open(path, clock=clock)
        with pytest.raises(ConfigError, match="is not a ledger"):
            JournalReader.open(path)
        assert [file.name for file in path.parent.iterdir()] == [path.name]  # and nothing is left beside it
        assert path.read_text() == content


@pytest.mark.parametrize("damaged", [slice(0, 4), slice(16, 100)])
def test_a_ledger_whose_beginning_is_damaged_is_tampered_with(
    journal: Journal, path: Path, clock: ManualClock, damaged: slice
) -> None:
    journal.close()
    content = bytearray(path.read_bytes())
    content[damaged] = bytes(damaged.stop - damaged.start)
    path.write_bytes(content)
    with pytest.raises(Tampered, match="damaged"):
        Journal.open(path, clock=clock)
    with pytest.raises(Tampered, match="damaged"):
        JournalReader.open(path)


def test_no_ledger_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no ledger at"):
        JournalReader.open(tmp_path / "absent.sqlite")
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(ConfigError, match="is empty"):
        JournalReader.open(tmp_path / "empty.sqlite")


def test_export_is_one_checkable_object_a_line(journal: Journal, tmp_path: Path) -> None:
    write_runs(journal, 2)
    target = tmp_path / "journal.jsonl"
    assert journal.export(target) == 24
    previous = "00" * 32
    lines = target.read_bytes().splitlines()
    for line in lines:
        record = json.loads(line)
        stated, prev_hash = record.pop("hash"), record.pop("prev_hash")
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert prev_hash == previous
        assert hashlib.sha256(bytes.fromhex(previous) + text).hexdigest() == stated
        previous = stated
    assert (len(lines), previous) == journal.head()
    assert list(tmp_path.glob("*.partial")) == []
