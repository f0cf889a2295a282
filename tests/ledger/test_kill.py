"""SIGKILL between appends: nothing durable is lost, and what is left can be verified."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.ledger import Journal, JournalReader, rebuild
from tidegate.model import DURABLE_KINDS, ManualClock, RecordKind

_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from ledger.walks import an_intent, landed
from tidegate.ledger import Journal
from tidegate.model import DURABLE_KINDS, ManualClock

with Journal.open(Path(sys.argv[1]), clock=ManualClock(1)) as journal:
    for number in range(100_000):
        intent = an_intent(number)
        for body in landed(intent, nonce=number):
            record = journal.append(body.KIND, body, actor="street", correlation_id=intent.id)
            if record.kind in DURABLE_KINDS:
                print(record.seq, record.hash, flush=True)
"""


def kill_after(path: Path, acknowledged: int) -> list[tuple[int, str]]:
    """Run a writer, kill it once it has acknowledged so many records; return what it acknowledged."""
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), tests], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(int(seq), hash_) for seq, hash_ in whole]


def check(path: Path, acknowledged: list[tuple[int, str]], copy: Path) -> None:
    with JournalReader.open(path) as reader:
        report = reader.verify(checkpoint=acknowledged[-1])
        assert report.head_seq >= acknowledged[-1][0]
        hashes = {record.seq: record.hash for record in reader.records()}
        assert all(hashes[seq] == hash_ for seq, hash_ in acknowledged)
        durable = [record.seq for record in reader.records() if record.kind in DURABLE_KINDS]
        assert len(durable) >= len(acknowledged)
        assert rebuild(reader, copy).is_equal
    with Journal.open(path, clock=ManualClock(1)) as journal:
        assert journal.append(RecordKind.EVENT, {}, actor="x").seq == report.head_seq + 1


@pytest.mark.parametrize("acknowledged", [1, 2, 5, 17, 80])
def test_a_killed_writer_loses_nothing_that_it_acknowledged(
    path: Path, tmp_path: Path, acknowledged: int
) -> None:
    check(path, kill_after(path, acknowledged), tmp_path / "copy.sqlite")


@pytest.mark.slow
@pytest.mark.parametrize("acknowledged", range(3, 400, 7))
def test_a_killed_writer_loses_nothing_at_many_moments(path: Path, tmp_path: Path, acknowledged: int) -> None:
    check(path, kill_after(path, acknowledged), tmp_path / "copy.sqlite")
