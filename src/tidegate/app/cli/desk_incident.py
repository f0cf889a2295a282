"""``tidegate desk atomic incident``: keep what explains a bad moment before anyone touches it."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.config import ConfigFile, configured
from tidegate.app.cli.ledger_place import LedgerOption, ledger_place
from tidegate.model import SystemClock

app = typer.Typer()


@app.callback()
def group() -> None:
    """Keep the evidence of a bad moment in one folder, with its digests."""


@app.command("open")
def open_command(
    reason: Annotated[str, typer.Option(help="What happened, in a sentence.")],
    out: Annotated[
        Path | None,
        typer.Option("--output", help="A new folder; else one named by time below incidents/ of the home."),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who opens it; else this machine's user.")] = None,
    ledger: LedgerOption = None,
    config: ConfigFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the bundle: journal tail, last 50 runs, pending, policy, roles, signals, stops, configuration.

    It is made beside a running desk, stops nothing, and holds no secret. Keep the printed digest elsewhere.
    """
    from tidegate.app.incident import open_incident

    clock, loaded = SystemClock(), configured(config, None)
    folder = out or _new_folder(clock.now_ms())
    incident = open_incident(
        ledger_place(ledger, loaded),
        loaded,
        folder,
        reason=reason,
        by=by or getpass.getuser(),
        clock=clock,
    )
    value: dict[str, Any] = {
        "ok": True,
        "folder": str(folder),
        "digest": incident.digest,
        **msgspec.to_builtins(incident),
    }

    def render(console: Console) -> None:
        console.print(f"incident opened by {incident.by}: {incident.reason}")
        for name, file in incident.files.items():
            console.print(f"  {name:<22}{file.size:>10,} bytes")
        console.print(f"  in {folder}, up to record {incident.seq}")
        console.print(f"  keep elsewhere: {incident.digest}")
        console.print("  next: tidegate stop --scope desk:atomic --on-chain, if it goes on")

    emit(value, as_json=as_json, render=render)


def _new_folder(now_ms: int) -> Path:
    folder = home() / "incidents"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ms // 1000))
    return folder / f"{stamp}.{now_ms % 1000:03}Z"
