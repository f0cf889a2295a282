"""One finding: how a check becomes one, and how it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec
from rich.console import Console
from rich.text import Text

from tidegate.model import TidegateError


class Finding(msgspec.Struct, frozen=True):
    """One check: what was looked at, whether it is well, what was found, what to do."""

    check: str
    ok: bool
    found: str
    fix: str = ""


def examine(checks: Mapping[str, Callable[[], str]]) -> list[Finding]:
    """Return a finding for each check; one that raises is wrong, with the error's own words."""
    return [_look(name, check) for name, check in checks.items()]


def _look(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except TidegateError as error:
        return wrong(name, error)


def wrong(name: str, error: TidegateError) -> Finding:
    """Return the finding of an error: what was found is never without what it means."""
    position = getattr(error, "position", None)
    where = "" if position is None else f"{position}: "
    found = f"{where}{error.message}" + (f" (found {error.found})" if error.found else "")
    return Finding(name, False, found, error.fix or error.allowed or "")


def render_findings(out: Console, findings: Iterable[Finding]) -> None:
    """Print a line for each finding, and what to do below those that are wrong."""
    for finding in findings:
        mark = Text("well ", "green") if finding.ok else Text("wrong", "bold red")
        out.print(mark, Text(f" {finding.check}: {finding.found}"))
        if finding.fix:
            out.print(f"       next: {finding.fix}")
