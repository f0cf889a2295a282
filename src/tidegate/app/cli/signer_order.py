"""``tidegate signer order``: one person's half of what two people order of a signer.

It needs the person's key file and no signer: two people make theirs on two machines, and whoever
administers the signer hands both in.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from tidegate.app.cli.common import JsonFlag, UsageError, emit, home
from tidegate.app.signer import write_private
from tidegate.chain import address
from tidegate.custody import Order, OrderKind, sign_order
from tidegate.custody.keys import EdKey, KeyFile, read_password
from tidegate.custody.orders import LIFE_S
from tidegate.custody.requests import Digest
from tidegate.model import ConfigError

_REASON_MAX = 500
_HANDED_IN_BY = {
    OrderKind.FREEZE_EXITS: "tidegate signer freeze --no-exit",
    OrderKind.UNFREEZE: "tidegate signer unfreeze",
    OrderKind.REVOKE: "tidegate signer revoke {subject}",
}


def order(
    kind: Annotated[OrderKind, typer.Argument(metavar="KIND", help="freeze_exits, unfreeze or revoke.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Your key: ed25519, pinned there.")],
    signer: Annotated[
        str, typer.Option("--signer", metavar="ADDRESS", help="An account whose key that signer holds.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why: it is part of what you sign.")],
    capability: Annotated[
        str | None, typer.Option("--capability", metavar="ID", help="Which one to revoke: 64 hex digits.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="A new file; else KIND-NAME.json here.")
    ] = None,
    password: Annotated[
        str, typer.Option("--password", help="fd:N, credential:NAME or terminal; never the password itself.")
    ] = "terminal",  # noqa: S107 (a place, no password)
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where key files lie; else the home's keys.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign your half of what two people order of a signer, for an administrator to hand in with the other.

    An order is good for an hour, once, and at the signer that it names. On a machine without that signer
    the key file alone is needed.
    """
    wanted = Order(
        kind=kind,
        signer=address(signer),
        subject=_subject(kind, capability),
        reason=_reason(reason),
        at_s=int(time.time()),
    )
    file = output or Path(f"{kind.value}-{name}.json")
    _demand_new(file)
    key = KeyFile.read((folder or home() / "keys") / f"{name}.json")
    public_key = key.public_key
    opened = key.open(read_password(password, what=f"key {name}"))
    assert isinstance(opened, EdKey)  # it has a public key
    write_private(file, sign_order(wanted, opened) + b"\n")
    handed_in = _HANDED_IN_BY[kind].format(subject=wanted.subject)
    until_s = wanted.at_s + LIFE_S
    following = f'{handed_in} --reason "…" --approval {file} --approval OTHER'

    def render(out: Console) -> None:
        out.print(f"ordered: {kind.value} {wanted.subject}".rstrip() + f", of the signer of {wanted.signer}")
        out.print(f"  by:      {name}, public key {public_key.hex()}")
        out.print(f"  until:   {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(until_s))}, once")
        out.print(f"written: {file}")
        out.print(f"next:    {following}")

    emit(
        {
            "kind": kind.value,
            "signer": wanted.signer,
            "capability_id": wanted.subject,
            "by": name,
            "public_key": public_key.hex(),
            "until_s": until_s,
            "file": str(file),
            "next": following,
        },
        as_json=as_json,
        render=render,
    )


def _subject(kind: OrderKind, capability: str | None) -> str:
    """Return what the order is about: a capability, or nothing for a freeze and its end."""
    if kind is not OrderKind.REVOKE:
        if capability is not None:
            raise UsageError(
                "only an order to revoke names a capability",
                found=f"{kind.value} --capability",
                fix="leave --capability away",
            )
        return ""
    try:
        return msgspec.convert(capability, Digest)
    except msgspec.ValidationError:
        raise UsageError(
            "which capability is to be revoked?",
            found=(capability or "none")[:80],
            allowed="--capability with its id: 64 hex digits",
            fix="tidegate signer status --json names every id",
        ) from None


def _reason(reason: str) -> str:
    if not 1 <= len(reason.strip()) <= _REASON_MAX:
        raise UsageError(
            "an order has a reason",
            found=f"{len(reason.strip())} characters",
            allowed=f"1 to {_REASON_MAX}",
            fix='--reason "..."',
        )
    return reason.strip()


def _demand_new(file: Path) -> None:
    """Refuse before a password is asked for; the file itself is made exclusively."""
    if os.path.lexists(file):
        raise ConfigError(
            "an order is never written over another",
            code="order_exists",
            found=str(file),
            allowed="a file that is not there yet",
            fix="remove it if it was handed in, or name another with --output FILE",
        )
