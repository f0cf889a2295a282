from __future__ import annotations

from tidegate.app.cli.bench import _load


def test_the_benchmark_gives_the_fields_that_the_spec_names() -> None:
    result = _load("signer").run(signs=80, rounds=1)
    assert result["name"] == "signer"
    assert result["connections"] == 16
    figures = ("ratio", "signs_s", "framed_signs_s", "peer_signs_s", "p50_ms", "p99_ms")
    assert all(result[figure] > 0 for figure in figures)
