"""A ledger of the first layout comes to this release's: a copy first, then all or nothing."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, event, inspect

from tidegate.ledger import SCHEMA_VERSION, Journal, JournalReader, migrate, rebuild
from tidegate.ledger.migrate import change_layout
from tidegate.ledger.schema import metadata
from tidegate.model import ConfigError, ManualClock, RecordKind, Tampered, Unavailable

from .walks import write_runs

RUNS = 3

# As the release with layout 1 made it.
FIRST_LAYOUT = """
CREATE TABLE ledger_schema (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE journal_records (
    seq INTEGER NOT NULL, at_ms BIGINT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
    correlation_id TEXT NOT NULL, causation_id TEXT NOT NULL, body TEXT NOT NULL, prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL, PRIMARY KEY (seq));
CREATE INDEX journal_records_by_correlation ON journal_records (correlation_id, seq);
CREATE INDEX journal_records_by_kind ON journal_records (kind, seq);
CREATE TABLE journal_head (id INTEGER NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (id));
CREATE TABLE attempts (
    intent_id TEXT NOT NULL, desk TEXT NOT NULL, subject TEXT NOT NULL, chain_id BIGINT NOT NULL,
    stage TEXT NOT NULL, notional_usd_e6 TEXT NOT NULL, states TEXT NOT NULL, plan_digest TEXT NOT NULL,
    transaction_hash TEXT NOT NULL, nonce BIGINT, outcome TEXT, reason TEXT, detail TEXT NOT NULL,
    block_number BIGINT, gas_used BIGINT NOT NULL, gas_cost_wei TEXT NOT NULL, first_seq BIGINT NOT NULL,
    intent_at_ms BIGINT NOT NULL, sent_at_ms BIGINT, settled_at_ms BIGINT, PRIMARY KEY (intent_id));
CREATE INDEX attempts_by_outcome ON attempts (outcome, first_seq);
CREATE TABLE pnl (
    seq INTEGER NOT NULL, line INTEGER NOT NULL, at_ms BIGINT NOT NULL, intent_id TEXT NOT NULL,
    desk TEXT NOT NULL, subject TEXT NOT NULL, stage TEXT NOT NULL, chain_id BIGINT NOT NULL,
    entry TEXT NOT NULL, token TEXT NOT NULL, symbol TEXT NOT NULL, decimals INTEGER NOT NULL,
    amount TEXT NOT NULL, cumulative TEXT NOT NULL, PRIMARY KEY (seq, line));
CREATE INDEX pnl_by_account ON pnl (stage, desk, chain_id, entry, token, seq, line);
"""


@pytest.fixture
def first(tmp_path: Path, path: Path, clock: ManualClock) -> Path:
    """Return a ledger of the first layout with the records of some runs, and its note."""
    newest = tmp_path / "newest.sqlite"
    with Journal.open(newest, clock=clock) as journal:
        write_runs(journal, RUNS)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(FIRST_LAYOUT)
        connection.execute("ATTACH ? AS newest", (str(newest),))
        for table in ("journal_records", "journal_head"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM newest.{table}")
        for table in ("attempts", "pnl"):
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO {table} SELECT {columns} FROM newest.{table}")
        connection.execute("INSERT INTO ledger_schema VALUES (1)")
        connection.commit()
    newest.with_name(newest.name + "-head").rename(path.with_name(path.name + "-head"))
    return path


def version_of(ledger: Path) -> int:
    with closing(sqlite3.connect(ledger)) as connection:
        found = connection.execute("SELECT version FROM ledger_schema").fetchone()[0]
    return int(found)


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def test_an_older_schema_is_refused_and_the_command_named(first: Path, clock: ManualClock) -> None:
    for attempt in (lambda: Journal.open(first, clock=clock), lambda: JournalReader.open(first)):
        with pytest.raises(ConfigError) as refused:
            attempt()
        assert refused.value.message.endswith(
            f"has ledger schema 1, this release reads schema {SCHEMA_VERSION}"
        )
        assert "tidegate journal migrate" in (refused.value.fix or "")
    assert version_of(first) == 1


def test_a_migration_keeps_every_record_and_folds_the_projections_anew(
    first: Path, backups: Path, clock: ManualClock, tmp_path: Path
) -> None:
    done = migrate(first, backups=backups, clock=clock)
    assert (done.from_version, done.to_version, done.records) == (1, SCHEMA_VERSION, 12 * RUNS)
    with Journal.open(first, clock=clock) as journal:
        assert journal.verify().records == 12 * RUNS
        assert [attempt.sender != "" for attempt in journal.attempts()] == [True] * RUNS
        assert {position.symbol for position in journal.positions()} == {"WETH", "ETH"}
        assert rebuild(journal, tmp_path / "copy.sqlite").is_equal
        journal.append(RecordKind.EVENT, {}, actor="x")
    assert migrate(first, backups=backups, clock=clock).backup is None


def test_a_backup_is_taken_before_a_migration_and_opens_with_the_old_layout(
    first: Path, backups: Path, clock: ManualClock
) -> None:
    before = sqlite3.connect(first)
    records = before.execute("SELECT * FROM journal_records").fetchall()
    before.close()
    done = migrate(first, backups=backups, clock=clock)
    assert done.backup is not None
    assert done.backup.parent == backups
    assert version_of(done.backup) == 1
    with closing(sqlite3.connect(done.backup)) as copy:
        assert copy.execute("SELECT * FROM journal_records").fetchall() == records
    assert sorted(one.name for one in backups.iterdir()) == [done.backup.name, f"{done.backup.name}-head"]
    assert migrate(done.backup, backups=backups, clock=ManualClock(2)).records == 12 * RUNS


def test_an_interrupted_migration_leaves_the_old_state_and_the_backup(
    first: Path, backups: Path, clock: ManualClock
) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "import tidegate.ledger; room = sys.modules['tidegate.ledger.migrate']\n"
        "from tidegate.model import ManualClock\n"
        "room.refuse_other_objects = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "room.migrate(Path(sys.argv[1]), backups=Path(sys.argv[2]), clock=ManualClock(1))\n"
    )
    dead = subprocess.run([sys.executable, "-c", script, str(first), str(backups)], check=False)
    assert dead.returncode == -signal.SIGKILL
    assert version_of(first) == 1
    with closing(sqlite3.connect(first)) as connection:
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (RUNS,)
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'standing'").fetchone() is None
    (kept,) = (one for one in backups.iterdir() if one.suffix == ".sqlite")
    assert version_of(kept) == 1
    assert migrate(first, backups=backups, clock=clock).records == 12 * RUNS


def test_no_migration_without_a_backup(first: Path, tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        migrate(first, backups=tmp_path / "absent", clock=clock)
    assert version_of(first) == 1


def test_records_that_are_not_whole_are_not_migrated(first: Path, backups: Path, clock: ManualClock) -> None:
    with closing(sqlite3.connect(first)) as connection:
        connection.execute("UPDATE journal_records SET actor = 'x' WHERE seq = 20")
        connection.commit()
    with pytest.raises(Tampered, match="seq 20 was changed"):
        migrate(first, backups=backups, clock=clock)
    assert version_of(first) == 1


def test_a_ledger_with_a_writer_is_not_migrated(path: Path, backups: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock), pytest.raises(Unavailable) as refused:
        migrate(path, backups=backups, clock=clock)
    assert refused.value.code == "ledger_leased"


def test_a_newer_schema_is_not_migrated_back(first: Path, backups: Path, clock: ManualClock) -> None:
    with closing(sqlite3.connect(first)) as connection:
        connection.execute(f"UPDATE ledger_schema SET version = {SCHEMA_VERSION + 1}")
        connection.commit()
    with pytest.raises(ConfigError, match=f"schema {SCHEMA_VERSION + 1}, this release reads"):
        migrate(first, backups=backups, clock=clock)
    assert list(backups.iterdir()) == []


def test_the_migrations_lead_to_the_layout_that_a_new_ledger_has(tmp_path: Path, server_url: str) -> None:
    for url in (f"sqlite:///{tmp_path / 'empty.sqlite'}", server_url):
        engine = create_engine(url)
        with engine.begin() as connection:
            change_layout(connection, 0)
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            made = conditions_of_indexes(connection)
            metadata.drop_all(connection)
            metadata.create_all(connection)
            assert conditions_of_indexes(connection) == made
            assert "'signature'" in str(made["journal_records_by_kind"])
        engine.dispose()


def conditions_of_indexes(connection: Connection) -> dict[str, str]:
    """Return what each index of the store holds only where it is true; alembic does not compare it."""
    kind = connection.dialect.name
    return {
        str(index["name"]): str(index.get("dialect_options", {}).get(f"{kind}_where"))
        for table in metadata.tables
        for index in inspect(connection).get_indexes(table)
    }


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        (RecordKind.HALT, "USING INDEX journal_records_by_kind"),
        (RecordKind.PLAN, "USING INTEGER PRIMARY KEY"),
    ],
)
def test_records_of_a_rare_kind_are_found_by_its_index_and_others_in_passing(
    path: Path, clock: ManualClock, kind: RecordKind, way: str
) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []
    with Journal.open(path, clock=clock) as journal:
        event.listen(
            journal._reading, "before_cursor_execute", lambda *call: asked.append((call[2], call[3]))
        )
        list(journal.records(kind=kind, after=1))
    with closing(sqlite3.connect(path)) as connection:
        ((statement, given),) = asked
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
    assert way in plan[0][3]
