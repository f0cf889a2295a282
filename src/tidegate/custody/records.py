"""What the signer's own journal holds: every answer, capability and freeze, enough to fold again.

The state is a fold of these bodies and of nothing else (``state``), so a process that is killed
between a record and its answer finds the answer counted when it starts again.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tidegate.custody.capability import Purpose
from tidegate.ledger import Body
from tidegate.model import Address, Reason, RecordKind


class Line(msgspec.Struct, frozen=True, array_like=True):
    """What serials, limits and counts belong to: desk, chain, key and purpose."""

    desk: str
    chain_id: int
    key_address: Address
    purpose: Purpose


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature takes from a line's limits. Dollars in millionths; ``transactions`` 0 or 1.

    ``unvalued`` is ``target:function`` of content that nobody could value, else empty.
    """

    notional_usd_e6: int = 0
    at_risk_usd_e6: int = 0
    transactions: int = 0
    unvalued: str = ""


class NonceUse(msgspec.Struct, frozen=True, kw_only=True):
    """A nonce and what it is signed with: ``content`` is the digest of to, value and data."""

    nonce: int
    content: str
    is_cancel: bool
    max_fee_wei: int
    max_priority_fee_wei: int


class Signing(msgspec.Struct, frozen=True, kw_only=True):
    """A signature that leaves once its record is on disk. ``digest`` is the hash that is signed.

    ``charge`` is what this signature adds, ``total`` what its content costs by itself: a replacement
    adds only what it costs more. ``nonce`` is None for typed data.
    """

    line: Line
    digest: str
    charge: Charge
    total: Charge
    nonce: NonceUse | None


class AnswerBody(Body, frozen=True, kw_only=True, omit_defaults=True):
    """An ``answer``, yes or no. ``check`` and ``reason`` are those of a denial, empty for a yes."""

    KIND: ClassVar[RecordKind] = RecordKind.ANSWER

    verb: str
    at_ms: int
    check: str = ""
    reason: Reason | None = None
    message: str = ""
    found: str = ""
    allowed: str = ""
    key: str = ""
    capability_id: str = ""
    asked_by: str = ""
    signing: Signing | None = None


class CapabilityBody(Body, frozen=True, kw_only=True, omit_defaults=True):
    """A ``capability`` loaded (with its ``envelope``), or revoked (without).

    ``by`` is who says to have asked, ``asked_by`` the user whom the kernel names.
    """

    KIND: ClassVar[RecordKind] = RecordKind.CAPABILITY

    at_ms: int
    capability_id: str
    line: Line
    serial: int
    envelope: str = ""
    replaced: str = ""
    reason: str = ""
    by: str = ""
    asked_by: str = ""
    orders: tuple[str, ...] = ()


class FreezeBody(Body, frozen=True, kw_only=True, omit_defaults=True):
    """A ``freeze``: frozen or not, by whom and why. ``orders`` are the ids of people's orders.

    ``by`` is who says to have asked, ``asked_by`` the user whom the kernel names.
    """

    KIND: ClassVar[RecordKind] = RecordKind.FREEZE

    at_ms: int
    is_frozen: bool
    allow_exit: bool = True
    reason: str = ""
    by: str = ""
    asked_by: str = ""
    orders: tuple[str, ...] = ()
