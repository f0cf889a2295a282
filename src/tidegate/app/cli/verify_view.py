"""How what was verified looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from tidegate.app.findings import Finding, render_findings

_COLOURS = {"same": "green", "unverified": "yellow"}


def render_executors(out: Console, executors: Iterable[Mapping[str, Any]]) -> None:
    """Print every demand on every executor."""
    for one in executors:
        out.print(f"{one['name']} at {one['address']}, block {one['at_block']}")
        render_findings(out, [msgspec.convert(item, Finding) for item in one["findings"]])
        out.print(f"  recorded: {one['recorded']}")


def render_addresses(out: Console, value: Mapping[str, Any]) -> None:
    """Print a line for each address, what differs below it, and how many of each."""
    out.print(f"{value['chain']} at block {value['at_block']}")
    for one in value["addresses"]:
        verdict = one["verdict"]
        mark = Text(f"{verdict:<13}", _COLOURS.get(verdict, "bold red"))
        out.print(mark, Text(f"{one['name']} {one['address']}"))
        if verdict == "changed":
            out.print(f"    found {one['found'] or 'no code'}, recorded {one['recorded']}")
        if verdict == "wrong answer":
            out.print(f"    {one['probe']} answers {one['said'] or 'nothing'}, the book says {one['answer']}")
        if verdict == "no source":
            out.print("    next: write the URL where it is published, and the day, into the book")
    counts = Counter(one["verdict"] for one in value["addresses"])
    out.print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    if value["confirmed"]:
        out.print(f"{value['by']} confirmed {', '.join(value['confirmed'])}: written to {value['book']}")
    if counts["unverified"]:
        out.print(
            f"next: compare each with its source, then tidegate verify addresses --chain {value['chain']} "
            "--confirm NAME --by WHO"
        )
    out.print(f"recorded: {value['recorded']}")
