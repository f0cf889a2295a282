"""The desk's benches run, at a depth that shows that they do and give the figures they promise."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def from_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)


def test_sixteen_steps_are_one_legal_program_and_the_peer_encodes_the_same_calls() -> None:
    from bench import atomic_compile

    found = atomic_compile.run(rounds=2)
    assert (found["name"], found["steps"]) == ("atomic-compile", 16)
    assert found["plan_ms_p50"] > 0 < found["peer_ms_p50"]
    assert 3_000 < found["program_bytes"] <= 4_096
    assert {"peer", "ratio", "budgets"} <= set(found)


def test_attempts_that_are_open_at_once_on_one_signer_all_land_and_no_nonce_is_used_twice() -> None:
    from bench import atomic_load

    found = atomic_load.run(attempts=12)
    assert (found["name"], found["open_at_once"], found["landed"]) == ("atomic-load", 12, 12)
    assert (found["lost"], found["nonce_clashes"]) == (0, 0)
    assert found["decide_to_signed_ms_p95"] >= found["decide_to_signed_ms_p50"] > 0
    assert found["longest_landed"]
    assert 3_900 < found["longest_program_bytes"] <= 4_096
    assert found["heavy_gas_used"] > 0.95 * found["heavy_gas_limit"]
    assert {"peer", "ratio", "budgets"} <= set(found)
