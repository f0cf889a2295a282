"""A global stop also freezes the signer: then not even a worker that went wrong gets a signature."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tidegate.app.config import find_config, load_config
from tidegate.custody import SignerConnection

_DEADLINE_S = 2.0


def signer_socket(home: Path) -> Path | None:
    """Return the socket of the signer that this project is configured for; None if there is none."""
    path = find_config()
    named = "" if path is None else load_config(path).config.signer.socket
    socket = Path(named) if named else home / "signer" / "signer.sock"
    return socket if named or socket.exists() else None


def freeze_signer(socket: Path, *, reason: str, by: str) -> None:
    """Freeze the signer. Exits are spared; an administrator unfreezes it.

    Raises
    ------
    Unavailable
        If it does not answer: then it signs nothing either, or somebody else answers in its place.
    """

    async def freeze() -> None:
        async with SignerConnection(socket, deadline_s=_DEADLINE_S) as signer:
            await signer.freeze(reason, by=by)

    asyncio.run(freeze())
