"""What is written from a ledger never lands on anything, and is whole or not there."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.ledger import Journal, JournalReader, rebuild
from tidegate.model import ConfigError, ManualClock, RecordKind, Tampered, Unavailable

from .walks import write_runs

Write = Callable[[JournalReader, Path], object]

WRITERS = [
    pytest.param(lambda reader, target: reader.export(target), id="export"),
    pytest.param(rebuild, id="rebuild"),
]


@pytest.fixture
def reader(path: Path, clock: ManualClock) -> JournalReader:
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, 2)
    return JournalReader.open(path)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("suffix", ["", "-head", "-lease", "-wal", "-shm", "-journal"])
def test_the_ledger_and_its_own_files_are_never_written_over(
    reader: JournalReader, path: Path, write: Write, suffix: str
) -> None:
    target = path.with_name(path.name + suffix)
    before = target.read_bytes() if target.exists() else None
    with pytest.raises(ConfigError) as caught:
        write(reader, target)
    assert (caught.value.code, caught.value.exit_code) == ("output", 3)
    assert caught.value.allowed
    assert caught.value.fix
    assert (target.read_bytes() if target.exists() else None) == before
    assert reader.verify().records == 24


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", ["taken", "folder", "dangling", "nowhere/file", "taken/file", "a" * 5_000])
def test_a_place_that_cannot_be_is_refused_and_nothing_is_left(
    reader: JournalReader, tmp_path: Path, write: Write, name: str
) -> None:
    place = tmp_path / "place"
    (place / "folder").mkdir(parents=True)
    (place / "taken").write_text("precious")
    (place / "dangling").symlink_to(place / "elsewhere")
    with pytest.raises(ConfigError) as caught:
        write(reader, place / name)
    assert caught.value.code == "output"
    assert sorted(one.name for one in place.iterdir()) == ["dangling", "folder", "taken"]
    assert (place / "taken").read_text() == "precious"


@pytest.mark.parametrize("write", WRITERS)
def test_a_write_that_fails_in_the_middle_leaves_nothing(
    reader: JournalReader, path: Path, tmp_path: Path, write: Write
) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE journal_records SET kind = 'nonsense' WHERE seq = 20")
    connection.close()
    (tmp_path / "place").mkdir()
    with pytest.raises(Tampered, match="seq 20"):
        write(reader, tmp_path / "place" / "copy")
    assert list((tmp_path / "place").iterdir()) == []


def test_a_disk_that_is_full_is_said_and_nothing_is_left(reader: JournalReader, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tidegate.ledger import JournalReader\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "JournalReader.open(Path(sys.argv[1])).export(Path(sys.argv[2]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(reader.place), str(tmp_path / "place" / "copy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Unavailable" in done.stderr.splitlines()[-1]
    assert list((tmp_path / "place").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that Linux has")
def test_a_stream_that_is_full_is_said(reader: JournalReader) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(Unavailable) as caught:
        reader.export(full)
    assert caught.value.code == "output"


def test_a_body_that_is_not_of_its_kind_stops_a_rebuild(
    reader: JournalReader, path: Path, tmp_path: Path
) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE journal_records SET body = '{}' WHERE kind = 'intent'")
    connection.close()
    with pytest.raises(Tampered, match="not the form of its kind"):
        rebuild(reader, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_that_was_rebuilt_is_written_on(
    reader: JournalReader, tmp_path: Path, clock: ManualClock
) -> None:
    rebuild(reader, tmp_path / "copy")
    with Journal.open(tmp_path / "copy", clock=clock) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert journal.verify().records == 25
