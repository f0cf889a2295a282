"""``tidegate stop``: stop at once, durably, what a scope covers; then say what else was reached.

The file is dropped before anything is loaded that a stop does not need.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.app.cli.common import JsonFlag, UsageError, emit, home, user_name
from tidegate.app.cli.stop_view import one_line, render_known, render_stop
from tidegate.model import Denied, Reason, TidegateError
from tidegate.risk.scope import GLOBAL, Scope
from tidegate.risk.stops.order import NO_EXIT_PEOPLE, StopOrder, count_people, drop_stop

if TYPE_CHECKING:
    from tidegate.app.stopping.pausing import Paused
    from tidegate.app.stopping.signer import SignerFound

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_APPROVAL_BYTES_MAX = 49_152
"""More is no order; the signer's frames hold no more."""
BLOCKED = 10
UNKNOWN = 12


def command(
    scope: Annotated[
        str,
        typer.Option(
            help="global, or chain:ID, desk:NAME, venue:NAME, market:ID; joined by commas all match."
        ),
    ] = GLOBAL,
    reason: Annotated[str, typer.Option(help="Why. Stands in every refusal and in the journal.")] = "",
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="90s, 30m, 2h, 1d; else until it is resumed.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", metavar="NAME", help="Who stops; else this machine's user.")
    ] = None,
    no_exits: Annotated[
        bool, typer.Option("--no-exits", help="Forbid exits, too. Two different people: --by A --by B.")
    ] = False,
    approvals: Annotated[
        list[Path] | None,
        typer.Option(
            "--approval",
            metavar="FILE",
            help="With --no-exits: an order of tidegate signer order freeze_exits; two, for the signer.",
        ),
    ] = None,
    on_chain: Annotated[
        bool, typer.Option("--on-chain", help="Also pause the desk's contracts by the guardian's key.")
    ] = False,
    guardian: Annotated[str, typer.Option(help="The name of the guardian's key.")] = "guardian",
    password: Annotated[
        str,
        typer.Option(metavar="SOURCE", help="Where that key file's password comes from: terminal, fd:N, …"),
    ] = "terminal",  # noqa: S107 - no password, only where one comes from
    show: Annotated[
        bool, typer.Option("--list", help="Show what is stopped, tripped, halted, quarantined.")
    ] = False,
    config: Annotated[Path | None, typer.Option("--config", help="The file; else ./tidegate.toml.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Stop what a scope covers: no new intent, no further signature. Exits stay possible.

    The order is on disk when this returns, holds over restarts, and is ended by tidegate resume alone. A
    global stop also freezes the signer, if there is one: exits too, if two people's orders are handed in.
    """
    if show:
        _list(config, as_json=as_json)
        return
    if approvals and not (no_exits and scope == GLOBAL):
        raise UsageError(
            "orders of two people forbid the signer every exit",
            found="--approval without --no-exits, or for less than everything",
            allowed="tidegate stop --no-exits --by A --by B --approval FIRST --approval SECOND",
            fix="leave --approval away",
        )
    started_ns = time.monotonic_ns()
    order = _order(scope, reason, duration, tuple(by or (user_name(),)), no_exits=no_exits)
    name = drop_stop(home(), order)
    durable_ms = (time.monotonic_ns() - started_ns) // 1_000_000
    signer = _freeze(order, config, approvals or ())
    value: dict[str, Any] = {
        "stop": {"name": name, "scope": order.scope, "reason": order.reason, "who": order.who},
        "until_ms": order.until_ms,
        "allow_exit": order.allow_exit,
        "durable_ms": durable_ms,
        "signer": {"state": signer.state, "detail": signer.detail, "next": signer.fix},
        "journal": _journal(),
        "unknown": _unknown(order, config),
        "on_chain": [],
    }
    paused = _pause(order, config, guardian, password) if on_chain else ()
    value["on_chain"] = [
        {
            "chain": one.chain,
            "contract": one.contract,
            "state": one.state,
            "detail": one.detail,
            "next": one.fix,
        }
        for one in paused
    ]
    code = _code(signer, paused, on_chain=on_chain)
    emit({"ok": code == 0, **value}, as_json=as_json, render=lambda out: render_stop(out, value))
    if code:
        raise typer.Exit(code)


def _order(
    scope: str, reason: str, duration: str | None, who: tuple[str, ...], *, no_exits: bool
) -> StopOrder:
    if not reason.strip():
        raise UsageError("a stop needs a reason", allowed='--reason "..."', fix="tidegate stop --help")
    if no_exits and count_people(who) < NO_EXIT_PEOPLE:
        denied = Denied(
            Reason.STOPPED,
            "exits are forbidden by two different people alone",
            found=", ".join(who),
            allowed="two names",
            fix="tidegate stop --no-exits --by FIRST --by SECOND; without --no-exits one is enough",
        )
        denied.code = "second_person_needed"
        raise denied
    at_ms = time.time_ns() // 1_000_000
    return StopOrder(
        scope=str(Scope.parse(scope)),
        reason=one_line(reason),
        who=who,
        at_ms=at_ms,
        until_ms=None if duration is None else at_ms + 1000 * _seconds(duration),
        allow_exit=not no_exits,
    )


def _seconds(duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise UsageError("--for is no time", found=duration[:40], allowed="90s, 30m, 2h or 1d")
    return int(match[1]) * _UNITS_S[match[2]]


def _freeze(order: StopOrder, config: Path | None, approvals: Sequence[Path]) -> SignerFound:
    """Return what became of the signer; a stop that does not cover everything leaves it alone."""
    from tidegate.app.stopping.signer import NOT_ASKED, SignerFound, freeze_signer

    if order.scope != GLOBAL:
        return SignerFound(NOT_ASKED, "the stop is not global")
    return freeze_signer(
        home(), config, reason=order.reason, by=", ".join(order.who), approvals=_read(approvals)
    )


def _read(approvals: Sequence[Path]) -> tuple[bytes, ...]:
    """Return the orders as they lie on disk; one that can not be read is one that says nothing.

    The signer judges them. That a file is missing must not be why nothing is frozen.
    """
    found = []
    for file in approvals:
        try:
            found.append(file.read_bytes()[:_APPROVAL_BYTES_MAX].strip() or b"{}")
        except OSError:
            found.append(b"{}")
    return tuple(found)


def _journal() -> str:
    from tidegate.app.cli.ledger_place import ledger_place
    from tidegate.app.stopping.known import journaled_now

    try:
        written = journaled_now(home(), ledger_place(None))
    except TidegateError as error:
        return f"not written: {error}"
    return "written" if written else "written by the process that owns the ledger, at its next step or start"


def _unknown(order: StopOrder, config: Path | None) -> tuple[str, ...]:
    """Return what the scope names and nobody here knows; the stop is on disk before anyone asks."""
    from tidegate.app.cli.ledger_place import ledger_place
    from tidegate.app.stopping.naming import unknown_names

    try:
        ledger = ledger_place(None)
    except TidegateError:
        return ()
    return unknown_names(Scope.parse(order.scope), config=config, home=home(), ledger=ledger)


def _pause(order: StopOrder, config: Path | None, guardian: str, password: str) -> tuple[Paused, ...]:
    from tidegate.app.cli.config import configured
    from tidegate.app.stopping.pausing import pause_contracts

    loaded = configured(config, None)
    scope = Scope.parse(order.scope)
    return pause_contracts(scope, loaded, home(), guardian=guardian, password=password)


def _code(signer: SignerFound, paused: tuple[Paused, ...], *, on_chain: bool) -> int:
    if signer.signs_exits or (on_chain and (not paused or not all(one.is_paused for one in paused))):
        return BLOCKED
    return UNKNOWN if signer.may_sign_on else 0


def _list(config: Path | None, *, as_json: bool) -> None:
    from tidegate.app.cli.ledger_place import ledger_place
    from tidegate.app.stopping.known import known_now
    from tidegate.app.stopping.signer import look_at_signer

    known, signer = known_now(home(), ledger_place(None)), look_at_signer(home(), config)
    value = {
        "stops": [
            {
                **{field: getattr(stop.body, field) for field in stop.body.__struct_fields__},
                "agreed": known.agreed[stop.id],
                "needed": stop.people_to_release,
            }
            for stop in known.stops
        ],
        "breakers": [
            {
                "scope": one.scope,
                "breaker": one.breaker,
                "level": one.level,
                "latched": one.is_latched,
                "code": one.code,
            }
            for one in known.tripped
        ],
        "halts": [{"scope": one.scope, "who": one.who, "detail": one.detail} for one in known.halts],
        "endpoints": [
            {"name": one.name, "cause": one.cause, "detail": one.detail} for one in known.endpoints
        ],
        "differences": [
            {
                "seq": one.seq,
                "stage": one.body.stage,
                "desk": one.body.desk,
                "chain_id": one.body.chain_id,
                "found": one.found,
                "next": one.way_out,
            }
            for one in known.differences
        ],
        "signer": {"state": signer.state, "detail": signer.detail, "next": signer.fix},
    }
    emit(value, as_json=as_json, render=lambda out: render_known(out, known, signer))
