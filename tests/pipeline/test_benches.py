"""The benches run, at a depth that shows nothing but that they do and give the figures they promise."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def from_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)


def test_the_pipelines_bench_gives_its_figures() -> None:
    from bench import pipeline

    found = pipeline.run(intents=8)
    assert found["intents"] == 8
    assert found["intents_s"] > 0
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert found["cpu_ms"] > 0
    assert found["requests"] >= found["exchanges"] > 1, "a send, and what is read before and after it"
    assert {"name", "peer", "ratio"} <= set(found)


def test_the_recovery_bench_reconciles_what_a_killed_worker_left() -> None:
    from bench import recover

    found = recover.run(open_transactions=6, rounds=1)
    assert found["open_transactions"] == 6
    assert found["seconds"] > found["reconciled_s"] > 0, "from the kill on, the new process's start included"
    assert {"name", "peer", "ratio"} <= set(found)
