"""``tidegate bench``: one benchmark by name, its peer measured in the same run.

Benchmarks live beside the package, in ``bench/`` of a checkout, because their peers are
development dependencies. From a wheel the command says so (exit 12).
"""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate.app.cli.common import JsonFlag, emit
from tidegate.model import ConfigError, Unavailable
from tidegate.sim import checkout_root

_MEANINGS = {
    "atomic-gas": "gas of every operation of the executor, beside Safe's MultiSendCallOnly",
    "atomic-compile": "a strategy of sixteen steps to the bytes of a plan, beside eth-abi",
    "atomic-load": "200 attempts of the atomic desk open at once on one signer, beside the bare node",
    "simulate": "flash-arbitrage simulations a second, beside raw pyrevm and eth_call on anvil",
    "decode": "hot events decoded a second, in columns and as records, beside eth-abi",
    "pipeline": "intents a second through the whole street in paper, beside the bare node",
    "recover": "seconds from kill -9 with 100 open transactions to reconciled",
    "journal": "durable records a second, beside raw sqlite commits in the same grouping",
    "signer": "signatures a second with all checks and a durable journal, beside bare eth-account",
    "rpc": "reads a second through the pool, beside raw aiohttp and web3.py; reads lost while nodes die",
    "devnet": "seconds to a devnet that answers, beside bare anvil --load-state",
}


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which benchmark; without a name they are listed.")
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Name them all.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run one benchmark and print its figures; without a name, list them all."""
    if list_all or name is None:
        emit({"benchmarks": _MEANINGS}, as_json=as_json, render=_render_list)
        return
    if name not in _MEANINGS:
        raise ConfigError(
            f"no benchmark is named {name!r}", allowed=", ".join(_MEANINGS), fix="tidegate bench --list"
        )
    result = {**_load(name).run(), "machine": _machine()}
    emit(result, as_json=as_json, render=lambda out: render(out, result))


def _load(name: str) -> Any:
    root = checkout_root()
    if root is None or not (root / "bench").is_dir():
        raise Unavailable(
            "benchmarks run from a checkout: their peers are development dependencies",
            fix=f"clone the repository, then: make bench NAME={name}",
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return import_module(f"bench.{name.replace('-', '_')}")


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _render_list(out: Console) -> None:
    widest = max(map(len, _MEANINGS))
    for name, meaning in _MEANINGS.items():
        out.print(Text.assemble((f"{name:<{widest}} ", "bold"), meaning))


def render(out: Console, result: dict[str, Any]) -> None:
    """Print a figure a line, beside the most that it may be; groups of figures line by line."""
    table = Table("figure", "value", title=str(result["name"]))
    budgets = result.get("budgets", {})
    for key, value in result.items():
        if key in {"name", "machine", "peer", "ratio", "budgets"}:
            continue
        if isinstance(value, dict):
            for inner, figure in value.items():
                table.add_row(f"{key} {inner}", _shown(figure))
        else:
            most = f" of at most {_shown(budgets[key])}" if key in budgets else ""
            table.add_row(key, _shown(value) + most)
    out.print(table)
    ratio = (str(result["ratio"]), "bold")
    out.print(Text.assemble(f"peer: {result['peer']} · ratio ", ratio, " (more is better)"))


def _shown(value: object) -> str:
    """Return a figure for people; two of them are the ends of a range."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return " to ".join(map(_shown, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
