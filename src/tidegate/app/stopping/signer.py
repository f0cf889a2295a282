"""A global stop also freezes the signer: then not even a worker that went wrong gets a signature.

Where the signer listens in the project's home is known without the configuration; only a socket that the
configuration names must wait until that is read. So the freeze leaves before anything slow is loaded.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.custody.channel import SignerConnection
from tidegate.model import SIGNER_UNREACHED, Denied, TidegateError, Unavailable

if TYPE_CHECKING:
    from tidegate.custody.requests import StatusAnswer

_DEADLINE_S = 2.0
_REASON_MAX, _BY_MAX = 500, 64
"""What the signer's words hold: a longer reason must not be why nothing is frozen."""
_Work = Callable[[SignerConnection], Awaitable["SignerFound"]]

NOT_ASKED, NONE, FROZEN, SIGNING, UNREACHED = "not asked", "none", "frozen", "signing", "not reached"
EXITS_SIGNED = "frozen, but it signs exits"
THAW = 'an administrator ends it: tidegate signer unfreeze --reason "..."'
THAW_BY_TWO = (
    "two people end it, each with tidegate signer order unfreeze; then an administrator: "
    'tidegate signer unfreeze --reason "..." --approval FIRST --approval SECOND'
)
_SPARED, _FORBIDDEN = "exits are spared", "exits are FORBIDDEN, two people allow them again"


@dataclass(frozen=True, slots=True)
class SignerFound:
    """How the project's signer stands, as far as it could be asked, and what to do next."""

    state: str
    detail: str = ""
    fix: str = ""

    @property
    def may_sign_on(self) -> bool:
        """Say whether a signer is there of which nobody knows that it is frozen."""
        return self.state == UNREACHED

    @property
    def signs_exits(self) -> bool:
        """Say whether it refused the orders by which exits were to end."""
        return self.state == EXITS_SIGNED


def freeze_signer(
    home: Path, config: Path | None, *, reason: str, by: str, approvals: Sequence[bytes] = ()
) -> SignerFound:
    """Freeze the project's signer; only an administrator unfreezes it.

    The administrators' socket is tried first: workers can not crowd it. Whoever may not open it asks at the
    workers' socket.

    Parameters
    ----------
    approvals
        Two people's signed orders: exits too, then. Without them exits are spared. What needs nobody's
        order is frozen first, whatever comes of the orders.
    """

    async def freeze(signer: SignerConnection) -> SignerFound:
        words, who = reason[:_REASON_MAX], by[:_BY_MAX]
        await signer.freeze(words, by=who)
        if not approvals:
            return SignerFound(FROZEN, _SPARED, THAW)
        try:
            await signer.freeze_exits(words, by=who, approvals=approvals)
        except Denied as denied:
            found = "" if denied.found is None else f"; found: {denied.found}"
            return SignerFound(EXITS_SIGNED, f"{denied.message}{found}", denied.fix or "")
        return SignerFound(FROZEN, _FORBIDDEN, THAW_BY_TWO)

    return _ask(home, config, freeze)


def look_at_signer(home: Path, config: Path | None) -> SignerFound:
    """Return whether the project's signer is frozen, and how that ends."""

    async def look(signer: SignerConnection) -> SignerFound:
        return _found(await signer.status())

    return _ask(home, config, look)


def _found(status: StatusAnswer) -> SignerFound:
    if not status.is_frozen:
        return SignerFound(SIGNING)
    exits, thaw = (_SPARED, THAW) if status.allows_exit else (_FORBIDDEN, THAW_BY_TWO)
    return SignerFound(FROZEN, f"{status.freeze_reason}; {exits}", thaw)


def _ask(home: Path, config: Path | None, ask: _Work) -> SignerFound:
    folder = home / "signer"
    found = _at(folder / "signer.sock", ask) if (folder / "signer.sock").exists() else None
    try:
        named = _named(config)
    except TidegateError as error:
        return found or _unreached(error)
    if named is not None and named != folder / "signer.sock":
        return _at(named, ask)
    if found is None and (folder / "signer.toml").exists():
        return _unreached(
            Unavailable("the signer does not run", code=SIGNER_UNREACHED, found=f"no socket in {folder}")
        )
    return found or SignerFound(NONE, "no signer was ever laid down here, and none is configured")


def _named(config: Path | None) -> Path | None:
    from tidegate.app.config import find_config, load_config

    path = find_config(config)
    named = "" if path is None else load_config(path).config.signer.socket
    return Path(named).absolute() if named else None


def _at(socket: Path, ask: _Work) -> SignerFound:
    """Ask at the administrators' socket beside the workers', if we may open it, then at the workers'."""
    admin = socket.with_name("admin.sock")
    trouble: TidegateError | None = None
    for place in (admin, socket):
        if place is admin and not os.access(admin, os.W_OK):
            continue
        try:
            return asyncio.run(_connected(place, ask))
        except TidegateError as error:
            trouble = error
    assert trouble is not None
    return _unreached(trouble)


async def _connected(place: Path, ask: _Work) -> SignerFound:
    async with SignerConnection(place, deadline_s=_DEADLINE_S) as signer:
        return await ask(signer)


def _unreached(error: TidegateError) -> SignerFound:
    found = "" if error.found is None else f"; found: {error.found}"
    return SignerFound(
        UNREACHED,
        f"{error.message}{found}",
        'start it if it does not run (tidegate signer run), then: tidegate signer freeze --reason "..."',
    )
