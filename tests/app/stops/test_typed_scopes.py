"""What was typed is stopped; what nobody knows is said, and nothing typed breaks a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as run
from tidegate.risk import StopOrder, drop_stop


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    return tmp_path / "home"


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run([*words, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return answer


@pytest.mark.parametrize(
    ("scope", "meant"), [("desk:atomci", "desk:atomic"), ("desk:atomic,chain:4216", "chain:42161")]
)
def test_a_stop_of_a_name_that_nobody_knows_stands_and_says_so(
    capsys: pytest.CaptureFixture[str], scope: str, meant: str
) -> None:
    (line,) = typed(capsys, "stop", "--scope", scope, "--reason", "gas")["unknown"]
    assert f"did you mean {meant}?" in line
    assert [stop["scope"] for stop in typed(capsys, "stop", "--list")["stops"]] == [scope]
    assert run(["stop", "--scope", scope, "--reason", "gas"]) == 0
    assert "UNKNOWN:" in capsys.readouterr().out


@pytest.mark.parametrize("scope", ["global", "desk:atomic", "desk:atomic,chain:42161", "venue:v2"])
def test_of_a_name_that_is_known_nothing_is_said(capsys: pytest.CaptureFixture[str], scope: str) -> None:
    assert typed(capsys, "stop", "--scope", scope, "--reason", "gas")["unknown"] == []


def test_a_configuration_that_can_not_be_read_keeps_no_stop_from_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tidegate.toml").write_text("[[[", encoding="utf-8")
    run(["stop", "--scope", "desk:atomci", "--reason", "gas", "--json"])
    assert list((tmp_path / "home" / "stop.d").iterdir())


def test_a_reason_of_several_lines_is_listed_in_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stop", "--reason", "gas\nstop global: forged\x1b[2J"]) == 0
    drop_stop(home, StopOrder(scope="chain:10", reason="a\nb", who=("ann\nbob",), at_ms=1))
    capsys.readouterr()
    assert run(["stop", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("stop ") for line in lines)
