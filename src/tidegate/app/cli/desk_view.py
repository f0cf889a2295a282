"""How executors, their changes and what was done about them look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from tidegate.app.wording import utc


def render_state(out: Console, value: Mapping[str, Any]) -> None:
    """Print an executor: who owns it, what is in force, what waits, what is new."""
    state = value["state"]
    paused = ", paused" if state["is_paused"] else ""
    out.print(f"{state['name']} at {state['executor']}, block {state['at_block']}{paused}")
    out.print(f"  owner {state['owner']}, treasury {state['treasury']}, delay {state['delay_s']} s")
    for line in value["entries"]:
        out.print(f"  {line}")
    for one in state["scheduled"]:
        out.print(f"  waits until {utc(one['eta_s'])}: {one['text']}")
    for line in value["differences"]:
        out.print(Text(f"  DIFFERS {line}", "bold red"))
    for one in value["unannounced"]:
        out.print(Text(f"  NOT ANNOUNCED {one['what']} {one['detail']}", "bold red"))
    out.print(f"  {len(value['events'])} new events; recorded: {value['recorded']}")


def render_changes(out: Console, value: Mapping[str, Any]) -> None:
    """Print what waits, and the next step."""
    out.print(f"{value['executor']} at block {value['at_block']}, delay {value['delay_s']} s")
    if not value["changes"]:
        out.print("  nothing waits")
    for one in value["changes"]:
        out.print(f"  {one['id'][:18]}… {one['state']}: {one['text']}")
        out.print(f"    from {utc(one['eta_s'])} until {utc(one['lapses_at_s'])}")
        if not one["announced"]:
            out.print(Text("    NO plan file announced it", "bold red"))
    if any(one["state"] == "ripe" for one in value["changes"]):
        out.print("next: tidegate desk atomic apply")
    if not value["ok"]:
        out.print("next: find out who scheduled it; tidegate desk atomic cancel --unannounced")


def render_diff(out: Console, value: Mapping[str, Any]) -> None:
    """Print what makes the backup equal to the main executor."""
    out.print(f"{value['backup']} against {value['main']} at block {value['at_block']}")
    for word, part in (("add   ", "schedule"), ("remove", "tighten"), ("differs", "others")):
        for line in value[part]:
            out.print(f"  {word} {line}")
    if value["ok"]:
        out.print("  equal")
    for one in value["proposals"]:
        out.print(f"wrote {one['file']}: {one['calls']} calls, nonce {one['nonce']}, {one['hash']}")
    if not (value["ok"] or value["proposals"]):
        out.print(f"next: tidegate desk atomic diff {value['main']} {value['backup']} --safe FILE")


def render_done(out: Console, value: Mapping[str, Any]) -> None:
    """Print what was sent or written."""
    out.print(f"{value['executor']}: {value['what']}")
    for line in value["lines"]:
        out.print(f"  {line}")
    for one in value["sent"]:
        out.print(f"  sent {one}")
    for one in value["proposals"]:
        out.print(f"  wrote {one['file']}: nonce {one['nonce']}, {one['hash']}")
        out.print(f"  next: tidegate safe sign {one['file']}, then tidegate safe execute {one['file']}")
    if value.get("book"):
        out.print(f"  written to {value['book']}")
        out.print(f"  next: {value['next']}")
