"""``tidegate run``: the configured desk in any stage, until it is over or asked to stop."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from tidegate.app.cli.common import JsonFlag, UsageError, console, emit, error_console, home
from tidegate.app.cli.config import ConfigFile, Settings, configured
from tidegate.app.cli.ledger_place import LedgerOption, ledger_place
from tidegate.app.progress import Progress
from tidegate.app.running import Hooks, RunSettings, Until, run_desk
from tidegate.chain import address
from tidegate.model import OutcomeKind, Stage, TidegateError, format_usd
from tidegate.sim import Tape

_SPAN = re.compile(r"([0-9]{1,9})\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_COLOURS = {OutcomeKind.LANDED: "green", OutcomeKind.REVERTED: "red", OutcomeKind.REJECTED: "red"}


def command(
    stage: Annotated[Stage | None, typer.Option(help="Where to run; else run.stage.")] = None,
    chain: Annotated[str | None, typer.Option(help="A chain of the configuration; else run.chain.")] = None,
    blocks: Annotated[int | None, typer.Option(min=1, help="End after so many blocks.")] = None,
    span: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="End after so long: 30s, 10m, 8h, 1d.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Let each strategy look once, by hand, and end.")
    ] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write a tape of all that the strategies read, for backtests.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Shadow: the address that operates the executors.")
    ] = None,
    pace: Annotated[
        float, typer.Option(min=0, max=60, help="Paper and fork: least seconds between two blocks.")
    ] = 0.0,
    path: ConfigFile = None,
    settings: Settings = None,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the desk: each block every strategy looks, decides, walks the street; outcomes are followed.

    Ctrl-C or SIGTERM finishes what is in hand; what the chain still owes stays open in the journal, and the
    next run goes on with it. Exit 10 if a live stage has no capability.
    """
    loaded = configured(path, settings)
    run = loaded.config.run
    if record is not None:
        Tape.demand_place(record)
    chosen = RunSettings(
        loaded=loaded,
        home=home(),
        ledger=ledger_place(ledger, loaded),
        stage=stage or run.stage,
        chain=chain or run.chain,
        until=Until(blocks=blocks, seconds=None if span is None else _seconds(span), is_once=once),
        record=record,
        account=None if account is None else address(account),
    )
    view = None if as_json else _View(console(), error_console())
    hooks = Hooks(pace_s=pace)
    if view is not None:
        hooks.watch, hooks.trouble = view.watch, view.trouble
    summary = asyncio.run(_run(chosen, hooks))
    emit(summary, as_json=as_json, render=lambda out: _render(out, summary))


async def _run(settings: RunSettings, hooks: Hooks) -> dict[str, Any]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await run_desk(settings, hooks, stop)


class _View:
    """Lines for people: each outcome as it comes, and what is in the way. One line at most a block."""

    def __init__(self, out: Console, err: Console) -> None:
        self._out, self._err = out, err
        self._shown = 0
        self._causes: set[str] = set()
        self._last_trouble = ""

    def watch(self, progress: Progress) -> None:
        """Print the outcomes that came since the last look, and each cause in the way at its first time.

        On a terminal an outcome has one line, whatever its width; a file gets all of it.
        """
        ended = sum(sum(account.outcomes.values()) for account in progress.accounts.values())
        for one in reversed(list(progress.recent)[: ended - self._shown]):
            colour = _COLOURS.get(one.kind, "yellow")
            line = Text.assemble(
                (f"{one.block or progress.block:>9} ", "dim"),
                (f"{one.subject:<22} ", "bold"),
                (f"{one.kind.value:<9}", colour),
                f"{one.worth} ",
                (one.why, "dim"),
            )
            if self._out.is_terminal:
                self._out.print(line, no_wrap=True, overflow="ellipsis")
            else:
                self._out.print(line, soft_wrap=True)
        self._shown = ended
        for cause, words in progress.causes.items():
            if cause not in self._causes:
                self._out.print(Text.assemble(("in the way ", "bold yellow"), words), soft_wrap=True)
                self._causes.add(cause)
        sys.stdout.flush()

    def trouble(self, error: TidegateError) -> None:
        """Print what is in the way, once as long as it stays the same."""
        text = str(error)
        if text != self._last_trouble:
            self._err.print(Text.assemble((f"{type(error).__name__} ", "bold yellow"), text))
        self._last_trouble = text


def _seconds(span: str) -> float:
    parts = _SPAN.fullmatch(span.strip())
    if parts is None:
        raise UsageError(
            "--for takes a span", found=span[:40], allowed="a number and s, m, h or d", fix="--for 10m"
        )
    return int(parts[1]) * _SECONDS[parts[2]]


def _render(out: Console, summary: dict[str, Any]) -> None:
    out.print(
        f"{summary['stage']} on {summary['chain']}: {summary['blocks']:,} blocks, ended: {summary['ended']}"
    )
    for subject, line in summary["strategies"].items():
        told = " · ".join(
            f"{name} {line[name]:,}"
            for name in ("decisions", "intents", "landed", "reverted", "denied")
            if line[name]
        )
        out.print(f"  {subject:<22} {told} · {_worth(line)}")
    for title, counts in (("did not act", "reasons"), ("refused", "refusals")):
        told = " · ".join(f"{name} {count:,}" for name, count in summary[counts].items())
        if told:
            out.print(f"{title + ':':<13}{told}")
    for cause in summary["causes"]:
        what, _, rest = cause.partition("; found: ")
        fix = rest.partition("next: ")[2]
        out.print(f"in the way:  {what}" + (f"; next: {fix}" if fix else ""))
    if summary["open"]:
        out.print(f"open:        {summary['open']} on their way; the next run goes on with them")


def _worth(line: dict[str, Any]) -> str:
    """Return what a strategy earned; in shadow, what it would have, for nothing was sent."""
    would = line.get("would_have_earned_usd_e6")
    if would is not None:
        return f"would have earned {format_usd(would)} after gas; nothing was sent"
    return f"after gas {format_usd(line['value_after_gas_usd_e6'])}"
