"""A journal record and the exact bytes that its hash covers.

The chain is defined so that anyone can check it with a JSON library and SHA-256::

    canonical = {"actor":…,"at_ms":…,"body":…,"causation_id":…,"correlation_id":…,"kind":…,"seq":…}
    hash      = sha256(prev_hash as 32 raw bytes ‖ canonical as UTF-8), written as 64 hex digits

``canonical`` is ``model.canonical_json`` of that object: keys sorted, no spaces, integers
with all their digits. ``seq`` counts from 1 without a hole; the first record's ``prev_hash``
is 32 zero bytes.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from tidegate.model import RecordKind

GENESIS_HASH = "00" * 32
"""What stands for the hash before the first record."""

_encode = msgspec.json.Encoder(order="sorted").encode
_encode_in_order = msgspec.json.Encoder().encode


class Record(msgspec.Struct, frozen=True, gc=False):
    """One entry of the journal. ``body_json`` is the canonical JSON that was hashed.

    ``correlation_id`` ties the records of one intent together; ``causation_id`` names what
    this record answers. ``at_ms`` is milliseconds since the Unix epoch by the journal's clock.
    """

    seq: int
    at_ms: int
    actor: str
    kind: RecordKind
    correlation_id: str
    causation_id: str
    body_json: str
    prev_hash: str
    hash: str

    @property
    def body(self) -> dict[str, Any]:
        """Return the body, decoded anew: changing it changes nothing else."""
        body: dict[str, Any] = msgspec.json.decode(self.body_json)
        return body

    def as_line(self) -> bytes:
        """Return the record as one JSON object for an export, the body as it was hashed."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "body_json"}
        return _encode({**fields, "body": msgspec.Raw(self.body_json.encode())})


class _Canonical(msgspec.Struct, gc=False):
    """Its fields stand in the order of sorted keys."""

    actor: str
    at_ms: int
    body: msgspec.Raw
    causation_id: str
    correlation_id: str
    kind: str
    seq: int


def chain_hash(
    prev_hash: str,
    *,
    seq: int,
    at_ms: int,
    actor: str,
    kind: str,
    correlation_id: str,
    causation_id: str,
    body_json: str,
) -> str:
    """Return the hash of a record from the parts that it covers, as the module's text defines."""
    canonical = _encode_in_order(
        _Canonical(
            actor, at_ms, msgspec.Raw(body_json.encode()), causation_id, correlation_id, str(kind), seq
        )
    )
    return hashlib.sha256(bytes.fromhex(prev_hash) + canonical).hexdigest()
