"""``tidegate strategy plan|simulate|run``: strategies in a paper world of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tidegate.app.cli.common import emit, home
from tidegate.app.paper import PaperMarket, paper_session
from tidegate.app.runtime import Ground, Job, Session
from tidegate.desks.atomic import Decision, TokenTables, load_blinds, load_strategy
from tidegate.model import (
    Denied,
    Intent,
    Outcome,
    OutcomeKind,
    Plan,
    Reason,
    Stage,
    Step,
    format_units,
)
from tidegate.pipeline import Rehearsal, read_run
from tidegate.venues.executor import Flash, Op, decode_execute, disassemble, encoded_size

Files = Annotated[list[Path], typer.Argument(help="Strategy files; several run in order, in one world.")]
File = Annotated[Path, typer.Argument(help="A strategy file.")]
BlindsFile = Annotated[
    Path | None, typer.Option("--blinds", help="A file with the values of the strategy's blinds.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the market simulator.")]
Moves = Annotated[int, typer.Option(min=0, max=10_000, help="Blocks that the market moves beforehand.")]

_EXIT_CODES = {OutcomeKind.LANDED: 0, OutcomeKind.DENIED: 10, OutcomeKind.AMBIGUOUS: 12}


def plan_command(
    tables: TokenTables, file: Path, blinds: Path | None, market: PaperMarket, as_json: bool
) -> None:
    """Plan one strategy and show the plan."""

    async def work(session: Session, ground: Ground) -> None:
        plan = await _planned(session, ground)
        value = plan_record(plan, ground)
        emit(value, as_json=as_json, render=lambda out: _render_plan(out, value))

    _in_paper(tables, [file], blinds, market, Stage.PAPER, work)


def simulate_command(
    tables: TokenTables, file: Path, blinds: Path | None, market: PaperMarket, as_json: bool
) -> None:
    """Plan one strategy, run its very bytes on the node without sending them, and show what they do."""

    async def work(session: Session, ground: Ground) -> None:
        plan = await _planned(session, ground)
        value = simulation_record(plan, await session.rehearse(plan), session)
        emit(value, as_json=as_json, render=lambda out: _render_simulation(out, value))
        if not value["ok"]:
            raise typer.Exit(10)

    _in_paper(tables, [file], blinds, market, Stage.PAPER, work)


def run_command(
    tables: TokenTables,
    files: list[Path],
    blinds: Path | None,
    market: PaperMarket,
    stage: Stage,
    as_json: bool,
) -> None:
    """Walk strategies down the whole street, one after the other; the last outcome gives the exit code."""

    async def work(session: Session, ground: Ground) -> None:
        results = []
        for assignment in ground.assignments:
            results.append(await _walked(session, assignment.strategy.name))
        value = {"ok": all(item["outcome"] == "landed" for item in results), "runs": results}
        emit(value, as_json=as_json, render=lambda out: _render_runs(out, results))
        code = _EXIT_CODES.get(OutcomeKind(results[-1]["outcome"]), 1)
        if code:
            raise typer.Exit(code)

    _in_paper(tables, files, blinds, market, stage, work)


def _in_paper(
    tables: TokenTables,
    files: list[Path],
    blinds: Path | None,
    market: PaperMarket,
    stage: Stage,
    work: Callable[[Session, Ground], Awaitable[None]],
) -> None:
    jobs = []
    for file in files:
        strategy = load_strategy(file, tables)
        given = {} if blinds is None else load_blinds(blinds, strategy, tables[strategy.chain])
        jobs.append(Job(strategy, given))

    async def inside() -> None:
        place = home() / "ledger.sqlite"
        async with paper_session(jobs, stage=stage, market=market, ledger=place, home=home()) as (
            session,
            ground,
        ):
            await work(session, ground)

    asyncio.run(inside())


async def _planned(session: Session, ground: Ground) -> Plan:
    subject = ground.assignments[0].strategy.name
    intent = _wanted(session.look(subject, session.by_hand()).decision)
    return await session.desk.plan(intent)


async def _walked(session: Session, subject: str) -> dict[str, Any]:
    look = session.look(subject, session.by_hand())
    if look.decision.intent is None:
        return _refusal(subject, look.decision)
    outcome = await session.act(look.decision.intent)
    while outcome is None:
        ended = await session.street.follow()
        outcome = next((one for one in ended if one.intent_id == look.decision.intent.id), None)
        await asyncio.sleep(0 if outcome is not None else 0.05)
    return _outcome_record(subject, outcome, session)


def _wanted(decision: Decision) -> Intent:
    if decision.intent is None:
        raise Denied(
            decision.reason or Reason.NO_OPPORTUNITY,
            decision.detail,
            fix="try another market (--seed, --moves), or give the size in a blinds file",
        )
    return decision.intent


def _refusal(subject: str, decision: Decision) -> dict[str, Any]:
    return {
        "strategy": subject,
        "outcome": OutcomeKind.DENIED.value,
        "reason": None if decision.reason is None else decision.reason.value,
        "detail": decision.detail,
        "intent": None,
    }


def _outcome_record(subject: str, outcome: Outcome, session: Session) -> dict[str, Any]:
    run = read_run(session.journal.records(correlation_id=outcome.intent_id))
    plan = None if run is None else run.plan
    return {
        "strategy": subject,
        "outcome": outcome.kind.value,
        "reason": None if outcome.reason is None else outcome.reason.value,
        "detail": outcome.detail,
        "intent": outcome.intent_id,
        "transaction": "0x" + outcome.transaction_hash.hex() if outcome.transaction_hash else None,
        "block": outcome.block_number,
        "gas_used": outcome.gas_used,
        "gas_cost_wei": str(outcome.gas_cost_wei),
        "balance_changes": {}
        if plan is None
        else {
            bound.symbol: {"realised": str(realised), "floor": str(bound.floor)}
            for bound, realised in zip(plan.bounds, outcome.deltas, strict=False)
        },
        "value_after_gas_usd_e6": 0 if run is None else run.booked_value_usd_e6,
    }


def plan_record(plan: Plan, ground: Ground) -> dict[str, Any]:
    """Return everything that a reviewer wants to see of a plan, amounts in base units as text."""
    raw = decode_execute(plan.data)
    program = disassemble(raw)
    start = len(raw) - sum(encoded_size(op) for op in program.ops)
    names = {step.tag: step for step in plan.steps}
    return {
        "ok": True,
        "strategy": plan.notes["strategy"],
        "size": _size(plan, ground),
        "executor": ground.book.name_of(plan.to),
        "program_hash": plan.program_hash,
        "program_bytes": len(raw),
        "digest": plan.digest,
        "gas_limit": plan.gas_limit,
        "max_fee_wei": str(plan.max_fee_wei),
        "deadline_s": plan.deadline_s,
        "at_risk_usd_e6": plan.at_risk_usd_e6,
        "flow_usd_e6": plan.flow_usd_e6,
        "bounds": [
            {
                "token": bound.symbol,
                "floor": str(bound.floor),
                "quoted": plan.notes["quoted_deltas"].get(bound.symbol, "0"),
                "decimals": bound.decimals,
                "payout": bound.payout,
            }
            for bound in plan.bounds
        ],
        "lenders": plan.notes["lenders"],
        "operations": list(_operations(program.ops, names, start, 0)),
    }


def _operations(
    ops: Sequence[Op], names: Mapping[int, Step], offset: int, depth: int
) -> Iterator[dict[str, Any]]:
    """Yield every operation with its offset in the program, those of a loan's scope one level deeper."""
    for op in ops:
        size = encoded_size(op)
        inner = op.ops if isinstance(op, Flash) else ()
        yield {
            "offset": offset,
            "bytes": size,
            "depth": depth,
            "operation": type(op).__name__.lower(),
            "step": names[op.tag].step_id if op.tag in names else "",
            "what": names[op.tag].label if op.tag in names else "",
        }
        yield from _operations(inner, names, offset + size - sum(map(encoded_size, inner)), depth + 1)
        offset += size


def _size(plan: Plan, ground: Ground) -> str | None:
    blind = ground.assignments[0].strategy.searched_blind
    if blind is None or blind.token is None or plan.notes["size"] is None:
        return None
    return f"{format_units(int(plan.notes['size']), ground.book.token(blind.token).decimals)} {blind.token}"


def simulation_record(plan: Plan, run: Rehearsal, session: Session) -> dict[str, Any]:
    """Return the verdict on a plan's own bytes, with deltas, margins and gas by step."""
    reader = session.desk.reader
    probe = reader.read_probe(plan, run.probe_output)
    value: dict[str, Any] = {
        "ok": run.succeeded and probe is not None,
        "strategy": plan.notes["strategy"],
        "block": run.block_number,
        "gas_used": run.gas_used,
        "gas_needed": run.gas_needed,
        "gas_limit": plan.gas_limit,
        "logs": len(run.logs),
    }
    if probe is None or not run.succeeded:
        revert, step = reader.explain(plan, run.probe_output if run.succeeded else run.output)
        return {**value, "failing_step": step, "reason": str(revert)}
    value["bounds"] = [
        {
            "token": bound.symbol,
            "decimals": bound.decimals,
            "delta": str(delta),
            "floor": str(bound.floor),
            "margin": str(delta - bound.floor),
        }
        for bound, delta in zip(plan.bounds, probe.deltas, strict=True)
    ]
    value["gas_by_step"] = dict(probe.gas_by_step)
    return value


def _render_plan(out: Console, value: dict[str, Any]) -> None:
    out.print(f"[bold]{value['strategy']}[/] on {value['executor']}")
    if value["size"] is not None:
        out.print(f"size       {value['size']}, found by search")
    out.print(f"program    {value['program_bytes']} bytes, hash {value['program_hash']}", markup=False)
    gwei = format_units(int(value["max_fee_wei"]), 9)
    out.print(f"gas        limit {value['gas_limit']:,} at {gwei} gwei at most")
    out.print(f"risk       {_usd(value['at_risk_usd_e6'])} at risk, {_usd(value['flow_usd_e6'])} moved")
    table = Table("token", box=None)
    for name in ("quoted change", "floor on chain", "pays out"):
        table.add_column(name, justify="right")
    for bound in value["bounds"]:
        table.add_row(
            bound["token"],
            format_units(int(bound["quoted"]), bound["decimals"]),
            format_units(int(bound["floor"]), bound["decimals"]),
            "yes" if bound["payout"] else "no",
        )
    out.print(table)
    for step, lenders in value["lenders"].items():
        shown = ", ".join(f"{one['name']} ({_usd(one['cost_usd_e6'])})" for one in lenders)
        out.print(f"lenders of {step}: {shown}", markup=False)
    operations = Table("offset", "bytes", "operation", "step", "what", box=None)
    for op in value["operations"]:
        operations.add_row(str(op["offset"]), str(op["bytes"]), op["operation"], op["step"] or "", op["what"])
    out.print(operations)


def _render_simulation(out: Console, value: dict[str, Any]) -> None:
    verdict = "[green]succeeds[/]" if value["ok"] else "[red]reverts[/]"
    out.print(f"[bold]{value['strategy']}[/] {verdict} at block {value['block']}")
    if not value["ok"]:
        out.print(f"step       {value['failing_step'] or 'none'}", markup=False)
        out.print(f"reason     {value['reason']}", markup=False)
        return
    out.print(f"gas        {value['gas_used']:,} used, limit {value['gas_limit']:,}; {value['logs']} logs")
    table = Table("token", box=None)
    for name in ("change", "floor", "margin"):
        table.add_column(name, justify="right")
    for bound in value["bounds"]:
        amounts = (format_units(int(bound[key]), bound["decimals"]) for key in ("delta", "floor", "margin"))
        table.add_row(bound["token"], *amounts)
    out.print(table)
    steps = Table("step", box=None)
    steps.add_column("gas", justify="right")
    for step, gas in value["gas_by_step"].items():
        steps.add_row(step, f"{gas:,}")
    out.print(steps)


def _render_runs(out: Console, results: list[dict[str, Any]]) -> None:
    for item in results:
        colour = "green" if item["outcome"] == "landed" else "yellow"
        why = f": {item['detail']}" if item["detail"] else ""
        out.print(f"[bold]{item['strategy']}[/] [{colour}]{item['outcome']}[/]", end="")
        out.print(why, markup=False)
        if item.get("transaction"):
            out.print(f"  transaction {item['transaction']} in block {item['block']}", markup=False)
            out.print(f"  gas {item['gas_used']:,}, value after gas {_usd(item['value_after_gas_usd_e6'])}")
            out.print(f"  tidegate journal show {item['intent']}", markup=False)


def _usd(value_usd_e6: int) -> str:
    return f"{value_usd_e6 / 1e6:,.2f} USD"
