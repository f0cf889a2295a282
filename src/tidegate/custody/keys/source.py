"""What the signer asks of a key, wherever the key lies: a file, a machine in a rack, a cloud."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Curve(StrEnum):
    """Which signatures a key gives."""

    SECP256K1 = "secp256k1"  # EVM chains
    ED25519 = "ed25519"  # Solana


class KeySource(Protocol):
    """One key that can be used and not seen. There is no way to ask for its bytes."""

    @property
    def address(self) -> str:
        """Return the account: EIP-55 hex on EVM chains, base58 on Solana."""
        ...

    @property
    def curve(self) -> Curve:
        """Return the curve of the key."""
        ...

    @property
    def is_throw_away(self) -> bool:
        """Say whether the key was marked, when it was made, as one that must never hold value."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``, the same for the same message.

        A secp256k1 key signs a 32-byte digest and gives 65 bytes: r, s (the low one) and the parity
        of y, 0 or 1 (RFC 6979). An ed25519 key signs any message and gives 64 bytes (RFC 8032).

        Raises
        ------
        ValueError
            If the message is no digest where one must be.
        Unavailable
            If what holds the key does not answer.
        """
        ...
