"""``tidegate backtest``: a tape is recorded and decided on again."""

import json
from pathlib import Path

import pytest

from tidegate.app import cli
from tidegate.desks.atomic import new_strategy
from tidegate.model import ConfigError, Tampered
from tidegate.sim import Tape


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    (tmp_path / "arb.yaml").write_text(new_strategy("arb", "flash-arb"), encoding="utf-8")
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_tape_is_recorded_and_the_same_journal_comes_of_it_each_time(folder, capsys):
    assert (
        cli.run_command(["backtest", "record", "arb.yaml", "--output", "t", "--blocks", "4", "--json"]) == 0
    )
    recorded = answer(capsys)
    assert (recorded["blocks"], recorded["digest"]) == (4, Tape.load(folder / "t").digest)
    found = []
    for _ in range(2):
        assert cli.run_command(["backtest", "atomic", "--tape", "t", "--json"]) == 0
        found.append(answer(capsys))
    first, second = found
    assert first["journal"] == second["journal"]
    assert first["ledger"] != second["ledger"], "no run is written over another"
    assert first["strategies"]["arb"]["decisions"] == 4
    assert cli.run_command(["journal", "verify", "--ledger", first["ledger"], "--json"]) == 0


def test_other_strategies_than_the_tape_s_may_be_named(folder, tape, capsys):
    tape.save(folder / "t")
    assert cli.run_command(["backtest", "atomic", "--tape", "t", "arb.yaml", "--latency", "0", "--json"]) == 0
    found = answer(capsys)
    assert set(found["strategies"]) == {"arb"}
    assert found["latency_blocks"] == 0
    assert found["gas_profile"] == {"arb": "max_gas"}, "the tape measured another strategy"


def test_people_see_what_became_of_each_strategy(folder, tape, capsys):
    tape.save(folder / "t")
    assert cli.run_command(["backtest", "atomic", "--tape", "t"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "v2-v3-arb",
        "16 blocks, latency 1",
        "our own trades do not move the tape",
        "tidegate journal tail --ledger",
    ):
        assert part in shown


def test_a_tape_that_is_not_there_or_was_changed_is_refused(folder, tape, capsys):
    assert cli.run_command(["backtest", "atomic", "--tape", "t", "--json"]) == ConfigError.exit_code
    assert answer(capsys)["code"] == "no_tape"
    tape.save(folder / "t")
    stored = bytearray((folder / "t").read_bytes())
    stored[-1] ^= 1
    (folder / "t").write_bytes(stored)
    assert cli.run_command(["backtest", "atomic", "--tape", "t", "--json"]) == Tampered.exit_code
    assert cli.run_command(["backtest", "atomic", "--tape", "t", "--latency", "11"]) == 2
