"""What is asked of the signer and what it answers: the words on the wire, and nothing else.

Requests and answers are tagged unions, so one msgpack decoder of ``Request`` reads every frame. A
field that is unknown, missing or too long fails the decoding: nothing here is guessed.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from tidegate.model import Address, Reason, Stage

REQUESTS_MAX = 64
"""How many requests may share one frame, and so one durable commit."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""The name of a key, desk or person."""
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""A SHA-256 as 64 hex digits, without prefix."""
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
"""A sentence for people."""
ContentBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=60_000)]
"""What is to be signed; a frame has 64 KiB."""
EnvelopeBytes = Annotated[bytes, msgspec.Meta(min_length=2, max_length=49_152)]
"""A DSSE envelope as JSON, no larger than a frame has room for."""


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all messages share: immutable, and strict about their fields."""


class Status(_Message, frozen=True, tag="status"):
    """Ask how the signer stands: frozen or not, keys, capabilities, what is used of them."""


class AddressOf(_Message, frozen=True, tag="address"):
    """Ask which account a key controls."""

    key: Name


class SignTransaction(_Message, frozen=True, tag="sign_transaction"):
    """Ask for the signature of one EIP-1559 transaction.

    ``unsigned`` is its unsigned form, ``0x02 ‖ rlp([...])``: the very bytes whose hash is signed
    (``transactions.encode_unsigned``), since msgpack's own integers end at 64 bits. ``desk`` and
    ``stage`` are what the caller believes to act for: they must be the capability's. ``plan_digest``
    is ``UnsignedTransaction.content_digest`` as it was planned.
    """

    key: Name
    desk: Name
    stage: Stage
    capability_id: Digest
    intent_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    plan_digest: Digest
    unsigned: ContentBytes


class SignTypedData(_Message, frozen=True, tag="sign_typed_data"):
    """Ask for the signature of EIP-712 typed data, as the JSON that ``eth_signTypedData_v4`` takes."""

    key: Name
    desk: Name
    stage: Stage
    capability_id: Digest
    intent_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    typed: ContentBytes


class LoadCapability(_Message, frozen=True, tag="load_capability"):
    """Hand over a capability in its signed envelope."""

    envelope: EnvelopeBytes


class Freeze(_Message, frozen=True, tag="freeze"):
    """Stop signing at once. Exit capabilities are spared, unless two people say ``allow_exit=False``.

    ``approvals`` are then two people's signed orders, and the request must come from an administrator.
    """

    reason: Words
    by: Name
    allow_exit: bool = True
    approvals: tuple[EnvelopeBytes, ...] = ()


class Unfreeze(_Message, frozen=True, tag="unfreeze"):
    """Sign again (administrator). What two people froze, two people unfreeze."""

    reason: Words
    by: Name
    approvals: tuple[EnvelopeBytes, ...] = ()


class Revoke(_Message, frozen=True, tag="revoke"):
    """End a capability for good (administrator). An exit capability needs two people's orders."""

    capability_id: Digest
    reason: Words
    by: Name
    approvals: tuple[EnvelopeBytes, ...] = ()


Request: TypeAlias = (
    Status | AddressOf | SignTransaction | SignTypedData | LoadCapability | Freeze | Unfreeze | Revoke
)
SIGNING = (SignTransaction, SignTypedData)
ADMINISTRATIVE = (Unfreeze, Revoke)
"""Verbs that an administrator alone may use; a freeze with ``allow_exit=False`` too."""


class Signed(_Message, frozen=True, tag="signed"):
    """A signed transaction: ``raw`` goes to the chain, ``hash`` is how the chain knows it."""

    hash: bytes
    raw: bytes
    sender: Address


class SignedTyped(_Message, frozen=True, tag="signed_typed"):
    """A signature of typed data: ``r ‖ s ‖ v`` (65 bytes, v 27 or 28) over ``digest``."""

    digest: bytes
    signature: bytes
    signer: Address


class Refused(_Message, frozen=True, tag="refused"):
    """A denial: the check that failed, what was found, the limit that it passed, what to do next."""

    check: str
    reason: Reason
    message: str
    found: str = ""
    allowed: str = ""
    fix: str = ""


class AddressAnswer(_Message, frozen=True, tag="address_answer"):
    """The account of a key."""

    key: Name
    address: Address
    is_throw_away: bool


class Loaded(_Message, frozen=True, tag="loaded"):
    """A capability is in force; ``replaced`` is the id of the one before, empty if there was none."""

    capability_id: Digest
    replaced: str = ""


class Done(_Message, frozen=True, tag="done"):
    """A freeze, unfreeze or revocation is in force, and durable."""

    verb: str


class KeyStatus(_Message, frozen=True):
    """A key as it may be shown."""

    name: str
    address: Address
    is_throw_away: bool


class CapabilityStatus(_Message, frozen=True):
    """A capability and what is used of it in the last 24 h. Dollars in millionths."""

    id: Digest
    purpose: str
    desk: str
    stage: Stage
    chain_id: int
    key_address: Address
    serial: int
    not_before: int
    expires_at: int
    is_revoked: bool
    notional_used_usd_e6: int
    notional_day_usd_e6: int
    at_risk_used_usd_e6: int
    at_risk_day_usd_e6: int
    tx_used: int
    tx_day: int


class StatusAnswer(_Message, frozen=True, tag="status_answer"):
    """How the signer stands. Holds nothing secret.

    ``closed_connections`` counts, by offence, what the process closed since it started.
    """

    is_frozen: bool
    allows_exit: bool
    freeze_reason: str
    keys: tuple[KeyStatus, ...]
    capabilities: tuple[CapabilityStatus, ...]
    closed_connections: dict[str, int] = {}


Answer: TypeAlias = Signed | SignedTyped | Refused | AddressAnswer | Loaded | Done | StatusAnswer
