"""What the sender's records carry: each transition of a transaction is one record of its intent.

The states and the table of what leads from one to the other stand in ``chain/states.py``; a
transaction is a fold of these records, so whoever starts after a kill knows where it stood.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tidegate.ledger.body import Body
from tidegate.model import Address, RecordKind


class AmbiguousBody(Body, frozen=True, kw_only=True):
    """Nobody confirmed the bytes known by ``hash`` (``ambiguous``): the chain is asked, nothing assumed.

    ``is_refused``: every endpoint refuses them for good, but they may have been sent before by a process
    that was killed. They are not sent again, and their nonce is used up.
    """

    KIND: ClassVar[RecordKind] = RecordKind.AMBIGUOUS

    hash: str
    detail: str
    is_refused: bool = False


class ReplacementBody(Body, frozen=True, kw_only=True):
    """Other bytes under the same nonce (``replacement``), durable before they leave.

    Higher fees for the same content, or a cancel: nothing, sent to the key's own account. All versions
    are followed, whichever lands.
    """

    KIND: ClassVar[RecordKind] = RecordKind.REPLACEMENT

    nonce: int
    hash: str
    raw: str
    sender: Address
    is_cancel: bool
    max_fee_wei: int
    max_priority_fee_wei: int
    why: str

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, with fees as decimal text."""
        return _fees_as_text(super().to_body())


class ReplacedBody(Body, frozen=True, kw_only=True):
    """The nonce was used by another hash of ours than the newest (``replaced``): ``by`` is followed."""

    KIND: ClassVar[RecordKind] = RecordKind.REPLACED

    hash: str
    by: str


class ExpiringBody(Body, frozen=True, kw_only=True):
    """It is over and the nonce unused (``expiring``): it is cancelled. Times of the chain.

    ``why`` says what ended it, if it was not the deadline.
    """

    KIND: ClassVar[RecordKind] = RecordKind.EXPIRING

    nonce: int
    block_number: int
    chain_time_s: int
    deadline_s: int
    why: str = ""

    def to_body(self) -> dict[str, Any]:
        """Return the mapping, without a reason where the deadline is it."""
        body = super().to_body()
        if not self.why:
            del body["why"]
        return body


class WithdrawnBody(Body, frozen=True, kw_only=True):
    """A reorg took away the block of a receipt (``withdrawn``); what was booked by it is booked back."""

    KIND: ClassVar[RecordKind] = RecordKind.WITHDRAWN

    hash: str
    block_number: int
    block_hash: str


class ConfirmedBody(Body, frozen=True, kw_only=True):
    """The block of the receipt is as deep as the network's confirmations (``confirmed``)."""

    KIND: ClassVar[RecordKind] = RecordKind.CONFIRMED

    hash: str
    block_number: int
    head_number: int


class FinalisedBody(Body, frozen=True, kw_only=True):
    """No reorg that is followed can reach the block of the receipt any more (``finalised``)."""

    KIND: ClassVar[RecordKind] = RecordKind.FINALISED

    hash: str
    block_number: int
    head_number: int


def _fees_as_text(body: dict[str, Any]) -> dict[str, Any]:
    return body | {name: str(body[name]) for name in ("max_fee_wei", "max_priority_fee_wei")}
