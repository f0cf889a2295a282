"""``tidegate demo``: the desks in paper on a local chain, live in the terminal, a report at the end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tidegate.app.cli.common import JsonFlag, console, emit, home
from tidegate.app.demo import (
    FAILED_SHARE_BPS,
    LEVERAGE_CLOSE,
    LEVERAGE_OPEN,
    LiveView,
    Options,
    Progress,
    Result,
    run_demo,
)
from tidegate.app.story import counted
from tidegate.model import OutcomeKind, format_usd
from tidegate.risk.limits.table import COUNTS

_PACE_S = 0.15


def command(
    blocks: Annotated[int, typer.Option(min=1, max=100_000, help="How many blocks to run.")] = 150,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run.")] = 7,
    once: Annotated[bool, typer.Option("--once", help="No live view, as fast as it goes.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew even if an unfinished run lies there.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the desks in paper: every block, every decision, every outcome, profit after gas."""
    live = not once and not as_json and sys.stdout.isatty()
    options = Options(
        home=home() / "demo", seed=seed, blocks=blocks, pace_s=_PACE_S if live else 0.0, fresh=fresh
    )
    view = LiveView(console(), title=f"Tidegate demo, paper, seed {seed}", blocks=blocks) if live else None
    with view or nullcontext():
        result = asyncio.run(_run(options, view))
    emit(for_machines(result), as_json=as_json, render=lambda out: render(out, result))


def for_machines(result: Result) -> dict[str, Any]:
    """Return the figures, what is still open among them, and where ledger and report lie."""
    return {**result.summary, "ledger": str(result.ledger), "report": str(result.report)}


async def _run(options: Options, view: LiveView | None) -> Result:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)  # the block in hand is finished, the report written

    def watch(progress: Progress) -> None:
        if view is not None:
            view.show(progress)

    return await run_demo(options, watch, stop)


def render(out: Console, result: Result) -> None:
    """Print what became of each strategy, why others did not act, and where the proof lies."""
    title = f"{counted(result.summary['blocks'], 'block')} in paper, ended: {result.summary['ended']}"
    table = Table(title=title, box=None, padding=(0, 1, 0, 0))
    table.add_column("strategy", no_wrap=True)
    names = {
        "decisions": "decided",
        "intents": "acted",
        "landed": "landed",
        "reverted": "reverted",
        "denied": "denied",
        "gas_used": "gas",
    }
    for name in (*names.values(), "after gas"):
        table.add_column(name, justify="right", no_wrap=True)
    for subject, line in result.summary["strategies"].items():
        value = format_usd(line["value_after_gas_usd_e6"])
        table.add_row(subject, *(f"{line[name]:,}" for name in names), value)
    out.print(table)
    for line in (*_loop(result.summary), *_failures(result.summary)):
        out.print(line)
    for title, counts in (("did not act", "reasons"), ("refused", "refusals")):
        told = " · ".join(f"{name} {count:,}" for name, count in result.summary[counts].items())
        if told:
            out.print(f"{title + ':':<13}{told}")
    proof = result.summary["journal"]
    out.print(f"journal  {counted(proof['records'], 'record')}, chain verified, head {proof['head'][:16]}…")
    out.print(f"         tidegate journal tail --ledger {result.ledger}")
    out.print(f"report   {result.report}")


def _loop(summary: dict[str, Any]) -> Iterator[str]:
    """Say what the leveraged loop came to, or what of it is still open and what that is worth."""
    lines = summary["strategies"]
    opened, closed = (lines.get(name, {}) for name in (LEVERAGE_OPEN, LEVERAGE_CLOSE))
    for one in summary["open_positions"]:
        worth, holds, owes = (format_usd(one[f"{name}_usd_e6"]) for name in ("value", "collateral", "debt"))
        yield f"still open: {worth} at {one['venue']} ({holds} supplied, {owes} owed), in the table as spent."
    if opened.get("landed") and closed.get("landed"):
        both = format_usd(opened["value_after_gas_usd_e6"] + closed["value_after_gas_usd_e6"])
        yield f"{LEVERAGE_OPEN} moved WETH into Aave, {LEVERAGE_CLOSE} brought it back: together {both}."


def _failures(summary: dict[str, Any]) -> Iterator[str]:
    """Say why attempts revert, and that so many would hold a desk that is live."""
    reverted = sum(line[OutcomeKind.REVERTED] for line in summary["strategies"].values())
    if reverted:
        here, live = (bps // 100 for bps in (FAILED_SHARE_BPS, COUNTS["failed_share_bps"]))
        yield (
            f"{reverted} reverted: rivals outbid the desk and came first. Up to {here} % may, in the demo; "
            f"a desk that is live is held above {live} %, but for its exits."
        )
