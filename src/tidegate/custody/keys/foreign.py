"""Keys that other tools made: keystore files, Solana keypair files, bare hex from a descriptor."""

from __future__ import annotations

import hmac
import re
from pathlib import Path
from typing import Literal

import msgspec

from tidegate.custody.keys.encryption import Sealed, unseal
from tidegate.custody.keys.keyfile import _read_private
from tidegate.custody.keys.local import SECRET_BYTES, open_secret
from tidegate.custody.keys.password import Password
from tidegate.custody.keys.source import Curve
from tidegate.model import ConfigError, Tampered

_HEX = re.compile(rb"(0x)?([0-9a-fA-F]{64})")


class _Standard(msgspec.Struct, frozen=True, rename="lower"):
    """Version 3 as geth, eth-account and others write it; fields beyond it are ignored."""

    version: Literal[3]
    crypto: Sealed
    address: str = ""


def secret_of_keystore(path: Path, password: Password) -> bytes:
    """Return the secret of a version 3 file.

    Raises
    ------
    ConfigError, Tampered
        ``key_file`` if it is none; ``wrong_password``; ``key_marks`` if it is not its address's key.
    """
    raw = _read_private(path)
    try:
        file = msgspec.json.decode(raw, type=_Standard)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        raise _unknown(path, "no keystore of version 3", "what geth or eth-account wrote") from None
    secret = unseal(file.crypto, password)
    key = open_secret(Curve.SECP256K1, secret, is_throw_away=True)
    stated = file.address.removeprefix("0x").lower()
    if stated and not hmac.compare_digest(stated, key.address[2:].lower()):
        raise Tampered(
            f"{path} holds the key of another address",
            code="key_marks",
            found=key.address,
            allowed="0x" + stated[:40],
            fix="restore the file from your copy",
        )
    return secret


def seed_of_solana_keypair(path: Path) -> bytes:
    """Return the ed25519 seed of the JSON array of 64 numbers that Solana's tools write.

    Raises
    ------
    ConfigError
        ``key_file`` if it is none, or its second half is not the public key of its first.
    """
    raw = _read_private(path)
    try:
        octets = bytes(msgspec.json.decode(raw, type=list[int]))
    except (ValueError, msgspec.ValidationError):  # the content is a secret: it is not repeated
        octets = b""
    if len(octets) != 2 * SECRET_BYTES:
        raise _unknown(path, "no array of 64 numbers from 0 to 255", "what solana-keygen wrote")
    seed, public = octets[:SECRET_BYTES], octets[SECRET_BYTES:]
    from tidegate.custody.keys.base58 import to_base58

    if open_secret(Curve.ED25519, seed, is_throw_away=True).address != to_base58(public):
        raise _unknown(
            path, "a public key that is not the secret's", "a keypair whose halves belong together"
        )
    return seed


def secret_of_hex(octets: bytes) -> bytes:
    """Return the 32 bytes that hex text stands for.

    Raises
    ------
    ConfigError
        ``key_invalid`` if it is not 64 hex digits. The text is not repeated.
    """
    match = _HEX.fullmatch(octets.strip())
    if match is None:
        raise ConfigError(
            "this is no key",
            code="key_invalid",
            found=f"{len(octets)} bytes that are not 64 hex digits; not shown, because they may be a secret",
            allowed="64 hex digits, with or without 0x",
        )
    return bytes.fromhex(match[2].decode())


def _unknown(path: Path, found: str, allowed: str) -> ConfigError:
    return ConfigError(f"{path} can not be imported", code="key_file", found=found, allowed=allowed)
