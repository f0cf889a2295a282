"""The examples walk the whole street on a node of ours; their numbers are checked where they are compiled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as tidegate
from tidegate.desks.atomic import template_text

WETH, USDC = 10**18, 10**6


def runs(
    folder: Path, capsys: pytest.CaptureFixture[str], *templates: str, seed: int = 7
) -> dict[str, dict[str, Any]]:
    """Run templates one after the other in one paper world; return what became of each."""
    files = []
    for name in templates:
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(template_text(name), encoding="utf-8")
    tidegate(["strategy", "run", *map(str, files), "--seed", str(seed), "--json"])
    done = json.loads(capsys.readouterr().out.splitlines()[-1])["runs"]
    return dict(zip(templates, done, strict=True))


def change(run: dict[str, Any], symbol: str) -> int:
    return int(run["balance_changes"][symbol]["realised"])


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIDEGATE_HOME", raising=False)


def test_a_position_is_opened_swapped_made_lighter_and_funds_are_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("leverage-open", "collateral-swap", "deleverage", "funds-swap", "dust-sweep")
    done = runs(tmp_path, capsys, *names)
    assert {name: run["outcome"] for name, run in done.items()} == dict.fromkeys(names, "landed")
    assert -102 * WETH // 100 <= change(done["leverage-open"], "WETH") < -98 * WETH // 100
    for name in ("collateral-swap", "deleverage"):
        assert change(done[name], "WETH") == 0, "the position pays, not what lies beside it"
    assert change(done["funds-swap"], "WETH") == -WETH // 2
    assert change(done["funds-swap"], "USDC") > 1_400 * USDC
    assert change(done["dust-sweep"], "USDC") <= 0


def test_both_cycles_find_the_same_gap_and_the_first_closes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = runs(tmp_path, capsys, "flash-mint", "triangle", seed=8)
    assert done["flash-mint"]["outcome"] == "landed"
    assert change(done["flash-mint"], "DAI") > 10**18
    assert done["flash-mint"]["value_after_gas_usd_e6"] > 0
    assert (done["triangle"]["outcome"], done["triangle"]["reason"]) == ("denied", "no_opportunity")
