"""The same tests against SQLite and a real PostgreSQL server: a ledger behaves alike in both."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from tidegate.ledger import (
    SCHEMA_VERSION,
    Body,
    Entry,
    Journal,
    JournalReader,
    migrate,
    place_of,
    rebuild,
)
from tidegate.model import ConfigError, ManualClock, RecordKind, SystemClock, Tampered, Unavailable

from .postgres import Server
from .test_projections import scripts
from .walks import an_intent, landed, what_stands, write, write_runs


@dataclass(frozen=True)
class BackEnd:
    """Where a new ledger goes, and how to do things behind the journal's back."""

    where: str
    execute: Callable[..., object]

    def open(self, clock: ManualClock | None = None) -> Journal:
        return Journal.open(self.where, clock=clock or ManualClock(1_700_000_000_000))

    def reader(self) -> JournalReader:
        return JournalReader.open(self.where)

    def committed(self) -> int:
        with self.reader() as reader:
            return reader.head()[0]


def in_sqlite(folder: Path) -> BackEnd:
    path = folder / "ledger.sqlite"

    def execute(*statements: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return BackEnd(str(path), execute)


def in_postgres(server: Server) -> BackEnd:
    url = server.new_database()
    database = str(make_url(url).database)
    return BackEnd(url, lambda *statements: server.execute(database, *statements))


@pytest.fixture(params=["sqlite", "postgresql"])
def back_end(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BackEnd]:
    if request.param == "sqlite":
        yield in_sqlite(tmp_path)
    else:
        yield in_postgres(request.getfixturevalue("server"))


def test_records_and_projections_come_back_as_they_were_written(back_end: BackEnd, tmp_path: Path) -> None:
    with back_end.open() as journal:
        write_runs(journal, 3)
        for body in what_stands():
            journal.append(body.KIND, body, actor="x")
        written = list(journal.records())
        assert [record.seq for record in written] == list(range(1, 44))
        attempts, lines = journal.attempts(), journal.profit_and_loss()
        positions, leases = journal.positions(), journal.standing("lease")
    with back_end.reader() as reader:
        assert reader.verify().records == 43
        assert list(reader.records()) == written
        assert (reader.attempts(), reader.profit_and_loss()) == (attempts, lines)
        assert (reader.positions(), reader.standing("lease")) == (positions, leases)
        assert rebuild(reader, tmp_path / "copy").is_equal
    with back_end.open() as journal:
        assert journal.head() == (43, written[-1].hash)
        assert journal.append(RecordKind.EVENT, {}, actor="x").prev_hash == written[-1].hash


def test_both_back_ends_give_the_same_chain_byte_for_byte(tmp_path: Path, server: Server) -> None:
    heads = []
    for back_end in (in_sqlite(tmp_path), in_postgres(server)):
        with back_end.open() as journal:
            write_runs(journal, 2)
            heads.append(journal.head())
    assert heads[0] == heads[1]


def test_a_durable_record_is_there_when_append_returns_others_wait_for_their_group(back_end: BackEnd) -> None:
    with back_end.open() as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert back_end.committed() == 0
        journal.append(RecordKind.ANSWER, {}, actor="x")
        assert back_end.committed() == 2
        journal.append_many([Entry(RecordKind.EVENT, {"n": n}, "x") for n in range(64)])
        assert back_end.committed() == 66
        for _ in range(255):
            journal.append(RecordKind.EVENT, {}, actor="x")
        assert back_end.committed() == 66
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert back_end.committed() == 322


def test_a_commit_that_fails_leaves_the_records_before_it(back_end: BackEnd) -> None:
    with back_end.open() as journal:
        write_runs(journal, 1)
        journal.flush()
        kept = journal.append(RecordKind.EVENT, {"kept": True}, actor="x")
        project, journal._commits._projector.project = journal._commits._projector.project, fail_to_project  # type: ignore[assignment]
        with pytest.raises(Unavailable, match="the projection fails"):
            write(journal, an_intent(2), landed(an_intent(2)))
        journal._commits._projector.project = project  # type: ignore[method-assign]
        assert journal.head() == (kept.seq, kept.hash)
        assert back_end.committed() == 12
        write(journal, an_intent(2), landed(an_intent(2)))
        assert journal.verify().records == 12 + 1 + 11


def fail_to_project(*_: object) -> None:
    raise Unavailable("the projection fails")


def test_threads_share_one_chain(back_end: BackEnd) -> None:
    def write_many(thread: int) -> None:
        for number in range(40):
            kind = RecordKind.ANSWER if number % 10 == 0 else RecordKind.EVENT
            journal.append(kind, {"thread": thread, "number": number}, actor=f"thread {thread}")
            if number % 15 == 0:
                list(journal.records(after=journal.head()[0] - 3))

    with back_end.open() as journal:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(write_many, range(3)))
        assert journal.verify().records == 120


def test_a_second_writer_is_refused_and_the_holder_named(back_end: BackEnd) -> None:
    with back_end.open(), pytest.raises(Unavailable, match="has a writer already") as refused:
        back_end.open()
    assert refused.value.code == "ledger_leased"
    assert str(refused.value.found).startswith(f"pid {os.getpid()} on ")
    back_end.open().close()


def test_a_killed_writers_lease_is_taken_over_and_nothing_durable_is_lost(back_end: BackEnd) -> None:
    script = (
        "import os, sys, signal\n"
        "from tidegate.ledger import Journal\n"
        "from tidegate.model import RecordKind, SystemClock\n"
        "journal = Journal.open(sys.argv[1], clock=SystemClock())\n"
        "for n in range(20): journal.append(RecordKind.ANSWER, {'n': n}, actor='x')\n"
        "print(*journal.head(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    dead = subprocess.run(
        [sys.executable, "-c", script, back_end.where], capture_output=True, text=True, check=False
    )
    assert dead.returncode == -9
    seq, hash_ = dead.stdout.split()
    with eventually_open(back_end) as journal:
        assert journal.verify(checkpoint=(int(seq), hash_)).records == 20


def eventually_open(back_end: BackEnd) -> Journal:
    """Open a ledger whose writer was killed: a server sees the end of its session a moment later."""
    end_ns = SystemClock().monotonic_ns() + 30 * 10**9
    while True:
        try:
            return back_end.open()
        except Unavailable as silence:
            if silence.code != "ledger_leased" or SystemClock().monotonic_ns() > end_ns:
                raise


@pytest.mark.parametrize(
    ("statements", "seq"),
    [
        (["UPDATE journal_records SET actor = 'x' WHERE seq = 17"], 17),
        (["UPDATE journal_records SET body = replace(body, '1', '2') WHERE seq = 17"], 17),
        (["DELETE FROM journal_records WHERE seq = 17"], 17),
        (
            [
                "DELETE FROM journal_records WHERE seq = 17",
                "UPDATE journal_records SET seq = seq - 1 WHERE seq = 18",
            ],
            17,
        ),
        (["DELETE FROM journal_records WHERE seq > 20"], 21),
        (
            [
                "INSERT INTO journal_records SELECT 0, at_ms, actor, kind, correlation_id, causation_id,"
                " body, prev_hash, hash FROM journal_records WHERE seq = 1"
            ],
            1,
        ),
    ],
    ids=["changed", "body", "removed", "moved up", "cut", "put before"],
)
def test_what_is_done_behind_the_journals_back_is_found(
    back_end: BackEnd, statements: list[str], seq: int
) -> None:
    with back_end.open() as journal:
        write_runs(journal, 2)
    back_end.execute(*statements)
    with back_end.reader() as reader, pytest.raises(Tampered, match=f"seq {seq} "):
        reader.verify()


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE x (y INTEGER)", "CREATE VIEW x AS SELECT 1", "DROP INDEX attempts_by_outcome"],
)
def test_what_is_not_the_journals_is_refused(back_end: BackEnd, statement: str) -> None:
    back_end.open().close()
    back_end.execute(statement)
    for attempt in (back_end.open, back_end.reader):
        with pytest.raises(Tampered, match="other tables, indexes, triggers or views"):
            attempt()


def test_a_store_of_something_else_is_refused_and_not_touched(back_end: BackEnd) -> None:
    back_end.execute("CREATE TABLE recipes (name TEXT)")
    for attempt in (back_end.open, back_end.reader):
        with pytest.raises(ConfigError, match="is not a ledger"):
            attempt()


def test_a_newer_schema_is_refused_and_both_versions_named(back_end: BackEnd, tmp_path: Path) -> None:
    back_end.open().close()
    back_end.execute(f"UPDATE ledger_schema SET version = {SCHEMA_VERSION + 1}")
    named = f"has ledger schema {SCHEMA_VERSION + 1}, this release reads schema {SCHEMA_VERSION}"
    for attempt in (
        back_end.open,
        back_end.reader,
        lambda: migrate(back_end.where, backups=tmp_path, clock=ManualClock(1)),
    ):
        with pytest.raises(ConfigError, match=named):
            attempt()


FROM_OLDER_LAYOUTS = {
    1: (
        "DROP TABLE positions",
        "DROP TABLE standing",
        "DROP TABLE alembic_version",
        "DROP INDEX attempts_by_block",
    ),
    2: ("UPDATE alembic_version SET version_num = '0002'",),
}


@pytest.mark.parametrize("version", FROM_OLDER_LAYOUTS)
def test_an_older_schema_is_migrated_after_a_backup(back_end: BackEnd, tmp_path: Path, version: int) -> None:
    """An older layout is made of the newest by taking back what the later migrations did."""
    with back_end.open() as journal:
        write_runs(journal, 2)
        positions = journal.positions()
    back_end.execute(
        *FROM_OLDER_LAYOUTS[version],
        "DROP INDEX journal_records_by_kind",
        "CREATE INDEX journal_records_by_kind ON journal_records (kind, seq)",
        f"UPDATE ledger_schema SET version = {version}",
    )
    with pytest.raises(ConfigError, match=f"has ledger schema {version}"):
        back_end.open()
    (tmp_path / "backups").mkdir()
    done = migrate(back_end.where, backups=tmp_path / "backups", clock=ManualClock(1))
    assert (done.from_version, done.to_version, done.records) == (version, SCHEMA_VERSION, 24)
    assert done.backup is not None
    assert done.backup.exists()
    with back_end.open() as journal:
        assert journal.verify().records == 24
        assert journal.positions() == positions
        assert rebuild(journal, tmp_path / "copy").is_equal
        assert list(journal.records(kind=RecordKind.PLAN)) == [
            record for record in journal.records() if record.kind is RecordKind.PLAN
        ]


@pytest.mark.parametrize("postgres", [False, True], ids=["sqlite", "postgresql"])
@settings(
    deadline=None,
    derandomize=True,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(script=scripts())
def test_a_rebuild_equals_the_live_tables(
    server: Server, postgres: bool, script: list[tuple[str, Body | None]]
) -> None:
    rebuilt_equals_live(server, postgres, script)


@pytest.mark.slow
@settings(
    deadline=None,
    derandomize=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(script=scripts(), postgres=st.booleans())
def test_a_rebuild_equals_the_live_tables_many_times(
    server: Server, postgres: bool, script: list[tuple[str, Body | None]]
) -> None:
    rebuilt_equals_live(server, postgres, script)


def rebuilt_equals_live(server: Server, postgres: bool, script: list[tuple[str, Body | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        back_end = in_postgres(server) if postgres else in_sqlite(Path(folder))
        with back_end.open() as journal:
            for intent_id, body in script:
                if body is None:
                    journal.flush()
                else:
                    journal.append(body.KIND, body, actor="street", correlation_id=intent_id)
            assert rebuild(journal, Path(folder) / "copy").differences == ()


def test_a_lost_session_is_never_opened_again_behind_the_journals_back(server: Server) -> None:
    back_end = in_postgres(server)
    with back_end.open() as journal:
        journal.append(RecordKind.ANSWER, {"n": 1}, actor="x")
        server.execute(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE starts_with(application_name, 'pid ')",
        )
        for _ in range(2):
            with pytest.raises(Unavailable) as lost:
                journal.append(RecordKind.ANSWER, {"n": 2}, actor="x")
            assert lost.value.code == "ledger_unavailable"
        with back_end.open() as other:  # somebody else may be the writer by now
            assert other.append(RecordKind.ANSWER, {"n": 3}, actor="y").seq == 2
        with pytest.raises(Unavailable):
            journal.append(RecordKind.ANSWER, {"n": 4}, actor="x")
    with back_end.reader() as reader:
        assert [record.body["n"] for record in reader.records()] == [1, 3]


def test_commits_that_must_last_wait_for_the_servers_disk(server: Server) -> None:
    back_end = in_postgres(server)

    def mode(journal: Journal) -> str:
        return str(journal._writing.connection.exec_driver_sql("SHOW synchronous_commit").scalar())

    with back_end.open() as journal:
        journal.append(RecordKind.ANSWER, {}, actor="x")
        assert mode(journal) == "on"
        journal.append(RecordKind.EVENT, {}, actor="x")
        list(journal.records())
        assert mode(journal) == "off"
        journal.flush()
        assert mode(journal) == "on"


def test_a_database_that_was_put_back_is_seen_by_the_note(server: Server, tmp_path: Path) -> None:
    url, notes = server.new_database(), tmp_path / "notes"
    with Journal.open(url, clock=ManualClock(1), notes=notes) as journal:
        write_runs(journal, 2)
        journal.flush()
    place = place_of(url, notes=notes)
    assert place.note is not None
    assert place.note.read_bytes().startswith(b"0" * 18 + b"24 ")
    server.execute(
        str(make_url(url).database),
        "DELETE FROM journal_records WHERE seq > 20",
        "UPDATE journal_head SET seq = 20, hash = (SELECT hash FROM journal_records WHERE seq = 20)",
    )
    with pytest.raises(Tampered, match="do not fit its head"):
        Journal.open(url, clock=ManualClock(1), notes=notes)
    with JournalReader.open(url, notes=notes) as reader, pytest.raises(Tampered, match="seq 21 is missing"):
        reader.verify()
    Journal.open(url, clock=ManualClock(1)).close()  # another machine has no note of it


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    url = "postgresql+psycopg://tidegate:hunter2@127.0.0.1:1/ledger"
    place = place_of(url)
    assert str(place) == "postgresql://tidegate@127.0.0.1:1/ledger"
    for attempt in (lambda: JournalReader.open(url), lambda: Journal.open(url, clock=ManualClock(1))):
        with pytest.raises(Unavailable) as silent:
            attempt()
        error: BaseException | None = silent.value
        while error is not None:
            assert "hunter2" not in f"{error} {error!r} {getattr(error, 'found', '')}"
            error = error.__cause__
    assert "hunter2" not in repr(place)
    with pytest.raises(ConfigError) as refused:
        place_of("postgresql+asyncpg://tidegate:hunter2@127.0.0.1/ledger")
    assert "hunter2" not in str(refused.value)


def test_a_database_that_is_not_there_is_unavailable(server: Server) -> None:
    with pytest.raises(Unavailable) as silent:
        Journal.open(server.url("absent"), clock=ManualClock(1))
    assert silent.value.code == "ledger_unavailable"
    assert silent.value.exit_code == 12
