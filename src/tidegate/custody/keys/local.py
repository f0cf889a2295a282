"""Keys in this process's memory: what an opened key file becomes.

Python can not promise to wipe memory. What it can keep is kept: no ``repr``, copy or pickle of
these objects holds the secret, and the process around them has no core dump and is not readable by
its own user (``custody.hardening``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tidegate.chain import address, keccak256
from tidegate.custody.keys.base58 import to_base58
from tidegate.model import Address, ConfigError

SECRET_BYTES = 32
"""Length of a secp256k1 secret and of an ed25519 seed."""
_DIGEST_BYTES = 32


class Curve(StrEnum):
    """Which signatures a key gives."""

    SECP256K1 = "secp256k1"  # EVM chains
    ED25519 = "ed25519"  # Solana, and people's orders


class _Unseen:
    """A thing that is used and never shown, copied or written."""

    __slots__ = ()
    address: Address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} is a key: it is not copied, pickled or sent to another process")


class SecpKey(_Unseen):
    """A secp256k1 key, for EVM chains: the ``KeyHandle`` that the signer's core asks for.

    Raises
    ------
    ConfigError
        ``key_invalid`` if the secret is no scalar of the curve.
    """

    __slots__ = ("_key", "address", "is_throw_away")
    curve = Curve.SECP256K1

    def __init__(self, secret: bytes, *, is_throw_away: bool) -> None:
        _need_length(secret)
        try:
            self._key = PrivateKey(secret)
        except ValueError:
            raise ConfigError(
                "this is no secp256k1 key",
                code="key_invalid",
                found="a number outside of the curve's order",
                allowed="32 bytes between 1 and the curve's order less 1",
                fix="make a new one: tidegate keys new",
            ) from None
        self.address = address(keccak256(self._key.public_key.format(compressed=False)[1:])[12:])
        self.is_throw_away = is_throw_away

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r, the low s, and the parity of y (0 or 1) for 32 bytes: RFC 6979, 65 bytes."""
        if len(digest) != _DIGEST_BYTES:
            raise ValueError(f"a digest has {_DIGEST_BYTES} bytes, was {len(digest)}")
        return self._key.sign_recoverable(digest, hasher=None)


class EdKey(_Unseen):
    """An ed25519 key, for Solana and for people's orders. Its address is the public key in base58."""

    __slots__ = ("_key", "address", "is_throw_away")
    curve = Curve.ED25519

    def __init__(self, seed: bytes, *, is_throw_away: bool) -> None:
        _need_length(seed)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.address = Address(to_base58(self.public_key().public_bytes_raw()))
        self.is_throw_away = is_throw_away

    def public_key(self) -> Ed25519PublicKey:
        """Return the key by which others check what this one signed."""
        return self._key.public_key()

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64-byte signature of the message itself (RFC 8032)."""
        return self._key.sign(data)


LocalKey = SecpKey | EdKey


def open_secret(curve: Curve, secret: bytes, *, is_throw_away: bool) -> LocalKey:
    """Return the key that a secret stands for.

    Raises
    ------
    ConfigError
        ``key_invalid`` if it stands for none.
    """
    kind = SecpKey if curve is Curve.SECP256K1 else EdKey
    return kind(secret, is_throw_away=is_throw_away)


def _need_length(secret: bytes) -> None:
    if len(secret) != SECRET_BYTES:
        raise ConfigError(
            "this is no key",
            code="key_invalid",
            found=f"{len(secret)} bytes",
            allowed=f"{SECRET_BYTES} bytes",
            fix="make a new one: tidegate keys new",
        )
