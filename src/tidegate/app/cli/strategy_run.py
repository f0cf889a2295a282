"""``tidegate strategy plan|simulate|run``: on a chain that is there, else in a paper world of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from tidegate.app.cli.common import UsageError, emit, home
from tidegate.app.cli.hints import hint_of_run
from tidegate.app.cli.strategy_place import Where, up
from tidegate.app.cli.strategy_records import outcome_record, plan_record, refusal_record, simulation_record
from tidegate.app.cli.strategy_view import render_plan, render_runs, render_simulation
from tidegate.app.paper import blinds_salt, demand_own_node, own_ground, paper_session, up_session
from tidegate.app.places import Place
from tidegate.app.planning import Planning, planning, stand_at, stand_on
from tidegate.app.running.sites import assignments_of
from tidegate.app.runtime import Ground
from tidegate.app.session import Session
from tidegate.desks.atomic import Strategy
from tidegate.model import ConfigError, Denied, OutcomeKind, Plan, Reason, Stage

RunFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Strategy files; several run in order, in one world."),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A strategy file.")]
BlindsFile = Annotated[
    Path | None, typer.Option("--blinds", help="A file with the values of the strategy's blinds.")
]

_EXIT_CODES = {OutcomeKind.LANDED: 0, OutcomeKind.DENIED: 10, OutcomeKind.AMBIGUOUS: 12}


def plan_command(file: Path, blinds: Path | None, where: Where, as_json: bool) -> None:
    """Plan one strategy and show the plan."""

    async def work(at: Planning) -> None:
        value = plan_record(await _planned(at), at)
        emit(value, as_json=as_json, render=lambda out: render_plan(out, value))

    _plan(file, blinds, where, work)


def planned(file: Path, blinds: Path | None, where: Where) -> Plan:
    """Plan one strategy and return the plan: the same at the same block, whoever asks."""
    plans: list[Plan] = []

    async def work(at: Planning) -> None:
        plans.append(await _planned(at))

    _plan(file, blinds, where, work)
    return plans[0]


def simulate_command(file: Path, blinds: Path | None, where: Where, as_json: bool) -> None:
    """Plan one strategy, run its very bytes on the node without sending them, and show what they do."""

    async def work(at: Planning) -> None:
        plan = await _planned(at)
        value = simulation_record(plan, await at.rehearse(plan), at)
        emit(value, as_json=as_json, render=lambda out: render_simulation(out, value))
        if not value["ok"]:
            raise typer.Exit(10)

    _plan(file, blinds, where, work)


def plan_and(
    file: Path, blinds: Path | None, where: Where, work: Callable[[Planning, Plan], Awaitable[None]]
) -> None:
    """Plan one strategy and do ``work`` with the plan where it was made."""

    async def planned_first(at: Planning) -> None:
        await work(at, await _planned(at))

    _plan(file, blinds, where, planned_first)


def run_command(files: list[Path], blinds: Path | None, where: Where, stage: Stage, as_json: bool) -> None:
    """Walk strategies down the whole street, one after the other; the last outcome gives the exit code."""

    async def work(session: Session, ground: Ground, name: str) -> None:
        results = []
        for assignment in ground.assignments:
            result = await _walked(session, ground, assignment.strategy)
            results.append({**result, "world": name})
        value = {"ok": all(item["outcome"] == "landed" for item in results), "runs": results}
        emit(value, as_json=as_json, render=lambda out: render_runs(out, results))
        code = _EXIT_CODES.get(OutcomeKind(results[-1]["outcome"]), 1)
        if code:
            raise typer.Exit(code)

    demand_own_node(stage)
    if stage is Stage.FORK:
        _demand_no_chain(where)
    place = where.place(files) if stage is Stage.PAPER else None

    async def inside() -> None:
        jobs, ledger = where.jobs(files, blinds, place), home() / "ledger.sqlite"
        if place is None:
            session = paper_session(jobs, stage=stage, market=where.market, ledger=ledger, home=home())
            name = "paper node"
        else:
            record = up(place.name)
            if record is None:
                raise _not_ours(place)
            session = up_session(record, jobs, ledger=ledger, home=home())
            name = f"devnet {place.name}"
        async with session as (opened, ground):
            await work(opened, ground, name)

    asyncio.run(inside())


def _demand_no_chain(where: Where) -> None:
    """Refuse a chain for a stage that starts a node of its own."""
    if where.chain is not None:
        raise UsageError(
            "stage fork forks a paper world of its own",
            found=f"--chain {where.chain}",
            allowed="no chain",
            fix=f"tidegate run --stage fork --chain {where.chain} --once",
        )


def _not_ours(place: Place) -> ConfigError:
    return ConfigError(
        f"stage paper does not run on {place.name}",
        found=place.name,
        allowed="a devnet that is up",
        fix=f"tidegate run --stage fork --chain {place.name} --once; tidegate devnet up",
    )


def _plan(file: Path, blinds: Path | None, where: Where, work: Callable[[Planning], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with _at(file, blinds, where) as at:
            await work(at)

    asyncio.run(inside())


@asynccontextmanager
async def _at(file: Path, blinds: Path | None, where: Where) -> AsyncIterator[Planning]:
    place = where.place([file])
    jobs = where.jobs([file], blinds, place)
    async with AsyncExitStack() as stack:
        if place is None:
            stand = stand_on(stack.enter_context(own_ground(jobs, where.market)))
        else:
            account = where.sender(place)
            assignments = assignments_of(place.require_book(), jobs, account)
            stand = stack.enter_context(stand_at(place, assignments, account))
        yield await stack.enter_async_context(planning(stand, salt=blinds_salt(home()), block=where.block))


async def _planned(at: Planning) -> Plan:
    strategy = at.stand.assignments[0].strategy
    decision = at.decide(strategy.name)
    if decision.intent is None:
        reason = decision.reason or Reason.NO_OPPORTUNITY
        advice = hint_of_run(reason, decision.detail, strategy, at.stand.book, at.view)
        raise Denied(reason, decision.detail, fix=advice)
    return await at.desk.plan(decision.intent)


async def _walked(session: Session, ground: Ground, strategy: Strategy) -> dict[str, Any]:
    look = session.look(strategy.name, session.by_hand())
    if look.decision.intent is None:
        return refusal_record(strategy, look, ground)
    outcome = await session.act(look.decision.intent)
    if outcome is None:
        outcome = await session.settled(look.decision.intent.id)
    return outcome_record(strategy, look, outcome, session, ground)
