"""What every verb of the command line shares: output, errors, exit codes, places.

Exit codes are a contract: 0 done · 1 failed · 2 usage · 3 config · 10 blocked · 11 stale ·
12 unknown · 13 tampered · 20 halted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tidegate.model import TidegateError

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]


def console() -> Console:
    """Return a console on standard output; plain when that is not a terminal."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def home() -> Path:
    """Return the folder of the project's state: ``$TIDEGATE_HOME``, else ``./.tidegate``."""
    return Path(os.environ.get("TIDEGATE_HOME") or ".tidegate").absolute()


def emit(value: Mapping[str, Any], *, as_json: bool, render: Callable[[Console], None] | None = None) -> None:
    """Print ``value`` as one JSON line, or call ``render`` with a console.

    Without ``render`` people get the same JSON, indented.
    """
    if as_json:
        sys.stdout.write(json.dumps(value, default=_plain, sort_keys=False) + "\n")
    elif render is not None:
        render(console())
    else:
        sys.stdout.write(json.dumps(value, default=_plain, indent=2) + "\n")


def report_error(error: TidegateError, *, as_json: bool) -> int:
    """Print an error the way its reader wants it and return its exit code."""
    if as_json:
        sys.stdout.write(json.dumps({"ok": False, **error.as_record()}) + "\n")
        return error.exit_code
    out = Console(stderr=True, highlight=False, soft_wrap=True)
    position = getattr(error, "position", None)
    where = f"{position}: " if position is not None else ""
    out.print(f"[bold red]{type(error).__name__}[/] [dim]{error.code}[/]", end=" ")
    out.print(f"{where}{error.message}", markup=False)
    for label, text in (("found", error.found), ("allowed", error.allowed), ("next", error.fix)):
        if text is not None:
            out.print(f"  {label + ':':<9}{text}", markup=False)
    return error.exit_code


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")
