"""``tidegate doctor``: find what is missing or wrong on this machine before the user does."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.story import counted
from tidegate.ledger import JournalReader
from tidegate.model import TidegateError, Unavailable
from tidegate.sim import Artifacts, cache_dir, compile_contract


class Finding(msgspec.Struct, frozen=True):
    """One check: what was looked at, whether it is well, what was found, what to do."""

    check: str
    ok: bool
    found: str
    fix: str = ""


def command(as_json: JsonFlag = False) -> None:
    """Check this machine; exit 1 if anything that the desks need is missing."""
    findings = [_look(name, check) for name, check in _CHECKS.items()]
    well = all(finding.ok for finding in findings)
    emit(
        {"ok": well, "findings": [msgspec.to_builtins(finding) for finding in findings]},
        as_json=as_json,
        render=lambda out: _render(out, findings),
    )
    if not well:
        raise typer.Exit(1)


def _look(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except TidegateError as error:
        return Finding(name, False, error.found or error.message, error.fix or "")


def _python() -> str:
    return f"{platform.python_version()} ({sys.executable})"


def _node() -> str:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(
            "npm was not found",
            found="no npm on the PATH",
            fix="install Node 20 or newer; it is needed at set-up only, to fetch anvil and artifacts",
        )
    return npm


def _anvil() -> str:
    from tidegate.sim.packages import anvil_binary

    asked = subprocess.run(  # noqa: S603 (our own binary, by path)
        [str(anvil_binary()), "--version"], capture_output=True, text=True, timeout=10, check=False
    )
    if asked.returncode:
        raise Unavailable("anvil does not start", found=asked.stderr.strip(), fix="make setup")
    return asked.stdout.splitlines()[0]


def _artifacts() -> str:
    return f"{len(Artifacts.load())} canonical contracts"


def _contracts() -> str:
    build = compile_contract("atomic_executor")
    return f"atomic_executor, {len(build.runtime):,} bytes by {build.compiler}"


def _cache() -> str:
    folder = cache_dir()
    free = shutil.disk_usage(folder if folder.exists() else Path.cwd()).free
    if free < 200 * 2**20:
        raise Unavailable("little room on the disk", found=f"{free // 2**20} MiB free", fix="free some space")
    return f"{folder}, {free // 2**30} GiB free"


def _ledger() -> str:
    path = home() / "ledger.sqlite"
    if not path.exists():
        return f"none yet ({path})"
    with JournalReader.open(path) as journal:
        report = journal.verify()
    return f"{counted(report.records, 'record')}, chain intact"


_CHECKS: dict[str, Callable[[], str]] = {
    "python": _python,
    "npm": _node,
    "anvil": _anvil,
    "artifacts": _artifacts,
    "contracts": _contracts,
    "cache": _cache,
    "ledger": _ledger,
}


def _render(out: Console, findings: list[Finding]) -> None:
    table = Table("check", "", "found", "what to do", box=None)
    for finding in findings:
        mark = Text("well", "green") if finding.ok else Text("wrong", "bold red")
        table.add_row(finding.check, mark, finding.found, finding.fix)
    out.print(table)
