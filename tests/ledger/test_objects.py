"""A ledger without the note of its newest record, or with things in it that are not the journal's."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from tidegate.ledger import Journal, JournalReader, rebuild
from tidegate.model import ConfigError, ManualClock, RecordKind, Tampered, Unavailable

from .walks import write_runs


@pytest.fixture
def ledger(path: Path, clock: ManualClock) -> Path:
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, 2)
    return path


def note_of(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + "-head")


def execute(ledger: Path, *statements: str) -> None:
    connection = sqlite3.connect(ledger)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


CUT_AT_23 = (
    "DELETE FROM journal_records WHERE seq = 24",
    "UPDATE journal_head SET seq = 23, hash = (SELECT hash FROM journal_records WHERE seq = 23)",
)


@pytest.mark.parametrize("is_emptied", [False, True])
def test_without_its_note_a_ledger_is_not_called_whole(
    ledger: Path, clock: ManualClock, is_emptied: bool
) -> None:
    execute(ledger, *CUT_AT_23)
    if is_emptied:
        note_of(ledger).write_bytes(b"")
    else:
        note_of(ledger).unlink()
    with JournalReader.open(ledger) as reader:
        head = reader.head()
        with pytest.raises(Unavailable, match="after seq 23 were cut off") as caught:
            reader.verify()
        assert (caught.value.code, caught.value.exit_code) == ("head_note_missing", 12)
        assert f"--checkpoint 23:{head[1]}" in (caught.value.fix or "")
    with pytest.raises(Unavailable) as refused:
        Journal.open(ledger, clock=clock)
    assert refused.value.code == "head_note_missing"


def test_a_copy_without_its_note_is_accepted_by_its_newest_record_alone(ledger: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copied.sqlite"
    copy.write_bytes(ledger.read_bytes())
    with JournalReader.open(copy) as reader:
        newest, earlier = reader.head(), next(reader.records())
        assert reader.verify(checkpoint=newest).records == 24
        with pytest.raises(Unavailable):
            reader.verify(checkpoint=(earlier.seq, earlier.hash))
        rebuild(reader, tmp_path / "accepted.sqlite")
    with JournalReader.open(tmp_path / "accepted.sqlite") as accepted:
        assert accepted.verify().head_hash == newest[1]


def test_the_note_is_there_before_the_first_record(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock):
        assert note_of(path).read_bytes() == b"0" * 20 + b" " + b"0" * 64 + b"\n"
    note_of(path).unlink()
    with Journal.open(path, clock=clock) as journal:  # no record, so none can be missing
        journal.append(RecordKind.EVENT, {}, actor="x")


def test_a_note_that_is_a_folder_is_named(ledger: Path, clock: ManualClock) -> None:
    note_of(ledger).unlink()
    note_of(ledger).mkdir()
    with JournalReader.open(ledger) as reader, pytest.raises(Tampered, match="does not hold the head"):
        reader.verify()
    with pytest.raises(Tampered, match="does not hold the head"):
        Journal.open(ledger, clock=clock)


def test_a_ledger_that_is_gone_while_its_note_knows_of_records_is_tampered(ledger: Path) -> None:
    ledger.unlink()
    with pytest.raises(Tampered, match="seq 1 is missing"):
        JournalReader.open(ledger)


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (
            ["CREATE TRIGGER x AFTER INSERT ON journal_records BEGIN DELETE FROM journal_records; END"],
            "extra trigger x",
        ),
        (["CREATE VIEW x AS SELECT 1"], "extra view x"),
        (["CREATE TABLE x (y)"], "extra table x"),
        (["CREATE INDEX x ON journal_records (at_ms)"], "extra index x"),
        (["DROP INDEX attempts_by_outcome"], "missing index attempts_by_outcome"),
        (
            ["ALTER TABLE journal_records RENAME TO r", "CREATE VIEW journal_records AS SELECT * FROM r"],
            "extra view journal_records",
        ),
    ],
)  # fmt: skip
def test_what_is_not_the_journals_is_refused_by_reader_and_writer(
    ledger: Path, clock: ManualClock, statements: list[str], named: str
) -> None:
    execute(ledger, *statements)
    for attempt in (lambda: JournalReader.open(ledger), lambda: Journal.open(ledger, clock=clock)):
        with pytest.raises(Tampered) as caught:
            attempt()
        assert named in (caught.value.found or "")


def test_a_trigger_that_came_while_the_journal_was_open_is_found(ledger: Path, clock: ManualClock) -> None:
    with Journal.open(ledger, clock=clock) as journal:
        execute(ledger, "CREATE TRIGGER x AFTER INSERT ON journal_records BEGIN SELECT 1; END")
        with pytest.raises(Tampered):
            journal.verify()


def test_statistics_that_sqlite_made_are_no_harm(ledger: Path, clock: ManualClock) -> None:
    execute(ledger, "ANALYZE")
    with Journal.open(ledger, clock=clock) as journal:
        assert journal.verify().records == 24


@pytest.mark.parametrize("name", ["a" * 5_000, "zero\0byte", "taken/ledger.sqlite"])
def test_a_name_that_can_be_no_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(ConfigError, match="there is no ledger"):
        JournalReader.open(tmp_path / name)


def test_a_database_that_does_not_answer_is_no_matter_of_folders(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(Unavailable) as caught:
        Journal.open("postgresql+psycopg://nobody@127.0.0.1:1/none", clock=clock, notes=tmp_path)
    assert caught.value.code == "ledger_unavailable"
    assert "server" in str(caught.value.fix)
    assert "folder" not in str(caught.value.fix)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_no_ledger_and_nothing_is_made_beside_it(
    tmp_path: Path, clock: ManualClock, kind: str
) -> None:
    place = tmp_path / "there"
    place.mkdir() if kind == "folder" else os.mkfifo(place)
    with pytest.raises(ConfigError, match="can not be a ledger"):
        Journal.open(place, clock=clock)
    assert list(tmp_path.iterdir()) == [place]
