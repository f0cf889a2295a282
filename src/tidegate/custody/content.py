"""What the signer is asked to sign, decoded once, and what a judge says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tidegate.model import Address, UnsignedTransaction
from tidegate.venues.executor import TokenPrice

Prices: TypeAlias = Mapping[Address, TokenPrice]
"""The capability's ceiling prices by token; the zero address is the chain's own coin."""


@dataclass(frozen=True, slots=True)
class TypedContent:
    """EIP-712 typed data. ``digest`` is the hash that is signed; absent domain fields are None."""

    digest: bytes
    primary_type: str
    fields: tuple[tuple[str, str], ...]
    name: str | None
    version: str | None
    chain_id: int | None
    verifying_contract: Address | None
    message: Mapping[str, Any]


UNREAD = TypedContent(b"", "", (), None, None, None, None, {})
"""Typed data that is refused unread: while frozen, or under a capability that lists no domain."""

Content: TypeAlias = UnsignedTransaction | TypedContent


@dataclass(frozen=True, slots=True)
class Judgement:
    """What content moves and may lose, in millionths of a dollar rounded up, gas included in the loss.

    ``is_exit``: it only reduces. ``unvalued`` is ``target:function`` of content that nobody can value.
    """

    notional_usd_e6: int
    at_risk_usd_e6: int
    is_exit: bool = False
    unvalued: str = ""
