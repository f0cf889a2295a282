"""What every verb of the command line shares: output, errors, exit codes, places.

Exit codes are a contract: 0 done · 1 failed · 2 usage · 3 config · 10 blocked · 11 stale ·
12 unknown · 13 tampered · 20 halted.
"""

from __future__ import annotations

import difflib
import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.exceptions import TyperException

from tidegate.model import TidegateError

_NO_CHOICE = re.compile(
    r"(?P<where>Invalid value for .+?): '(?P<found>.*)' is not one of (?P<allowed>.+?)\.?", re.DOTALL
)
_QUOTED = re.compile(r"'([^']*)'")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]


class UsageError(TidegateError):
    """The command line was typed wrongly."""

    exit_code = 2
    default_code = "usage"


def console() -> Console:
    """Return a console on standard output; plain when that is not a terminal.

    What is printed is data: nothing in it becomes a style or an emoji. Colour is given as ``Text``.
    """
    return Console(
        file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty()
    )


def error_console() -> Console:
    """Return a console on standard error, with the manners of ``console``."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def home() -> Path:
    """Return the folder of the project's state: ``$TIDEGATE_HOME``, else ``./.tidegate``."""
    return Path(os.environ.get("TIDEGATE_HOME") or ".tidegate").absolute()


def user_name() -> str:
    """Return who this is: the name of this machine's user, else the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def emit(value: Mapping[str, Any], *, as_json: bool, render: Callable[[Console], None] | None = None) -> None:
    """Print ``value`` as one JSON line that begins with ``ok``, or call ``render`` with a console.

    ``ok`` is true unless ``value`` says otherwise. Without ``render`` people get the same JSON, indented.
    """
    value = {"ok": True, **value}
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
    out = error_console()
    position = getattr(error, "position", None)
    where = f"{position}: " if position is not None else ""
    out.print(_heading(error).append(f"{where}{error.message}"))
    for label, text in (("found", error.found), ("allowed", error.allowed), ("next", error.fix)):
        if text is not None:
            out.print(f"  {label + ':':<9}{text}")
    return error.exit_code


def _heading(error: TidegateError) -> Text:
    """Return class and code of an error, each only where it says something that the other does not."""
    is_plain = type(error) is TidegateError
    name = "" if is_plain else f"{type(error).__name__} "
    code = f"{error.code} " if is_plain or error.code != error.default_code else ""
    return Text.assemble((name, "bold red"), (code, "bold red" if is_plain else "dim"))


def usage_error(error: TyperException) -> UsageError:
    """Return what Typer says about a wrong command line as an error of ours."""
    context = getattr(error, "ctx", None)
    if context is None:
        return UsageError(error.format_message(), fix="tidegate --help")
    message = error.format_message().replace("Value error, ", "")  # a word of a library's, none of ours
    choice = _NO_CHOICE.fullmatch(message)
    if choice is not None:
        found, allowed = choice["found"], _QUOTED.findall(choice["allowed"])
        near = difflib.get_close_matches(found, allowed, n=1, cutoff=0.5)
        fix = f"did you mean {near[0]}?" if near else f"{context.command_path} --help"
        return UsageError(choice["where"], found=found, allowed=", ".join(allowed), fix=fix)
    usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    return UsageError(message, allowed=usage, fix=f"{context.command_path} --help")


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")
