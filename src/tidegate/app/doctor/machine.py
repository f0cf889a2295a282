"""The machine: interpreter, node, canonical contracts, disk."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tidegate import __version__
from tidegate.app.findings import Finding, examine
from tidegate.model import Unavailable
from tidegate.sim import Artifacts, cache_dir, compile_contract

_ROOM_MIB = 200


def look_at_machine(home: Path) -> list[Finding]:
    """Return what this machine has of what the desks need."""
    return examine(
        {
            "version": lambda: f"tidegate {__version__}",
            "python": _python,
            "npm": _node,
            "anvil": _anvil,
            "artifacts": _artifacts,
            "contracts": _contracts,
            "cache": lambda: _room(cache_dir()),
            "disk": lambda: _room(home),
        }
    )


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


def _room(folder: Path) -> str:
    place = next((one for one in (folder, *folder.parents) if one.exists()), Path.cwd())
    free = shutil.disk_usage(place).free
    if free < _ROOM_MIB * 2**20:
        raise Unavailable(
            f"little room for {folder}",
            found=f"{free // 2**20} MiB free",
            allowed=f"{_ROOM_MIB} MiB",
            fix="free some space: a full disk stops every desk",
        )
    return f"{folder}, {free // 2**30} GiB free"
