from __future__ import annotations

from tidegate.app.cli.bench import _load


def test_the_benchmark_gives_the_fields_that_the_spec_names() -> None:
    result = _load("journal").run(runs=2, rounds=1)
    assert result["name"] == "journal"
    assert result["records"] == 30
    assert result["durable_commits"] == 8
    assert all(result[name] > 0 for name in ("ratio", "records_s", "verify_records_s", "peer_records_s"))
