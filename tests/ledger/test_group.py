"""Up to 256 records or 2 ms: also when nobody appends the next one."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tidegate.ledger import Journal, JournalReader
from tidegate.ledger.timer import GroupTimer
from tidegate.model import Metric, NullRecorder, RecordKind, SystemClock, Tampered


def seen(path: Path) -> int:
    with JournalReader.open(path) as reader:
        return reader.head()[0]


def eventually(path: Path, seq: int) -> bool:
    end = time.monotonic() + 120
    while seen(path) < seq and time.monotonic() < end:
        threading.Event().wait(0.005)
    return seen(path) == seq


def test_a_group_that_nobody_adds_to_is_committed_by_its_age(path: Path) -> None:
    with Journal.open(path, clock=SystemClock()) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert eventually(path, 1)
        journal.append(RecordKind.NONCE, {"nonce": 1, "account": "0x"}, actor="x")
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert eventually(path, 3)
    assert not [one for one in threading.enumerate() if one.name == "journal group"]


def test_a_group_that_cannot_be_committed_in_time_is_told_to_the_next_who_adds(path: Path) -> None:
    with Journal.open(path, clock=SystemClock()) as journal:
        tried = threading.Event()

        def fail(*_: object) -> None:
            tried.set()
            raise Tampered("no")

        project, journal._commits._projector.project = journal._commits._projector.project, fail  # type: ignore[assignment]
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert tried.wait(120)
        journal._commits._projector.project = project  # type: ignore[method-assign]
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert eventually(path, 2)


def test_a_timer_that_ended_calls_nobody() -> None:
    calls: list[int] = []
    timer = GroupTimer(lambda: calls.append(1), 60)
    timer.begin()
    timer.end()
    timer.begin()
    assert calls == []


class Recording(NullRecorder):
    def __init__(self) -> None:
        self.seqs: list[float] = []
        self.commits: list[float] = []

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        assert (metric, labels) == (Metric.JOURNAL_SEQ, {})
        self.seqs.append(value)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        assert (metric, labels) == (Metric.JOURNAL_COMMIT_SECONDS, {})
        self.commits.append(value)


def test_seq_and_the_time_of_each_commit_are_measured(path: Path) -> None:
    recorder = Recording()
    with Journal.open(path, clock=SystemClock(), recorder=recorder) as journal:
        for _ in range(3):
            journal.append(RecordKind.ANSWER, {}, actor="x")
    assert recorder.seqs[-1] == 3
    assert len(recorder.commits) == 3
    assert all(0 < seconds < 60 for seconds in recorder.commits)
