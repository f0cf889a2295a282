"""``tidegate strategy profile``: every unit of gas has a step and a cause, the last step of a frame too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.venues.executor.golden import PROGRAM

from tidegate.app.cli import run_command
from tidegate.app.cli.strategy_profile import advice
from tidegate.app.profiling import OpGas, Profile, marked_program
from tidegate.desks.atomic import new_strategy
from tidegate.venues.executor import Check, Flash, Load, assemble, disassemble, walk


@pytest.fixture
def value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    (tmp_path / "arb.yaml").write_text(new_strategy("arb", "flash-arb"), encoding="utf-8")
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    assert run_command(["strategy", "profile", str(tmp_path / "arb.yaml"), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_profile_gives_every_gas_a_step_and_a_cause(value):
    assert sum(value["causes"].values()) == value["gas_needed"]
    assert sum(value["steps"].values()) == sum(
        one["contracts"] + one["executor"] + one["calldata"] for one in value["operations"]
    )
    assert set(value["causes"]) == {
        *("call", "loan", "approval", "guard", "patch", "calldata", "settlement", "transaction")
    }
    assert value["headroom"] == value["gas_most"] - value["gas_limit"] > 0
    last = value["operations"][-1]
    assert (last["step"], last["cause"]) == ("buy", "call"), "the last step of the loan's scope"
    assert last["contracts"] > 50_000, "a swap of a Uniswap v3 pool, told apart from the repayment"
    assert last["executor"] < 20_000


def test_marks_stand_at_the_end_of_each_frame_and_change_nothing_else():
    marked, marks = marked_program(PROGRAM)
    assert disassemble(assemble(marked)) == marked
    assert len(marks) == 2, "the loan's scope, and the program"
    (loan,) = (op for op in marked.ops if isinstance(op, Flash))
    for last in (marked.ops[-1], loan.ops[-1]):
        assert isinstance(last, Check)
        assert (last.a, last.b, last.immediate, last.skip) == (0, None, 0, 0), "0 at least 0 always holds"
    kept = [op.tag for op in walk(marked.ops) if op.tag not in marks]
    assert kept == [op.tag for op in walk(PROGRAM.ops)]


def test_a_program_without_room_for_marks_is_profiled_as_it_is():
    full = replace(PROGRAM, ops=tuple(Load.literal(tag, 0, 1) for tag in range(128)))
    assert marked_program(full) == (full, ())


def profile_of(*ops: OpGas, gas_limit: int = 500_000, gas_most: int = 2**24) -> Profile:
    gas = sum(one.gas for one in ops)
    return Profile(ops, 0, 21_000, gas + 21_000, gas + 21_000, gas_limit, gas_most, is_marked=True)


def test_advice_says_what_costs_most_first():
    swap = OpGas("sell", "call", "call swap", 90_000, 5_000, 2_000)
    approvals = [OpGas("sell", "approval", "approve WETH", 20_000, 5_000, 700)] * 2
    guard = OpGas("guards", "guard", "read price", 60_000, 5_000, 1_000)
    told = advice(profile_of(swap, *approvals, guard), is_once=True)
    assert [line.partition(" ")[0] for line in told] == ["sell", "guards", "one", "once"]
    assert advice(profile_of(OpGas("a", "call", "x", 10, 10, 10)), is_once=False) == []


@pytest.mark.parametrize(("limit", "begins"), [(13_421_773, "split it:"), (6_710_887, "split it soon")])
def test_advice_is_to_split_what_comes_near_the_cap(limit, begins):
    (line,) = advice(profile_of(gas_limit=limit), is_once=False)
    assert line.startswith(begins)
    assert not [one for one in advice(profile_of(gas_limit=6_710_886), is_once=False) if "split" in one]
