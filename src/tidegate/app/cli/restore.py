"""``tidegate restore``: a new home out of a backup, verified, and stopped until a person resumes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from tidegate.app.cli.common import JsonFlag, emit, user_name
from tidegate.app.cli.journal import checkpoint_of
from tidegate.app.cli.ledger_place import ledger_place
from tidegate.app.story import counted
from tidegate.ledger import LEDGER, Restored, restore
from tidegate.model import SystemClock
from tidegate.risk import StopFolder, StopOrder


def command(
    backup: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that tidegate backup made.")],
    into: Annotated[
        Path, typer.Option(metavar="PLACE", help="The new home: a folder not there yet, or empty.")
    ],
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An empty PostgreSQL database for the records; else they lie in the new home.",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="SEQ:HASH that was kept elsewhere; the backup must contain it.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify a backup and make a home of it, with a stop of everything in force."""
    clock = SystemClock()
    kept = None if checkpoint is None else checkpoint_of(checkpoint)
    place = None if ledger is None else ledger_place(ledger)

    def stop(home: Path) -> None:
        order = StopOrder(
            scope="global",
            reason=f"restored from {backup}: compare with the chain, then resume",
            who=(user_name(),),
            at_ms=clock.now_ms(),
        )
        StopFolder(home).write_stop(order)

    with Console(stderr=True).status("restoring …"):
        done = restore(backup, into, clock=clock, stop=stop, ledger=place, checkpoint=kept)
    value = {"ok": True, "stopped": True, **msgspec.to_builtins(done, enc_hook=str)}
    emit(value, as_json=as_json, render=lambda out: _print(out, done))


def _print(out: Console, done: Restored) -> None:
    out.print(Text.assemble(("restored", "bold green"), f": {counted(done.seq, 'record')}, head {done.hash}"))
    out.print(f"  {done.place}", style="dim")
    out.print(f"  stopped until a person has looked: export TIDEGATE_HOME={done.home}")
    out.print("  then: tidegate resume --scope global --reason WHY --evidence WHERE")
    if done.place != str(done.home / LEDGER):
        out.print("  set ledger.url in tidegate.toml to the database", style="dim")
