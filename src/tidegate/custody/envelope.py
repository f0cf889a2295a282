"""DSSE envelopes: who signed what, by the standard of the supply-chain field.

The signature covers ``PAE(type, payload)`` = ``DSSEv1 ‖ len(type) ‖ type ‖ len(payload) ‖ payload``
(github.com/secure-systems-lab/dsse, protocol.md), so that a signed thing of one type is never taken
for another. Keys are ed25519 and known by the SHA-256 of their 32 raw bytes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tidegate.chain import Network, NetworkKind
from tidegate.custody.capability import Capability, encode_capability, parse_capability
from tidegate.model import ConfigError, Denied, Reason, Stage, Tampered, sha256_hex

CAPABILITY_TYPE = "application/vnd.tidegate.capability+json"
ORDER_TYPE = "application/vnd.tidegate.order+json"
SIGNATURES_MAX = 16


class IssuerKind(StrEnum):
    """What a pinned key may sign: devnet capabilities, the gate's, or a person's orders."""

    DEVNET = "devnet"
    GATE = "gate"
    PERSON = "person"


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """A public key that the signer's owner pinned, with what it may sign."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    kind: IssuerKind
    public_key: bytes

    @property
    def key_id(self) -> str:
        """Return the SHA-256, in hex, of the raw public key."""
        return sha256_hex(self.public_key)


class SealingKey(Protocol):
    """An ed25519 key that signs envelopes: an opened key file's (``keys.EdKey``), or a bare one."""

    def public_key(self) -> Ed25519PublicKey:
        """Return the key by which others check what this one signed."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """Return the signature of ``data``: 64 bytes (RFC 8032)."""
        ...


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature of an envelope, in base64, by the key of ``keyid``."""

    keyid: str
    sig: str


class Envelope(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"payload_type": "payloadType"}
):
    """A payload in base64, its type, and who signed it."""

    payload: str
    payload_type: str
    signatures: Annotated[tuple[Signature, ...], msgspec.Meta(min_length=1, max_length=SIGNATURES_MAX)]


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: DSSE's PAE of a type and a payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, payload_type: str, *keys: SealingKey) -> bytes:
    """Return the envelope, as JSON, of ``payload`` signed by each of ``keys``."""
    message = pre_authentication(payload_type, payload)
    signatures = tuple(
        Signature(sha256_hex(key.public_key().public_bytes_raw()), _text(key.sign(message))) for key in keys
    )
    return msgspec.json.encode(Envelope(_text(payload), payload_type, signatures))


def sign_capability(capability: Capability, key: Ed25519PrivateKey) -> bytes:
    """Return the envelope of ``capability``, signed by its issuer.

    Raises
    ------
    ConfigError
        If the capability names another issuer.
    """
    if sha256_hex(key.public_key().public_bytes_raw()) != capability.issued_by:
        raise ConfigError(
            "a capability is signed by the issuer that it names",
            found=sha256_hex(key.public_key().public_bytes_raw()),
            allowed=capability.issued_by,
        )
    return seal(encode_capability(capability), CAPABILITY_TYPE, key)


def signed_payload(
    envelope: bytes, payload_type: str, issuers: Mapping[str, Issuer]
) -> tuple[bytes, set[str]]:
    """Return the payload and the ids of the pinned keys whose signature of it holds.

    Signatures of keys that are not pinned say nothing and are left out.

    Raises
    ------
    Denied
        ``capability_invalid`` if it is no envelope of ``payload_type``.
    Tampered
        If a pinned key's signature does not fit the payload, or none is a pinned key's.
    """
    try:
        parsed = msgspec.json.decode(envelope, type=Envelope, strict=True)
        payload = base64.b64decode(parsed.payload, validate=True)
        signatures = {one.keyid: base64.b64decode(one.sig, validate=True) for one in parsed.signatures}
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError) as error:
        raise Denied(
            Reason.CAPABILITY_INVALID, "this is not a DSSE envelope", found=str(error), allowed="DSSE as JSON"
        ) from error
    if parsed.payload_type != payload_type:
        raise Denied(
            Reason.CAPABILITY_INVALID,
            "the envelope holds something else",
            found=parsed.payload_type[:100],
            allowed=payload_type,
        )
    message = pre_authentication(payload_type, payload)
    known = {key_id: signature for key_id, signature in signatures.items() if key_id in issuers}
    for key_id, signature in known.items():
        try:
            Ed25519PublicKey.from_public_bytes(issuers[key_id].public_key).verify(signature, message)
        except InvalidSignature as error:
            raise Tampered(
                "a signature does not fit what it signs",
                found=f"the payload's digest is {sha256_hex(payload)}",
                allowed=f"what {issuers[key_id].name} signed",
                fix="keep the envelope as evidence, and find out who changed it",
            ) from error
    if not known:
        raise Tampered(
            "nobody whom this signer knows signed this",
            found=", ".join(one[:64] for one in signatures),
            allowed=", ".join(sorted(issuer.name for issuer in issuers.values())) or "nobody is pinned",
            fix="pin the issuer's public key if it is one that you trust",
        )
    return payload, set(known)


def open_capability(envelope: bytes, issuers: Mapping[str, Issuer]) -> Capability:
    """Return the capability in ``envelope``, signed by the pinned issuer that it names.

    Raises
    ------
    Denied
        ``capability_invalid`` if form, signature or issuer is not as it must be.
    """
    try:
        payload, signed_by = signed_payload(envelope, CAPABILITY_TYPE, issuers)
    except Tampered as error:
        raise Denied(
            Reason.CAPABILITY_INVALID, error.message, found=error.found, allowed=error.allowed, fix=error.fix
        ) from error
    capability = parse_capability(payload)
    if capability.issued_by not in signed_by:
        raise Denied(
            Reason.CAPABILITY_INVALID,
            "the issuer that the capability names did not sign it",
            found=capability.issued_by,
            allowed=", ".join(sorted(signed_by)),
        )
    return capability


def demand_issuer(
    capability: Capability, issuer: Issuer, network: Network | None, *, is_throw_away: bool
) -> None:
    """Refuse a capability that its issuer may not give.

    The devnet issuer gives for chains of kind devnet, and for stage fork on throw-away keys alone. The
    gate gives for chains of kind devnet and testnet until this signer can check the people's grant
    (``gate.md`` 7.1): without that check a stolen gate key could name any limit.

    Raises
    ------
    Denied
        ``capability_invalid``.
    """
    kind = None if network is None else network.kind
    is_own_fork = capability.stage is Stage.FORK and is_throw_away
    may = {
        IssuerKind.DEVNET: kind is NetworkKind.DEVNET or (kind is not None and is_own_fork),
        IssuerKind.GATE: kind in (NetworkKind.DEVNET, NetworkKind.TESTNET),
        IssuerKind.PERSON: False,
    }
    if may[issuer.kind]:
        return
    allowed = {
        IssuerKind.DEVNET: "chains of kind devnet, and stage fork with a throw-away key",
        IssuerKind.GATE: "chains of kind devnet and testnet: this signer can not check grants yet",
        IssuerKind.PERSON: "orders, no capabilities",
    }
    raise Denied(
        Reason.CAPABILITY_INVALID,
        f"{issuer.name} may not issue this",
        found=f"chain {capability.chain_id} ({kind or 'unknown'}), stage {capability.stage.value}, "
        f"{'a throw-away key' if is_throw_away else 'a key that is kept'}",
        allowed=allowed[issuer.kind],
        fix="live chains need the gate's capability",
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
