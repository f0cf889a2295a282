"""Keys that other tools made: keystore files, Solana keypair files, bare hex from a descriptor."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec
from eth_keyfile.keyfile import decode_keyfile_json

from tidegate.custody.keys.base58 import to_base58
from tidegate.custody.keys.encryption import wrong_password
from tidegate.custody.keys.keyfile import read_private
from tidegate.custody.keys.local import SECRET_BYTES, Curve, open_secret
from tidegate.custody.keys.password import Password
from tidegate.custody.nesting import is_shallow
from tidegate.model import ConfigError, Tampered

_SCRYPT_BYTES_MAX = 2**30
_PBKDF2_ROUNDS_MAX = 10_000_000
_DERIVED_BYTES = 32
_HEX = re.compile(rb"(0x)?([0-9a-fA-F]{64})")


class _Figures(msgspec.Struct, frozen=True):
    """How much work and memory a file asks for: scrypt's figures, or PBKDF2's rounds."""

    n: int = 0
    r: int = 0
    p: int = 0
    c: int = 0
    dklen: int = 32


class _Crypto(msgspec.Struct, frozen=True):
    kdf: Literal["scrypt", "pbkdf2"]
    kdfparams: _Figures


class _Standard(msgspec.Struct, frozen=True, rename="lower"):
    """What we look at in a version 3 file before its own library reads it whole."""

    version: Literal[3]
    crypto: _Crypto
    address: str = ""


def secret_of_keystore(path: Path, password: Password) -> bytes:
    """Return the secret of a version 3 file, as geth, eth-account and others write it.

    Raises
    ------
    ConfigError, Tampered
        ``key_file`` if it is none, or would exhaust the machine; ``wrong_password``; ``key_marks``
        if it does not hold its address's key.
    """
    raw = read_private(path)
    if not is_shallow(raw):  # the library's own reader follows nesting until the process ends
        raise _unknown(path, "JSON that nests too deep", "what geth or eth-account wrote")
    try:
        file = msgspec.json.decode(raw, type=_Standard)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        raise _unknown(path, "no keystore of version 3", "what geth or eth-account wrote") from None
    figures = file.crypto.kdfparams
    is_too_much = 128 * figures.n * figures.r * figures.p > _SCRYPT_BYTES_MAX
    if is_too_much or figures.c > _PBKDF2_ROUNDS_MAX or min(msgspec.structs.astuple(figures)) < 0:
        raise _unknown(path, f"{figures}", "scrypt with 128·n·r·p up to 2^30, or 10^7 rounds of PBKDF2")
    if figures.dklen != _DERIVED_BYTES:
        raise _unknown(path, f"a derived key of {figures.dklen} bytes", f"{_DERIVED_BYTES} bytes")
    try:
        secret = bytes(decode_keyfile_json(msgspec.json.decode(raw), password.reveal()))
    except ValueError as error:
        if "MAC" in str(error):
            raise wrong_password() from None
        raise _unknown(path, "no keystore of version 3", "what geth or eth-account wrote") from None
    except (KeyError, TypeError, AttributeError):
        raise _unknown(path, "no keystore of version 3", "what geth or eth-account wrote") from None
    key = open_secret(Curve.SECP256K1, secret, is_throw_away=True)
    stated = file.address.removeprefix("0x").lower()
    if stated and stated != key.address[2:].lower():
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
    raw = read_private(path)
    try:
        octets = bytes(msgspec.json.decode(raw, type=list[int]))
    except (ValueError, msgspec.ValidationError):  # the content is a secret: it is not repeated
        octets = b""
    if len(octets) != 2 * SECRET_BYTES:
        raise _unknown(path, "no array of 64 numbers from 0 to 255", "what solana-keygen wrote")
    seed, public = octets[:SECRET_BYTES], octets[SECRET_BYTES:]
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
