"""``tidegate resume``: a person ends a stop, a latched breaker or a halt; says why, on what evidence."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, UsageError, emit, home, user_name
from tidegate.app.cli.ledger_place import ledger_place
from tidegate.app.cli.resume_endpoint import let_go
from tidegate.app.stopping.known import Known, journaled_now, known_now, until_gone
from tidegate.app.stopping.lifting import note_for
from tidegate.app.stopping.signer import FROZEN, NOT_ASKED, SignerFound, look_at_signer
from tidegate.model import ConfigError, Halted
from tidegate.risk import Scope, StopFolder, drop_note
from tidegate.risk.limits.restore import FAILURE_BREAKERS
from tidegate.risk.scope import GLOBAL
from tidegate.risk.stops.order import count_people

_WAIT_S = 10.0
_KEY = "key:"


def command(
    scope: Annotated[
        str | None, typer.Option(help="Exactly the scope that was stopped, tripped or halted.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it may go on.")] = "",
    evidence: Annotated[str, typer.Option(help="What shows it: a link, a ticket, a report's digest.")] = "",
    breaker: Annotated[
        str | None,
        typer.Option(help="The latched breaker to release; failed_share forgives failures without a latch."),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="CHAIN.NAME", help="Instead of a scope: the endpoint to ask again.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who; else this machine's user.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """End every stop of a scope, one latched breaker, the scope's halts, or an endpoint's quarantine.

    Names who, why and evidence. A stop that forbids exits ends when two different people have said so, each
    by this command. A running process acts within a second, else the next start does. An endpoint is asked
    for its chain id before it is used. A signer that a global stop froze is unfrozen by an administrator
    alone, with tidegate signer unfreeze; this command says so.
    """
    for name, text in (("reason", reason), ("evidence", evidence)):
        if not text.strip():
            raise UsageError(f"to resume needs --{name}", fix="tidegate resume --help")
    if (scope is None) is (endpoint is None):
        raise UsageError(
            "what is to go on?",
            found="neither --scope nor --endpoint" if scope is None else "both --scope and --endpoint",
            allowed="one of them",
            fix="tidegate stop --list",
        )
    place, who = ledger_place(None), by or user_name()
    if scope is None:
        let_go(str(endpoint), place, who=who, reason=reason, evidence=evidence, as_json=as_json)
        return
    wanted = scope if scope.startswith(_KEY) else str(Scope.parse(scope))
    known = known_now(home(), place)
    targets = _targets(known, wanted, breaker)
    for target in targets:
        at_ms = time.time_ns() // 1_000_000
        note = note_for(scope=wanted, who=who, reason=reason, evidence=evidence, at_ms=at_ms, **target)
        drop_note(home(), note)
    written = journaled_now(home(), place)
    until_gone(
        lambda: not _waiting(known_now(home(), place), wanted, targets), seconds=0 if written else _WAIT_S
    )
    known = known_now(home(), place)
    left = _still(known, wanted, targets)
    if left:
        raise _still_in_force(wanted, left, known)
    signer = look_at_signer(home(), None) if wanted == GLOBAL else SignerFound(NOT_ASKED)
    value: dict[str, Any] = {
        "scope": wanted,
        "by": who,
        "ended": targets,
        "signer": {"state": signer.state, "detail": signer.detail, "next": signer.fix},
    }
    emit(value, as_json=as_json, render=lambda out: _render(out, value))


def _targets(known: Known, scope: str, breaker: str | None) -> list[dict[str, str]]:
    """Return what the scope names, each as the part of a note that says so."""
    if breaker is not None:
        latched = [one for one in known.breakers if one.is_latched]
        counts_failures = breaker in FAILURE_BREAKERS and any(one.scope == scope for one in known.breakers)
        if counts_failures or any((one.scope, one.breaker) == (scope, breaker) for one in latched):
            return [{"breaker": breaker}]
        raise ConfigError(
            "no such breaker is latched",
            code="nothing_stopped",
            found=f"{scope} {breaker}",
            allowed=", ".join(f"{one.scope} {one.breaker}" for one in latched)
            or f"none is latched; {' and '.join(sorted(FAILURE_BREAKERS))} of a desk or chain that has run",
            fix="tidegate stop --list",
        )
    targets = [{"stop_id": stop.id} for stop in known.stops if str(stop.scope) == scope and stop.name]
    targets += [{"halt": halt.scope} for halt in known.halts if halt.scope == scope]
    if targets:
        return targets
    in_force = {*(str(stop.scope) for stop in known.stops), *(halt.scope for halt in known.halts)}
    raise ConfigError(
        "nothing is stopped with exactly this scope",
        code="nothing_stopped",
        found=scope,
        allowed=", ".join(sorted(in_force)) or "nothing is stopped",
        fix="tidegate stop --list",
    )


def _still(known: Known, scope: str, targets: list[dict[str, str]]) -> list[dict[str, str]]:
    ids = {stop.id for stop in known.stops}
    halts = {halt.scope for halt in known.halts}
    latched = {one.breaker for one in known.breakers if one.is_latched}
    latched |= {
        note.breaker for _, note in StopFolder(home()).notes() if note.breaker and note.scope == scope
    }
    return [
        target
        for target in targets
        if target.get("stop_id") in ids or target.get("halt") in halts or target.get("breaker") in latched
    ]


def _waiting(known: Known, scope: str, targets: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return what only waits for a running process: enough people have said that it may end."""
    short = {stop.id for stop in known.stops if count_people(known.agreed[stop.id]) < stop.people_to_release}
    return [target for target in _still(known, scope, targets) if target.get("stop_id") not in short]


def _still_in_force(scope: str, left: list[dict[str, str]], known: Known) -> Halted:
    for stop in known.stops:
        agreed = known.agreed[stop.id]
        if {"stop_id": stop.id} in left and count_people(agreed) < stop.people_to_release:
            return Halted(
                f"the stop of {scope} forbids exits: another person must agree that it ends",
                code="second_person_needed",
                found=", ".join(agreed),
                allowed=f"{stop.people_to_release} different people",
                fix=f'tidegate resume --scope {scope} --reason "..." --evidence "..." --by ANOTHER',
            )
    return Halted(
        f"the word that {scope} may go on is on disk, and nobody has acted on it yet",
        code="resume_noted",
        found="; ".join(" ".join(target.values()) for target in left),
        allowed="a running process acts within a second, else the next start does",
        fix="tidegate stop --list",
    )


def _render(out: Console, value: dict[str, Any]) -> None:
    for target in value["ended"]:
        out.print(f"resumed: {value['scope']} {' '.join(target.values())}, by {value['by']}")
    if value["signer"]["state"] == FROZEN:
        out.print(f"signer:  still frozen: {value['signer']['detail']}")
        out.print(f"         {value['signer']['next']}")
