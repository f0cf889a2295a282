"""How signed bytes leave the house: what a sender hands over, and what it is told of it.

The sender knows neither nodes nor relays. It has one way out, and that may be several: a relay first, a
private endpoint where none takes the bytes, never the public mempool unless the plan allows it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from tidegate.model import Route, Sending


class Parcel(msgspec.Struct, frozen=True):
    """Signed bytes on their way out.

    ``name`` is the same for whatever is signed for one purpose under one nonce: the content with its
    replacements, or its cancels. ``settled`` is the route that has taken such bytes before: no other is
    tried then. ``until_block`` is the last block that they may be offered for; None before the first offer.
    ``deadline_s`` is the chain's time from which on the bytes are of no use; None for a cancel.
    """

    name: str
    raw: bytes
    hash: bytes
    head: int
    sending: Sending | None = None
    settled: Route | None = None
    until_block: int | None = None
    deadline_s: int | None = None


class Handover(msgspec.Struct, frozen=True):
    """Who took the bytes. ``until_block`` is the last block that a bundle was offered for."""

    route: Route | None = None
    by: tuple[str, ...] = ()
    until_block: int | None = None


class Ways(Protocol):
    """Takes signed bytes to a chain. ``chain.relays.Dispatch`` is one."""

    def demand(self, sending: Sending) -> None:
        """Raise ``Denied`` (``public_relay_forbidden``) if no route that the plan allows leads anywhere."""
        ...

    async def send(self, parcel: Parcel) -> Handover:
        """Hand the bytes over. Raises ``Rejected``, ``Ambiguous`` or ``Unavailable`` as the pool does."""
        ...

    async def withdraw(self, parcel: Parcel) -> None:
        """Take offers back as far as those who hold them let us. Never raises what a relay answers."""
        ...


class OneWay:
    """The only way to a node of ours, or to a chain where nobody else reads what waits."""

    def __init__(self, send_raw: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._send_raw = send_raw

    def demand(self, sending: Sending) -> None:
        """Do nothing: the node is there, and nobody else reads what waits."""

    async def send(self, parcel: Parcel) -> Handover:
        """Hand the bytes to the node. Raises as the pool does."""
        await self._send_raw(parcel.raw)
        return Handover()

    async def withdraw(self, parcel: Parcel) -> None:
        """Do nothing: a mempool gives nothing back."""
