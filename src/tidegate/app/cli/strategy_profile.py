"""``tidegate strategy profile``: where the gas of a plan goes, and what would make it less."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tidegate.app.cli.common import JsonFlag, emit
from tidegate.app.cli.strategy_place import Account, AtBlock, Chain, Executor, Moves, Seed, Where
from tidegate.app.cli.strategy_run import BlindsFile, File, plan_and
from tidegate.app.planning import Planning
from tidegate.app.profiling import APPROVAL, GUARD, Profile, profile
from tidegate.model import BPS, Plan

HALF_BPS, CEILING_BPS, GUARDS_BPS, STEP_BPS = 4_000, 8_000, 2_000, 4_000
"""Shares from which there is advice: of the cap, then of the run."""
RUN_ID_GAS = 22_100
"""What it costs to use up a run id: a slot of storage from zero to one."""


def profile_command(
    file: File,
    blinds: BlindsFile = None,
    chain: Chain = None,
    executor: Executor = None,
    block: AtBlock = None,
    account: Account = None,
    seed: Seed = None,
    moves: Moves = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure a plan's gas by step and cause: calls, loans, approvals, guards, patches, calldata. Advises.

    On --chain, else on the strategy's devnet if that is up, else in a paper world of its own.
    """
    _profile_command(file, blinds, Where(chain, executor, block, account, seed, moves), as_json=as_json)


def _profile_command(file: Path, blinds: Path | None, where: Where, *, as_json: bool) -> None:
    async def work(at: Planning, plan: Plan) -> None:
        value = profile_record(plan, await profile(at, plan), is_once=at.stand.assignments[0].strategy.once)
        emit(value, as_json=as_json, render=lambda out: render_profile(out, value))

    plan_and(file, blinds, where, work)


def profile_record(plan: Plan, found: Profile, *, is_once: bool) -> dict[str, Any]:
    """Return a profile as plain data: figures in gas that add up to ``gas_needed``."""
    return {
        "ok": True,
        "strategy": plan.notes["strategy"],
        "program_hash": plan.program_hash,
        "gas_needed": found.gas_needed,
        "gas_used": found.gas_used,
        "gas_limit": found.gas_limit,
        "gas_most": found.gas_most,
        "headroom": found.headroom,
        "steps": dict(found.steps),
        "causes": {**found.causes, "settlement": found.settlement, "transaction": found.envelope},
        "operations": [
            {
                "step": one.step,
                "cause": one.cause,
                "what": one.what,
                "contracts": one.inside,
                "executor": one.own,
                "calldata": one.calldata,
            }
            for one in found.ops
        ],
        "is_marked": found.is_marked,
        "advice": advice(found, is_once=is_once),
    }


def advice(found: Profile, *, is_once: bool) -> list[str]:
    """Return what would make the plan cheaper or safer, the largest effect first."""
    told: list[tuple[int, str]] = []
    if found.gas_limit * BPS > CEILING_BPS * found.gas_most:
        told.append((found.gas_limit, "split it: the limit is above 80 % of what a transaction may have"))
    elif found.gas_limit * BPS > HALF_BPS * found.gas_most:
        told.append((found.gas_limit, "split it soon: the limit is above half of the ceiling"))
    for step, gas in found.steps.items():
        if gas * BPS > STEP_BPS * found.gas_needed:
            share = gas * 100 // found.gas_needed
            told.append((gas, f"{step} takes {share} % of the gas: another venue or path may take less"))
    guards = found.causes.get(GUARD, 0)
    if guards * BPS > GUARDS_BPS * found.gas_needed:
        told.append((guards, f"guards inside take {guards:,}: one that stands at pre alone is free"))
    approvals = [one for one in found.ops if one.cause == APPROVAL]
    if len({one.what for one in approvals}) < len(approvals):
        gas = min(one.gas for one in approvals)
        told.append((gas, f"one token is approved twice for one spender: one approval less saves {gas:,}"))
    if is_once:
        told.append((RUN_ID_GAS, f"once costs {RUN_ID_GAS:,}: a net bound makes a repeat harmless as well"))
    return [line for _, line in sorted(told, key=lambda one: -one[0])]


def render_profile(out: Console, value: Mapping[str, Any]) -> None:
    """Print the operations, the causes, the headroom and the advice."""
    table = Table("step", "what", "cause", box=None)
    for name in ("contracts", "executor", "calldata"):
        table.add_column(name, justify="right")
    for one in value["operations"]:
        figures = (f"{one[key]:,}" for key in ("contracts", "executor", "calldata"))
        table.add_row(one["step"], one["what"], one["cause"], *figures)
    out.print(table)
    causes = Table("cause", box=None)
    causes.add_column("gas", justify="right")
    causes.add_column("share", justify="right")
    for cause, gas in sorted(value["causes"].items(), key=lambda one: -one[1]):
        causes.add_row(cause, f"{gas:,}", f"{gas * 100 / value['gas_needed']:.1f} %")
    causes.add_row("all", f"{value['gas_needed']:,}", "100.0 %", style="bold")
    out.print(causes)
    out.print(f"limit {value['gas_limit']:,} of {value['gas_most']:,}, headroom {value['headroom']:,}")
    if not value["is_marked"]:
        out.print("the program is full: the last step of each frame is part of settlement")
    for line in value["advice"]:
        out.print(f"advice: {line}")
