from __future__ import annotations

from tidegate.app.cli.bench import _load


def test_the_benchmark_gives_the_fields_that_the_spec_names() -> None:
    result = _load("decode").run(logs=200, rounds=1)
    assert result["name"] == "decode"
    assert result["logs"] == 200
    assert result["peer"].startswith("eth-abi")
    assert all(result[name] > 0 for name in ("ratio", "logs_s", "records_s", "records_ratio", "peer_logs_s"))
