"""``tidegate backtest``: record a tape of states, and decide on it again, offline."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from tidegate.app.backtest import LATENCY_MAX_BLOCKS, About, new_place, record_market, run_backtest
from tidegate.app.cli.common import JsonFlag, console, emit, home
from tidegate.app.cli.strategy_run import BlindsFile, RunFiles
from tidegate.app.devnet.tables import token_tables
from tidegate.app.paper import PaperMarket, blinds_salt
from tidegate.app.runtime import Job
from tidegate.desks.atomic import (
    Assignment,
    Strategy,
    complete_blinds,
    load_blinds,
    load_strategy,
    parse_strategy,
)
from tidegate.ledger import Journal
from tidegate.model import ManualClock, format_usd
from tidegate.sim import Tape
from tidegate.venues import NATIVE

app = typer.Typer()

_NATIVE_DECIMALS = 18
_KIND_TO_US = (
    "our own trades do not move the tape: one gap may be taken at each of its blocks. Paper earns less: "
    "docs/explanation/backtest.md"
)


@app.command()
def record(
    files: RunFiles,
    output: Annotated[Path, typer.Option("--output", help="The tape's file.")],
    blocks: Annotated[int, typer.Option(min=1, max=100_000, help="How many blocks to record.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the market simulator.")] = 7,
    moves: Annotated[
        int, typer.Option(min=0, max=10_000, help="Blocks that the market moves beforehand.")
    ] = 24,
    blinds: BlindsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Record what strategies read, block by block, of a devnet whose market moves by a seed.

    Nobody of ours acts there: what is recorded is what others did. ``tidegate run --record`` records a
    chain that it runs on.
    """
    Tape.demand_place(output)
    tables = token_tables()
    jobs, texts = [], {}
    for file in files:
        strategy = load_strategy(file, tables)
        given = {} if blinds is None else load_blinds(blinds, strategy, tables[strategy.chain])
        jobs.append(Job(strategy, given))
        texts[strategy.name] = file.read_text(encoding="utf-8")
    with _bar("recording", blocks, shown=not as_json) as done:
        tape = asyncio.run(record_market(jobs, texts, PaperMarket(seed, moves), blocks, done))
    digest = tape.save(output)
    value = {
        "tape": str(output),
        "digest": digest,
        "blocks": len(tape.blocks),
        "bytes": output.stat().st_size,
    }
    emit(value, as_json=as_json, render=lambda out: out.print(_recorded(value)))


@app.command()
def atomic(
    tape: Annotated[Path, typer.Option("--tape", help="What `tidegate backtest record` wrote.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Strategy files; by default those of the tape."),
    ] = None,
    latency: Annotated[
        int, typer.Option(min=0, max=LATENCY_MAX_BLOCKS, help="Blocks from decision to inclusion.")
    ] = 1,
    blinds: BlindsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Decide at every block of a tape and fill what was decided on a later block. Signs and sends nothing.

    The same tape and configuration give the same journal, byte for byte.
    """
    recorded = Tape.load(tape)
    about = About.of(recorded)
    assignments = tuple(_assignment(one, about, blinds) for one in _strategies(files, about))
    place = new_place(home())
    clock = ManualClock()
    with (
        Journal.open(place / "ledger.sqlite", clock=clock) as journal,
        _bar("deciding", len(recorded.blocks), shown=not as_json) as done,
    ):
        summary = asyncio.run(
            run_backtest(
                recorded,
                assignments,
                journal,
                clock,
                latency_blocks=latency,
                salt=blinds_salt(home()),
                watch=lambda progress: done(progress.blocks + 1),
            )
        )
        proof = journal.verify()
    value = {
        **summary,
        "journal": {"records": proof.records, "head": proof.head_hash},
        "ledger": str(place / "ledger.sqlite"),
    }
    emit(value, as_json=as_json, render=lambda out: _render(out, value))


def _strategies(files: list[Path] | None, about: About) -> list[Strategy]:
    book = about.address_book()
    decimals = {symbol: token.decimals for symbol, token in book.tokens.items()}
    tables = {book.chain: {**decimals, NATIVE: _NATIVE_DECIMALS}}
    if files:
        return [load_strategy(file, tables) for file in files]
    return [parse_strategy(text.encode(), f"{name}.yaml", tables) for name, text in about.strategies.items()]


def _assignment(strategy: Strategy, about: About, blinds: Path | None) -> Assignment:
    book = about.address_book()
    decimals = {symbol: token.decimals for symbol, token in book.tokens.items()}
    given = complete_blinds(strategy, {}) if blinds is None else load_blinds(blinds, strategy, decimals)
    return Assignment(strategy, book, about.operator, given)


@contextmanager
def _bar(what: str, total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Yield what tells a progress bar how far it is; nobody sees one but people at a terminal."""
    if not shown or not sys.stdout.isatty():
        yield lambda _: None
        return
    with Bar(console=console(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _recorded(value: dict[str, Any]) -> str:
    size, digest = f"{value['bytes']:,} bytes", f"{value['digest'][:16]}…"
    return f"recorded {value['blocks']:,} blocks in {value['tape']}: {size}, {digest}"


def _render(out: Console, value: dict[str, Any]) -> None:
    table = Table(title=f"{value['blocks']:,} blocks, latency {value['latency_blocks']}", box=None)
    table.add_column("strategy", no_wrap=True)
    names = {
        "decisions": "decided",
        "intents": "acted",
        "landed": "landed",
        "reverted": "rev.",
        "denied": "denied",
        "dropped": "dropped",
    }
    for name in (*names.values(), "after gas"):
        table.add_column(name, justify="right", no_wrap=True)
    for subject, line in value["strategies"].items():
        figures = [f"{line[name]:,}" for name in names]
        table.add_row(subject, *figures, format_usd(line["value_after_gas_usd_e6"]))
    out.print(table)
    out.print(_KIND_TO_US)
    guessed = [name for name, source in value["gas_profile"].items() if source != "measured"]
    if guessed:
        out.print(f"gas: never measured on this tape, taken as max_gas: {', '.join(guessed)}")
    for title, counts in (("did not act", "reasons"), ("refused", "refusals")):
        told = " · ".join(f"{name} {count:,}" for name, count in value[counts].items())
        if told:
            out.print(f"{title + ':':<13}{told}")
    out.print(f"journal  {value['journal']['records']:,} records, head {value['journal']['head'][:16]}…")
    out.print(f"         tidegate journal tail --ledger {value['ledger']}")
