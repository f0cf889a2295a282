"""``tidegate verify``: executors and addresses, against the build, the book and the chain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from tidegate.app.cli.common import JsonFlag, emit, home, user_name
from tidegate.app.cli.config import ConfigFile, configured
from tidegate.app.cli.ledger_place import LedgerOption, ledger_place
from tidegate.model import ConfigError

app = typer.Typer()

ChainName = Annotated[
    str, typer.Option("--chain", help="A chain of the configuration, or a devnet that is up.")
]
By = Annotated[str | None, typer.Option("--by", help="Who confirms; else this machine's user.")]


@app.command()
def executor(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An executor of the book.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every executor of the book.")] = False,
    strategies: Annotated[
        list[Path] | None,
        typer.Option("--strategies", metavar="FILE", help="Strategies that its policy must fit; repeatable."),
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Record who owns it and holds roles, after you compared.")
    ] = False,
    by: By = None,
    chain: ChainName = "devnet",
    ledger: LedgerOption = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold executors against build, book and strategies. Exit 13 if one is not ours, 1 if one is wrong."""
    from tidegate.app.cli.verify_view import render_executors
    from tidegate.app.deploying.looking import verify_executors

    if every == (name is not None):
        raise ConfigError(
            "which executor?", found="both" if every else "neither", allowed="NAME, or --all", fix="--all"
        )
    if confirm and every:
        raise ConfigError("one is confirmed at a time", found="--all", allowed="NAME")
    loaded = configured(config, None)
    told, code = asyncio.run(
        verify_executors(
            chain,
            None if every else name,
            strategies or [],
            loaded=loaded,
            home=home(),
            ledger=ledger_place(ledger, loaded),
            confirmed_by=(by or user_name()) if confirm else None,
        )
    )
    value: dict[str, Any] = {"ok": code == 0, "chain": chain, "executors": told}
    emit(value, as_json=as_json, render=lambda out: render_executors(out, told))
    if code:
        raise typer.Exit(code)


@app.command()
def addresses(
    chain: ChainName = "devnet",
    confirm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Record the code that stands there, after you compared; repeatable."
        ),
    ] = None,
    by: By = None,
    ledger: LedgerOption = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Look at every address of the book: its code, its probe, its source and date.

    Exit 13 if the recorded code is not there any more, 1 if a source is missing, no code stands there or a
    probe answers otherwise, 12 if code hashes were never confirmed by a person.
    """
    from tidegate.app.cli.verify_view import render_addresses
    from tidegate.app.deploying.looking import verify_addresses

    loaded = configured(config, None)
    value, code = asyncio.run(
        verify_addresses(
            chain,
            confirm or [],
            by=by or user_name(),
            loaded=loaded,
            home=home(),
            ledger=ledger_place(ledger, loaded),
        )
    )
    emit({"ok": code == 0, **value}, as_json=as_json, render=lambda out: render_addresses(out, value))
    if code:
        raise typer.Exit(code)
