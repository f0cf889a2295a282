"""``tidegate devnet``: local chains with canonical contracts, that stay until they are stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.devnet_grant import grant
from tidegate.app.cli.devnet_life import allow, market
from tidegate.app.devnet import (
    DEFAULT_CHAINS,
    NodeStatus,
    export_chains,
    node_records,
    node_states,
    node_status,
    parse_chains,
    read_book,
    read_devnet,
    start_nodes,
    stop_nodes,
    to_toml,
    with_abis_as_text,
)
from tidegate.model import ConfigError, Unavailable
from tidegate.sim import Artifacts

app = typer.Typer(no_args_is_help=True)

ChainNames = Annotated[
    list[str] | None, typer.Argument(metavar="CHAIN...", help="Which chains; all if none is named.")
]

_FORMATS = ("toml", "json")


@app.command()
def up(
    chains: Annotated[
        str,
        typer.Option(
            metavar="NAME:ID:SECONDS,...", help="The chains: name, id and seconds from block to block."
        ),
    ] = DEFAULT_CHAINS,
    port: Annotated[
        int | None, typer.Option(help="First port; by default the first free ones from 8545 on.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Start chains that hold the devnet, each a node of its own on loopback."""
    records = start_nodes(_folder(), parse_chains(chains), first_port=port)
    states = [node_status(record) for record in records]
    emit({"ok": True, "chains": _plain(states)}, as_json=as_json, render=lambda out: _table(out, states))


@app.command()
def status(as_json: JsonFlag = False) -> None:
    """Show the chains that were started: height, address, age, health. Exit 1 if one is not well."""
    states = node_states(_folder())
    well = all(state.health == "ok" for state in states)
    emit({"ok": well, "chains": _plain(states)}, as_json=as_json, render=lambda out: _table(out, states))
    if not well:
        raise typer.Exit(1)


@app.command()
def down(
    chains: ChainNames = None,
    as_json: JsonFlag = False,
) -> None:
    """Stop what was started with up, and nothing else."""
    stopped = stop_nodes(_folder(), chains or ())

    def render(out: Console) -> None:
        for chain, was_running in stopped.items():
            out.print(f"{chain}: {'stopped' if was_running else 'was not running; its record is cleared'}")
        if not stopped:
            out.print("nothing was up")

    emit({"ok": True, "stopped": stopped}, as_json=as_json, render=render)


@app.command()
def export(
    chains: ChainNames = None,
    output: Annotated[Path | None, typer.Option(help="A file, .toml or .json; else standard output.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="toml or json.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write URLs, accounts, addresses and ABIs of running chains, for your own scripts."""
    chosen = _form(form, output, as_json=as_json)
    exported = export_chains(_running(chains), Artifacts.load())
    if chosen == "json":
        text = json.dumps(exported, default=list) + "\n"
    else:
        text = to_toml(with_abis_as_text(exported))
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError("the file can not be written", code="output", found=str(error)) from error
    emit(
        {"ok": True, "written": str(output), "format": chosen, "chains": list(exported["chains"])},
        as_json=as_json,
        render=lambda console: console.print(f"written: {output}"),
    )


app.command()(allow)
app.command()(grant)
app.command()(market)


def _folder() -> Path:
    return home() / "devnet"


def _form(form: str | None, output: Path | None, *, as_json: bool) -> str:
    ending = output.suffix.removeprefix(".").lower() if output is not None else ""
    if output is not None and form is None and ending not in _FORMATS:
        raise ConfigError(
            "the ending does not say which format",
            code="format",
            found=str(output)[:200],
            allowed="a file that ends in .toml or .json",
            fix="name such a file, or add --format toml or --format json",
        )
    chosen = form or ending or ("json" if as_json else "toml")
    if chosen not in _FORMATS:
        raise ConfigError("no such format", code="format", found=chosen, allowed=", ".join(_FORMATS))
    return chosen


def _running(chains: list[str] | None) -> list[Any]:
    records = node_records(_folder(), chains or ())
    wanted = chains or list(records)
    running = []
    for chain in wanted:
        if chain not in records:
            raise ConfigError(
                "no such chain was started here",
                code="chain",
                found=chain,
                allowed=", ".join(one.chain for one in node_states(_folder())) or "none: nothing is up",
                fix="tidegate devnet status",
            )
        state = node_status(records[chain])
        if state.health != "ok":
            raise Unavailable(
                f"the node of {chain} is {state.health}",
                code="node_down",
                fix=f"tidegate devnet down {chain}, then tidegate devnet up",
            )
        running.append((records[chain], read_devnet(_folder(), chain), read_book(_folder(), chain)))
    if not running:
        raise Unavailable("no devnet is up", code="node_down", fix="tidegate devnet up")
    return running


def _plain(states: list[NodeStatus]) -> list[Any]:
    return [msgspec.to_builtins(state) for state in states]


def _table(out: Console, states: list[NodeStatus]) -> None:
    if not states:
        out.print("nothing is up; next: tidegate devnet up")
        return
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for title in ("chain", "id", "url", "health", "height", "block s", "age s", "pid"):
        table.add_column(title, no_wrap=True)
    for state in states:
        table.add_row(
            *(state.chain, str(state.chain_id), state.url, state.health),
            "-" if state.height is None else str(state.height),
            *(f"{state.block_time_s:g}", f"{state.age_s:.0f}", str(state.pid)),
        )
    out.print(table)
