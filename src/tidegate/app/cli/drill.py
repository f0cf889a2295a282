"""``tidegate drill``: play a bad day through, timed, in a world of its own; write down what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, emit
from tidegate.app.cli.drill_attack import play_attacks, render_attacks
from tidegate.app.cli.ledger_place import LedgerOption, ledger_place
from tidegate.app.drills import (
    drill_executor,
    drill_kill,
    drill_restore,
    drill_rpc_failover,
    drill_stop,
    drill_stop_live,
)
from tidegate.ledger import DrillBody, Journal
from tidegate.model import SystemClock, TidegateError

app = typer.Typer()

ACTOR = "drill"
Rounds = Annotated[int, typer.Option(min=1, max=1_000, help="How often; the worst of few is their p99.")]


@app.command()
def stop(
    rounds: Rounds = 10,
    rate: Annotated[int, typer.Option(min=1, max=1_000, help="Intents offered each second.")] = 50,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="Against a run in canary and the signer's process, on a chain of its own."
        ),
    ] = False,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """From the command to the last signature, under load. The aim is less than a second.

    With --live a worker that ignores every stop asks the signer at the rate: the freeze must end it in time.
    """
    drill = drill_stop_live if live else drill_stop
    _play(lambda: asyncio.run(drill(rounds=rounds, offered_per_s=rate)), ledger, as_json=as_json)


@app.command()
def kill(
    schedules: Annotated[int, typer.Option(min=1, max=10_000, help="How many kill schedules.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the schedules: the same seed, the same kills.")] = 7,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Kill a worker at random records of its journal: nothing may be doubled or lost."""
    _play(lambda: drill_kill(schedules=schedules, seed=seed), ledger, as_json=as_json)


@app.command("rpc-failover")
def rpc_failover(
    seconds: Annotated[float, typer.Option(min=1, max=3_600, help="How long to read.")] = 3.0,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Three endpoints, two die one after the other: how many reads are lost. The aim is none."""
    _play(lambda: asyncio.run(drill_rpc_failover(seconds=seconds)), ledger, as_json=as_json)


@app.command()
def restore(
    intents: Annotated[int, typer.Option(min=8, max=100_000, help="How many the ledger holds.")] = 64,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Back up beside the writer, restore into an empty place, verify: head equal, and stopped."""
    _play(lambda: asyncio.run(drill_restore(intents=intents)), ledger, as_json=as_json)


@app.command()
def executor(ledger: LedgerOption = None, as_json: JsonFlag = False) -> None:
    """Stop, pause, revoke, sweep, switch to the backup, restore: on a devnet of its own, each deed timed.

    Aims: the stop durable in a second, a deed with the node in five, in a block of the next three.
    """
    _play(lambda: asyncio.run(drill_executor()), ledger, as_json=as_json)


@app.command()
def attack(ledger: LedgerOption = None, as_json: JsonFlag = False) -> None:
    """Attack the executor by every case we know, a line for each: what was tried, what stopped it."""
    drill = play_attacks(shows=not as_json)
    _play(
        lambda: drill.body,
        ledger,
        as_json=as_json,
        more=msgspec.to_builtins({"attacks": drill.rows, "not_played": dict(drill.not_played)}),
        first=lambda out: render_attacks(out, drill),
    )


def _play(
    drill: Callable[[], DrillBody],
    ledger: str | None,
    *,
    as_json: bool,
    more: dict[str, Any] | None = None,
    first: Callable[[Console], None] = lambda _: None,
) -> None:
    """Run a drill, write its record, print it; exit 1 if it did not hold.

    ``more`` joins the JSON; ``first`` is printed above the rest for people.
    """
    place = ledger_place(ledger)
    body = drill()
    recorded = "yes"
    try:
        with Journal.open(place, clock=SystemClock()) as journal:
            recorded = f"seq {journal.append(body.KIND, body, actor=ACTOR).seq} of {place}"
    except TidegateError as error:
        recorded = f"NO: {error}"
    value = {"ok": body.passed, **msgspec.to_builtins(body), **(more or {}), "recorded": recorded}
    emit(value, as_json=as_json, render=lambda out: _render(out, body, recorded, first))
    if not body.passed:
        raise typer.Exit(1)


def _render(out: Console, body: DrillBody, recorded: str, first: Callable[[Console], None]) -> None:
    first(out)
    out.print(f"drill {body.drill} on {body.world}: {'HELD' if body.passed else 'DID NOT HOLD'}")
    for name, figure in body.figures.items():
        out.print(f"  {name.replace('_', ' '):<36}{figure:>10,}")
    if body.detail:
        out.print(f"  {body.detail}")
    out.print(f"  recorded: {recorded}")
