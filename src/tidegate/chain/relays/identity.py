"""Who asks a relay: every request bears a signature over its body, of a key that owns nothing.

The header is ``X-Flashbots-Signature: ADDRESS:SIGNATURE``. What is signed (EIP-191, as text) is the Keccak
hash of the body in hexadecimal, so a signature can never be a transaction's or typed data's.
"""

from __future__ import annotations

from typing import Protocol

from eth_account import Account
from eth_account.messages import encode_defunct

from tidegate.chain.codecs import address, keccak256
from tidegate.model import Address

HEADER = "X-Flashbots-Signature"


class RelayIdentity(Protocol):
    """A key by which relays know us. It signs no transaction and holds no coin."""

    @property
    def address(self) -> Address:
        """Return the account whose key signs."""
        ...

    def sign_text(self, text: str) -> bytes:
        """Return the EIP-191 signature (65 B) of a text."""
        ...


def body_text(body: bytes) -> str:
    """Return what is signed for a request's body: its Keccak hash, as text."""
    return "0x" + keccak256(body).hex()


def header_of(identity: RelayIdentity, body: bytes) -> str:
    """Return the header's value for a request's body."""
    return f"{identity.address}:0x{identity.sign_text(body_text(body)).hex()}"


def asker_of(header: str, body: bytes) -> Address | None:
    """Return who signed a request, or None if the header is not a signature of its body by who it names."""
    claimed, _, signature = header.partition(":")
    try:
        signer = Account.recover_message(encode_defunct(text=body_text(body)), signature=signature)
        return address(signer) if address(claimed) == address(signer) else None
    except Exception:  # noqa: BLE001 - a stranger's header may be anything
        return None
