"""``tidegate backup``: a consistent copy of the ledger with digests, while it is written to."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.ledger_place import LedgerOption, ledger_place
from tidegate.app.story import counted
from tidegate.ledger import LEDGER, Manifest, back_up
from tidegate.model import ConfigError, SystemClock


class Also(StrEnum):
    """What a backup may hold besides the ledger."""

    SIGNER = "signer"
    STOPS = "stops"


def command(
    out: Annotated[
        Path | None,
        typer.Option("--output", help="A new folder; else one named by time below backups/ of the home."),
    ] = None,
    also: Annotated[
        list[Also] | None,
        typer.Option("--with", help="Also the signer's journal, or the stops in force; may be repeated."),
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a backup beside the running writer, verify it, and print the head to keep elsewhere."""
    clock, place = SystemClock(), ledger_place(ledger)
    folder = out or _new_name(clock)
    with Console(stderr=True).status("backing up …"):
        manifest = back_up(place, folder, clock=clock, also=_sources(also or []))
    value = {"ok": True, "backup": folder, **msgspec.to_builtins(manifest)}
    emit(value, as_json=as_json, render=lambda console: _print(console, folder, manifest))


def _new_name(clock: SystemClock) -> Path:
    folder = home() / "backups"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{folder} can not be made",
            code="output",
            found=str(error),
            allowed="a folder that this user may write",
            fix="name another place with --output",
        ) from error
    now_ms = clock.now_ms()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ms // 1000))
    return folder / f"{stamp}.{now_ms % 1000:03}Z"


def _sources(also: list[Also]) -> dict[str, Path]:
    """Return what else is kept, by its name in the backup; journals by their file, never a key."""
    found: dict[str, Path] = {}
    if Also.STOPS in also:
        found |= {name: home() / name for name in ("stop.d", "resume.d")}
    if Also.SIGNER in also:
        journals = sorted((home() / "signer").glob("*.sqlite"))
        if not journals:
            raise ConfigError(
                f"there is no journal of a signer below {home() / 'signer'}",
                code="no_ledger",
                allowed="a home whose signer has run, and that this user may read",
                fix="leave --with signer out, or run this as the signer's user",
            )
        found |= {f"signer/{path.name}": path for path in journals}
    return found


def _print(out: Console, folder: Path, manifest: Manifest) -> None:
    size = sum(file.size for file in manifest.files.values())
    files = counted(len(manifest.files), "file")
    out.print(Text.assemble(("whole", "bold green"), f": {counted(manifest.seq, 'record')} in {folder}"))
    out.print(f"  {files}, {size:,} bytes, each with its SHA-256 in manifest.json", style="dim")
    out.print(f"  keep elsewhere: {manifest.seq}:{manifest.hash}")
    if f"{LEDGER}-head" in manifest.files:
        out.print(f"  back again: tidegate restore {folder} --into NEW_HOME", style="dim")
