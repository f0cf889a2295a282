"""How ``tidegate stop`` reads on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tidegate.app.cli.common import home

if TYPE_CHECKING:
    from tidegate.app.stopping.known import Known
    from tidegate.app.stopping.signer import SignerFound


def render_stop(out: Console, value: dict[str, Any]) -> None:
    """Say what was stopped, where, until when, and what else was reached."""
    stop = value["stop"]
    out.print(f"stopped: {stop['scope']}, by {', '.join(stop['who'])}: {stop['reason']}")
    for line in value["unknown"]:
        out.print(f"  {'UNKNOWN:':<10}{line}")
    out.print(f"  {'on disk:':<10}after {value['durable_ms']} ms, {home() / 'stop.d' / stop['name']}")
    until = "it is resumed" if value["until_ms"] is None else clock(value["until_ms"])
    out.print(f"  {'until:':<10}{until}")
    exits = "stay possible" if value["allow_exit"] else "FORBIDDEN, two people allow them again"
    out.print(f"  {'exits:':<10}{exits}")
    render_signer(out, value["signer"])
    out.print(f"  {'journal:':<10}{value['journal']}")
    for one in value["on_chain"]:
        out.print(
            f"  {'on chain:':<10}{one['chain']} {one['contract']}: {one['state']} {one['detail']}".rstrip()
        )
        if one["next"]:
            out.print(f"  {'next:':<10}{one['next']}")
    out.print(f'  {"end it:":<10}tidegate resume --scope {stop["scope"]} --reason "..." --evidence "..."')


def render_signer(out: Console, signer: dict[str, str]) -> None:
    """Say what became of the signer, and what a person does about it."""
    state = {"none": "none", "not reached": "NOT FROZEN"}.get(signer["state"], signer["state"])
    out.print(f"  {'signer:':<10}{state}: {one_line(signer['detail'])}")
    if signer["next"]:
        out.print(f"  {'':<10}{signer['next']}")


def render_known(out: Console, known: Known, signer: SignerFound) -> None:
    """List stops, tripped breakers, halts, endpoints in quarantine and books that differ, a line each."""
    for stop in known.stops:
        until = "" if stop.until_ms is None else f" until {clock(stop.until_ms)}"
        exits = "" if stop.allow_exit else ", no exits"
        who = f"{', '.join(stop.who)}, {clock(stop.at_ms)}"
        out.print(f"stop     {stop.scope}{until}{exits}: {one_line(stop.reason)} ({one_line(who)})")
        if known.agreed[stop.id]:
            who = ", ".join(known.agreed[stop.id])
            out.print(f"         {who} would end it; {stop.people_to_release} people are needed")
    for one in known.tripped:
        latched = ", latched" if one.is_latched else ""
        out.print(f"breaker  {one.scope} {one.breaker}: level {one.level}{latched} ({one.code})")
    for halt in known.halts:
        out.print(f"halt     {halt.scope}: {one_line(halt.detail)} ({halt.who})")
    for held in known.endpoints:
        out.print(f"endpoint {held.name}: quarantined, {held.cause}: {one_line(held.detail)}")
    for books in known.differences:
        where = f"{books.body.desk} on chain {books.body.chain_id} ({books.body.stage})"
        out.print(f"books    {where} differ from the chain, nothing new begins: {books.found}")
        out.print(f"         stop what runs, then: {books.way_out}")
    if signer.state == "frozen":
        out.print(f"signer   frozen: {one_line(signer.detail)}")
        out.print(f"         {signer.fix}")
    elif not (known.stops or known.tripped or known.halts or known.endpoints or known.differences):
        out.print("nothing is stopped, tripped, halted, quarantined or different from the chain")


def one_line(text: str) -> str:
    """Return text as one line: whatever breaks it, or can not be seen, is a space."""
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())


def clock(at_ms: int) -> str:
    """Return a time as people read it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_ms // 1000))
