"""``tidegate signer``: the process that holds the keys, its witness, and what may be asked of it."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, emit, home
from tidegate.app.cli.signer_order import order
from tidegate.app.signer import (
    SignerSettings,
    commented,
    demand_home,
    prepare_devnet_signer,
    read_signer_settings,
    run_signer,
    uids_of,
)
from tidegate.custody import SignerConnection
from tidegate.custody.requests import Done, Freeze, Revoke, StatusAnswer, Unfreeze
from tidegate.model import ConfigError, Unavailable, format_usd

app = typer.Typer()

Result = TypeVar("Result")
_ENVELOPE_BYTES_MAX = 49_152
_WAIT_S = 0.1

Settings = Annotated[
    Path | None, typer.Option("--config", help="signer.toml; else the one in the home's folder signer.")
]
Socket = Annotated[
    Path | None, typer.Option("--socket", help="Where the signer listens; else where signer.toml says.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why: it stands in the signer's journal.")]
Approvals = Annotated[
    list[Path] | None,
    typer.Option(
        "--approval", metavar="FILE", help="A person's order, by tidegate signer order; two of them."
    ),
]


@app.command()
def init(
    chain_id: Annotated[int, typer.Option("--devnet", help="The id of a chain of your own.")] = 31337,
    key: Annotated[str, typer.Option("--key", help="The name of the throw-away key.")] = "operator",
    show: Annotated[bool, typer.Option("--show", help="Print a signer.toml and write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Lay down a signer for a devnet: a throw-away key, its password and a commented signer.toml."""
    if show:
        emit({"text": commented()}, as_json=as_json, render=lambda out: out.print(commented(), end=""))
        return
    made = prepare_devnet_signer(home(), chain_id=chain_id, key_name=key)
    start = f"tidegate signer run 3< {made.password}"

    def render(out: Console) -> None:
        out.print(f"written: {made.config}")
        out.print(f"key:     {key}, {made.address}, throw-away")
        out.print(f"next:    {start}")

    emit({**msgspec.to_builtins(made, enc_hook=str), "next": start}, as_json=as_json, render=render)


@app.command()
def run(settings: Settings = None, as_json: JsonFlag = False) -> None:
    """Hold the keys and answer until SIGTERM. Gives up the network before it opens a key."""
    path = settings or home() / "signer" / "signer.toml"
    chosen = read_signer_settings(path)
    demand_home(path, chosen)

    def report(facts: dict[str, Any]) -> None:
        emit(facts, as_json=as_json, render=lambda out: _started(out, facts))
        sys.stdout.flush()

    run_signer(chosen, report=report)


@app.command()
def witness(
    config: Annotated[
        Path, typer.Option("--config", help="Chains and endpoints, in the form of tidegate.toml.")
    ] = Path("witness.toml"),
    socket: Socket = None,
    users: Annotated[
        list[str] | None,
        typer.Option("--user", help="A user, by name or uid, that may ask: the signer's. Else our own."),
    ] = None,
    quorum: Annotated[int, typer.Option(min=1, max=16, help="How many operators must agree.")] = 2,
    as_json: JsonFlag = False,
) -> None:
    """Read chains for the signer, with pools of its own and no keys, until SIGTERM."""
    from tidegate.app.witness import read_witness_settings, run_witness  # not into the signer's process

    place = socket or home() / "witness" / "witness.sock"
    chosen = read_witness_settings(
        config,
        home=home(),
        socket=place,
        uids=uids_of([int(one) if one.isdigit() else one for one in users or ()]),
        quorum=quorum,
    )

    def report(facts: dict[str, Any]) -> None:
        emit(
            facts,
            as_json=as_json,
            render=lambda out: out.print(
                f"the witness answers at {facts['socket']} on chains {', '.join(map(str, facts['chains']))}"
            ),
        )
        sys.stdout.flush()

    run_witness(chosen, report=report)


@app.command()
def status(
    settings: Settings = None,
    socket: Socket = None,
    wait_s: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for a signer that is starting.")
    ] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Show keys, capabilities, what is used of them, and whether the signer is frozen. Exit 20 if so."""
    place, until = _worker_socket(settings, socket), time.monotonic() + wait_s
    while True:
        try:
            answer = _ask(place, lambda signer: signer.status())
            break
        except Unavailable:
            if time.monotonic() >= until:
                raise
            time.sleep(_WAIT_S)
    emit(
        {**msgspec.to_builtins(answer), "ok": not answer.is_frozen},
        as_json=as_json,
        render=lambda out: _status(out, answer),
    )
    if answer.is_frozen:
        raise typer.Exit(20)


@app.command()
def load(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A capability in its envelope; - is standard input.")
    ],
    settings: Settings = None,
    socket: Socket = None,
    as_json: JsonFlag = False,
) -> None:
    """Hand a capability to the signer. A higher serial of the same line replaces the one before."""
    envelope = _envelope(file)
    loaded = _ask(_worker_socket(settings, socket), lambda signer: signer.load_capability(envelope))

    def render(out: Console) -> None:
        out.print(f"loaded: {loaded.capability_id}")
        if loaded.replaced:
            out.print(f"replaced: {loaded.replaced}")

    emit({"capability_id": loaded.capability_id, "replaced": loaded.replaced}, as_json=as_json, render=render)


@app.command()
def freeze(
    reason: Reason,
    no_exit: Annotated[
        bool, typer.Option("--no-exit", help="Exits too: needs the admin socket and two people's orders.")
    ] = False,
    approvals: Approvals = None,
    settings: Settings = None,
    socket: Socket = None,
    as_json: JsonFlag = False,
) -> None:
    """Stop signing at once; exits are spared. Any process that may connect can do this."""
    request = Freeze(reason=reason, by=_me(), allow_exit=not no_exit, approvals=_orders(approvals))
    place = _admin_socket(settings, socket) if no_exit else _freezing_socket(settings, socket)
    _ask(place, lambda signer: signer.demand(request, Done))
    emit({"frozen": True, "allow_exit": not no_exit}, as_json=as_json, render=lambda out: out.print("frozen"))


@app.command()
def unfreeze(
    reason: Reason,
    approvals: Approvals = None,
    settings: Settings = None,
    socket: Socket = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign again (administrator). What two people froze, two people unfreeze."""
    request = Unfreeze(reason=reason, by=_me(), approvals=_orders(approvals))
    _ask(_admin_socket(settings, socket), lambda signer: signer.demand(request, Done))
    emit({"frozen": False}, as_json=as_json, render=lambda out: out.print("signing again"))


@app.command()
def revoke(
    capability_id: Annotated[str, typer.Argument(metavar="CAPABILITY", help="Its id: 64 hex digits.")],
    reason: Reason,
    approvals: Approvals = None,
    settings: Settings = None,
    socket: Socket = None,
    as_json: JsonFlag = False,
) -> None:
    """End a capability for good (administrator). An exit capability needs two people's orders."""
    try:
        request = msgspec.convert(
            {
                "type": "revoke",
                "capability_id": capability_id,
                "reason": reason,
                "by": _me(),
                "approvals": _orders(approvals),
            },
            Revoke,
        )
    except msgspec.ValidationError as error:
        raise ConfigError(
            "this is no capability's id",
            found=capability_id[:80],
            allowed="64 hex digits",
            fix="tidegate signer status",
        ) from error
    _ask(_admin_socket(settings, socket), lambda signer: signer.demand(request, Done))
    emit(
        {"revoked": capability_id}, as_json=as_json, render=lambda out: out.print(f"revoked: {capability_id}")
    )


app.command()(order)


def _settings(path: Path | None) -> SignerSettings:
    return read_signer_settings(path or home() / "signer" / "signer.toml")


def _worker_socket(settings: Path | None, socket: Path | None) -> Path:
    return socket or _settings(settings).socket


def _admin_socket(settings: Path | None, socket: Path | None) -> Path:
    return socket or _settings(settings).admin_socket


def _freezing_socket(settings: Path | None, socket: Path | None) -> Path:
    """Return the administrators' socket if we may open it: workers can not crowd that one."""
    if socket is not None:
        return socket
    chosen = _settings(settings)
    return chosen.admin_socket if os.access(chosen.admin_socket, os.W_OK) else chosen.socket


def _ask(path: Path, ask: Callable[[SignerConnection], Awaitable[Result]]) -> Result:
    async def asked() -> Result:
        async with SignerConnection(path) as signer:
            return await ask(signer)

    return asyncio.run(asked())


def _envelope(file: Path) -> bytes:
    if str(file) == "-":
        raw = sys.stdin.buffer.read(_ENVELOPE_BYTES_MAX + 1)
    else:
        with file.open("rb") as opened:
            raw = opened.read(_ENVELOPE_BYTES_MAX + 1)
    if not 2 <= len(raw) <= _ENVELOPE_BYTES_MAX:
        raise ConfigError(
            f"{file} is no envelope",
            found="nothing" if len(raw) < 2 else "too many bytes",
            allowed=f"a DSSE envelope of at most {_ENVELOPE_BYTES_MAX} bytes",
            fix="tidegate devnet grant writes one for a devnet",
        )
    return raw.strip()


def _orders(files: list[Path] | None) -> tuple[bytes, ...]:
    return tuple(_envelope(file) for file in files or ())


def _me() -> str:
    """Return who asks, by the system's word; it stands in the journal beside the uid of the peer."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name[:64]
    except KeyError:
        return f"uid {os.getuid()}"


def _started(out: Console, facts: dict[str, Any]) -> None:
    out.print(f"the signer answers at {facts['socket']}")
    for name, address in facts["keys"].items():
        out.print(f"  key {name}: {address}")
    if facts["network"] == "seccomp":
        out.print("  network: given up (seccomp)")
    else:
        out.print("  network: this system lets no process give it up; the service manager must withhold it")


def _status(out: Console, status: StatusAnswer) -> None:
    if status.is_frozen:
        out.print(f"FROZEN: {status.freeze_reason}; exits {'are spared' if status.allows_exit else 'too'}")
    for key in status.keys:
        out.print(f"key {key.name}: {key.address}{', throw-away' if key.is_throw_away else ''}")
    if not status.capabilities:
        out.print("no capability is loaded; next: tidegate signer load FILE")
        return
    for one in status.capabilities:
        until = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(one.expires_at))
        ended = " (revoked or replaced)" if one.is_revoked else ""
        scope = f"{one.desk} on {one.chain_id} in {one.stage.value}, {one.purpose}"
        out.print(f"capability {one.id[:12]}{ended}: {scope}")
        out.print(f"  until     {until}, serial {one.serial}")
        for name, used, allowed in (
            ("notional", format_usd(one.notional_used_usd_e6), format_usd(one.notional_day_usd_e6)),
            ("at risk", format_usd(one.at_risk_used_usd_e6), format_usd(one.at_risk_day_usd_e6)),
            ("count", one.tx_used, one.tx_day),
        ):
            out.print(f"  {name:<9} {used} of {allowed} in 24 h")
    for offence, count in status.closed_connections.items():
        out.print(f"connections closed, {offence}: {count}")
