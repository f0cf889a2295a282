"""What is said when something fails that nobody foresaw: a defect of ours, and where its trace lies."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

from tidegate.app.cli.common import error_console, home

EXIT_CODE = 1


def report_crash(error: Exception, *, as_json: bool) -> int:
    """Write the traceback down, tell the person, and return the exit code.

    The traceback holds source lines and messages, never the values of variables: those may be keys.
    With ``TIDEGATE_TRACEBACK=1``, and where no file can be written, it goes to standard error.
    """
    trace = "".join(traceback.format_exception(error))
    place = None if os.environ.get("TIDEGATE_TRACEBACK") == "1" else _written(trace)
    if place is None:
        sys.stderr.write(trace)
    shown = "standard error" if place is None else str(place)
    advice = "report it with the traceback; the journal, if one was open, is whole"
    if as_json:
        record = {
            "ok": False,
            "error": type(error).__name__,
            "code": "defect",
            "message": f"this is a defect of Tidegate: {error}",
            "traceback": shown,
            "next": advice,
        }
        sys.stdout.write(json.dumps(record) + "\n")
        return EXIT_CODE
    out = error_console()
    out.print("this is a defect of Tidegate", style="bold red")
    out.print(f"  {type(error).__name__}: {error}")
    out.print(f"  {'trace:':<9}{shown}")
    out.print(f"  {'next:':<9}{advice}")
    return EXIT_CODE


def _written(trace: str) -> Path | None:
    """Write the trace to a new file that its owner alone can read; return None if that fails."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = home() / "crash" / f"{moment}-{os.getpid()}-{time.monotonic_ns()}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(trace)
    except OSError:
        return None
    return path
