"""``tidegate strategy plan|simulate|run``: strategies in a paper world of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tidegate.app.cli.common import emit, home
from tidegate.app.cli.hints import hint_of_run
from tidegate.app.cli.strategy_records import outcome_record, plan_record, refusal_record, simulation_record
from tidegate.app.cli.strategy_view import render_plan, render_runs, render_simulation
from tidegate.app.paper import PaperMarket, paper_session
from tidegate.app.runtime import Ground, Job
from tidegate.app.session import Session
from tidegate.desks.atomic import Decision, Strategy, TokenTables, load_blinds, load_strategy
from tidegate.model import Denied, Intent, OutcomeKind, Plan, Reason, Stage

RunFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Strategy files; several run in order, in one world."),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A strategy file.")]
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
        emit(value, as_json=as_json, render=lambda out: render_plan(out, value))

    _in_paper(tables, [file], blinds, market, Stage.PAPER, work)


def simulate_command(
    tables: TokenTables, file: Path, blinds: Path | None, market: PaperMarket, as_json: bool
) -> None:
    """Plan one strategy, run its very bytes on the node without sending them, and show what they do."""

    async def work(session: Session, ground: Ground) -> None:
        plan = await _planned(session, ground)
        value = simulation_record(plan, await session.rehearse(plan), session)
        emit(value, as_json=as_json, render=lambda out: render_simulation(out, value))
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
            results.append(await _walked(session, ground, assignment.strategy))
        value = {"ok": all(item["outcome"] == "landed" for item in results), "runs": results}
        emit(value, as_json=as_json, render=lambda out: render_runs(out, results))
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
    strategy = ground.assignments[0].strategy
    intent = _wanted(session.look(strategy.name, session.by_hand()).decision, strategy, ground)
    return await session.desk.plan(intent)


async def _walked(session: Session, ground: Ground, strategy: Strategy) -> dict[str, Any]:
    look = session.look(strategy.name, session.by_hand())
    if look.decision.intent is None:
        return refusal_record(strategy, look, ground)
    outcome = await session.act(look.decision.intent)
    if outcome is None:
        outcome = await session.settled(look.decision.intent.id)
    return outcome_record(strategy, look, outcome, session, ground)


def _wanted(decision: Decision, strategy: Strategy, ground: Ground) -> Intent:
    if decision.intent is None:
        reason = decision.reason or Reason.NO_OPPORTUNITY
        raise Denied(reason, decision.detail, fix=hint_of_run(reason, decision.detail, strategy, ground))
    return decision.intent
