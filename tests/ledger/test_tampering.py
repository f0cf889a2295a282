"""Whatever is done to the records behind the journal's back, verify finds it and names the seq."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tidegate.ledger import Journal, JournalReader
from tidegate.model import ManualClock, RecordKind, Tampered

from .pages import row_spans
from .walks import an_intent, denied, write, write_runs

RUNS = 4


@pytest.fixture
def ledger(path: Path, clock: ManualClock) -> Path:
    """Return a closed ledger of 48 records."""
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, RUNS)
    return path


def found_at(path: Path) -> int:
    """Return the seq that verify names."""
    with JournalReader.open(path) as reader, pytest.raises(Tampered) as found:
        reader.verify()
    assert found.value.exit_code == 13
    return int(re.search(r"seq (\d+)", found.value.message)[1])


def execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@contextmanager
def changed_byte(path: Path, offset: int, mask: int) -> Iterator[None]:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        for value in (bytes([byte[0] ^ mask]), byte):
            file.seek(offset)
            file.write(value)
            file.flush()
            if value != byte:
                yield


def is_found(path: Path) -> bool:
    try:
        with JournalReader.open(path) as reader:
            reader.verify()
    except Tampered:
        return True
    return False


def test_an_untouched_journal_is_whole(ledger: Path) -> None:
    with JournalReader.open(ledger) as reader:
        report = reader.verify()
    assert (report.records, report.head_seq) == (12 * RUNS, 12 * RUNS)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at_ms", "at_ms + 1"),
        ("actor", "'someone'"),
        ("kind", "'event'"),
        ("correlation_id", "'x'"),
        ("causation_id", "'x'"),
        ("body", "replace(body, '1', '2')"),
        ("body", "body || ' '"),
        ("body", "CAST(body AS BLOB)"),
        ("body", "'{'"),
        ("at_ms", "CAST(at_ms AS TEXT) || 'x'"),
        ("prev_hash", "hash"),
        ("hash", "prev_hash"),
    ],
)
def test_a_changed_column_is_found(ledger: Path, column: str, value: str) -> None:
    execute(ledger, f"UPDATE journal_records SET {column} = {value} WHERE seq = 17")
    assert found_at(ledger) == 17


def test_a_removed_record_is_found(ledger: Path) -> None:
    execute(ledger, "DELETE FROM journal_records WHERE seq = 17")
    assert found_at(ledger) == 17


def test_a_removed_record_whose_successors_moved_up_is_found(ledger: Path) -> None:
    execute(
        ledger,
        "DELETE FROM journal_records WHERE seq = 17",
        "UPDATE journal_records SET seq = seq - 1 WHERE seq > 17",
    )
    assert found_at(ledger) == 17


def test_two_records_that_changed_places_are_found(ledger: Path) -> None:
    execute(
        ledger,
        "UPDATE journal_records SET seq = -1 WHERE seq = 20",
        "UPDATE journal_records SET seq = 20 WHERE seq = 21",
        "UPDATE journal_records SET seq = 21 WHERE seq = -1",
    )
    assert found_at(ledger) == 20


def test_a_record_put_in_between_is_found(ledger: Path) -> None:
    execute(
        ledger,
        "UPDATE journal_records SET seq = seq + 1000 WHERE seq > 30",
        "INSERT INTO journal_records SELECT 31, at_ms, actor, kind, correlation_id, causation_id, body,"
        " prev_hash, hash FROM journal_records WHERE seq = 30",
        "UPDATE journal_records SET seq = seq - 999 WHERE seq > 1000",
    )
    assert found_at(ledger) == 31


@pytest.mark.parametrize("seq", [0, -1])
def test_a_record_put_before_the_first_is_found(ledger: Path, seq: int) -> None:
    execute(
        ledger,
        f"INSERT INTO journal_records SELECT {seq}, at_ms, actor, kind, correlation_id, causation_id, body,"
        " prev_hash, hash FROM journal_records WHERE seq = 1",
    )
    assert found_at(ledger) == 1


def test_a_cut_tail_is_found(ledger: Path) -> None:
    execute(ledger, "DELETE FROM journal_records WHERE seq > 40")
    assert found_at(ledger) == 41


def test_a_cut_tail_is_found_when_the_head_row_was_moved_back_with_it(
    ledger: Path, clock: ManualClock
) -> None:
    execute(
        ledger,
        "DELETE FROM journal_records WHERE seq > 40",
        "UPDATE journal_head SET seq = 40, hash = (SELECT hash FROM journal_records WHERE seq = 40)",
    )
    assert found_at(ledger) == 41
    with pytest.raises(Tampered, match="do not fit its head"):
        Journal.open(ledger, clock=clock)


def test_a_chain_written_anew_is_found_by_a_checkpoint(
    ledger: Path, path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    with JournalReader.open(ledger) as reader:
        checkpoint = reader.head()
        assert reader.verify(checkpoint=checkpoint).records == 12 * RUNS
    forged = tmp_path / "forged.sqlite"
    with Journal.open(forged, clock=clock) as journal:
        write_runs(journal, RUNS - 1)
        write(journal, an_intent(RUNS), denied(an_intent(RUNS)))
        for _ in range(10):
            journal.append(RecordKind.EVENT, {}, actor="x")
        assert journal.verify().records == checkpoint[0]
        with pytest.raises(Tampered, match=f"seq {checkpoint[0]} is not the one that the checkpoint"):
            journal.verify(checkpoint=checkpoint)
        with pytest.raises(Tampered, match="seq 49 is missing"):
            journal.verify(checkpoint=(checkpoint[0] + 1, checkpoint[1]))


def test_an_older_copy_in_its_place_is_found(ledger: Path, tmp_path: Path, clock: ManualClock) -> None:
    shutil.copy(ledger, tmp_path / "older")
    with Journal.open(ledger, clock=clock) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
    shutil.copy(tmp_path / "older", ledger)
    assert found_at(ledger) == 12 * RUNS + 1


def test_a_record_added_past_the_head_is_found(ledger: Path, clock: ManualClock) -> None:
    with Journal.open(ledger, clock=clock) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
    last = 12 * RUNS
    execute(
        ledger,
        f"UPDATE journal_head SET seq = {last}, hash = (SELECT hash FROM journal_records WHERE seq = {last})",
    )
    ledger.with_name(ledger.name + "-head").unlink()
    assert found_at(ledger) == last + 1
    with pytest.raises(Tampered, match="do not fit its head"):
        Journal.open(ledger, clock=clock)


def test_an_empty_file_in_its_place_is_found(ledger: Path, clock: ManualClock) -> None:
    ledger.unlink()
    ledger.touch()
    for attempt in (lambda: Journal.open(ledger, clock=clock), lambda: JournalReader.open(ledger)):
        with pytest.raises(Tampered, match="seq 1 is missing"):
            attempt()


def test_records_that_lost_their_index_are_found(ledger: Path) -> None:
    execute(
        ledger,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
        " WHERE name = 'attempts_by_outcome') WHERE name = 'journal_records_by_correlation'",
    )
    with JournalReader.open(ledger) as reader, pytest.raises(Tampered, match="indexes"):
        reader.verify()


def test_a_damaged_head_file_is_named(ledger: Path) -> None:
    note = ledger.with_name(ledger.name + "-head")
    note.write_bytes(note.read_bytes().replace(b"0", b"g", 1))
    with JournalReader.open(ledger) as reader, pytest.raises(Tampered, match="does not hold the head"):
        reader.verify()


def bytes_of_rows(path: Path) -> list[int]:
    return [
        offset + index for offset, length in row_spans(path, "journal_records") for index in range(length)
    ]


def test_any_flipped_byte_of_a_record_row_is_found(ledger: Path) -> None:
    rows = row_spans(ledger, "journal_records")
    assert len(rows) == 12 * RUNS
    offset, length = rows[20]
    chosen = set(range(offset, offset + length))
    chosen |= set(random.Random(7).sample(bytes_of_rows(ledger), 300))
    missed = []
    for position in sorted(chosen):
        with changed_byte(ledger, position, 0x01):
            if not is_found(ledger):
                missed.append(position)
    assert missed == []
    assert not is_found(ledger)


@pytest.mark.slow
@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_every_flipped_byte_of_every_record_row_is_found(ledger: Path, mask: int) -> None:
    missed = []
    for position in bytes_of_rows(ledger):
        with changed_byte(ledger, position, mask):
            if not is_found(ledger):
                missed.append(position)
    assert missed == []


def test_a_flipped_byte_names_the_record_that_it_is_in(ledger: Path) -> None:
    for seq, (offset, length) in list(enumerate(rows_in_order(ledger), start=1))[::9]:
        with changed_byte(ledger, offset + length - 70, 0x01):
            assert found_at(ledger) == seq


def rows_in_order(path: Path) -> list[tuple[int, int]]:
    spans = row_spans(path, "journal_records")
    content = path.read_bytes()
    hashes = sqlite3.connect(path)
    ordered = [row[0].encode() for row in hashes.execute("SELECT hash FROM journal_records ORDER BY seq")]
    hashes.close()
    by_hash = {content[offset + length - 64 : offset + length]: (offset, length) for offset, length in spans}
    return [by_hash[hash_] for hash_ in ordered]


def test_a_flipped_byte_in_the_write_ahead_log_is_found(
    path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    """SQLite answers such damage by forgetting the commits behind it; the head file remembers."""
    suffixes: Callable[[Path], list[Path]] = lambda base: [  # noqa: E731
        base.with_name(base.name + suffix) for suffix in ("", "-wal", "-head")
    ]
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, RUNS)
        journal.flush()
        images = []
        for number in range(12):
            (tmp_path / f"killed{number}").mkdir()
            image = tmp_path / f"killed{number}" / path.name
            for source, target in zip(suffixes(path), suffixes(image), strict=True):
                shutil.copy(source, target)
            images.append(image)
    length = images[0].with_name(path.name + "-wal").stat().st_size
    for number, image in enumerate(images):
        log = image.with_name(path.name + "-wal")
        with changed_byte(log, length * (number + 1) // 13, 0x01):
            assert is_found(image), number
