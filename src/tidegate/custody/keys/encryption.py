"""The ``crypto`` object of an Ethereum keystore, version 3: scrypt, AES-128-CTR and a MAC.

Source: the Web3 Secret Storage Definition. The MAC is keccak-256 over the second half of the
derived key and the ciphertext; a wrong password and a changed file look alike.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tidegate.chain import keccak256
from tidegate.custody.keys.password import Password
from tidegate.model import ConfigError, Tampered

SCRYPT_N = 2**18
"""About a quarter of a gigabyte and half a second for each guess of the password."""
SCRYPT_N_LIGHT = 2**12
"""For keys that must never hold value."""

_DERIVED_BYTES = 32
_SCRYPT_BYTES_MAX = 2**30

Hex = Annotated[str, msgspec.Meta(pattern="^(0x)?([0-9a-fA-F]{2})*$", max_length=1024)]


class _Iv(msgspec.Struct, frozen=True):
    iv: Hex


class _Derivation(msgspec.Struct, frozen=True):
    """What the password is turned into a key with: scrypt's figures."""

    dklen: Literal[32]
    salt: Hex
    n: Annotated[int, msgspec.Meta(ge=2, le=2**24)]
    r: Literal[8]
    p: Annotated[int, msgspec.Meta(ge=1, le=16)]


class Sealed(msgspec.Struct, frozen=True):
    """An encrypted secret as the file holds it."""

    cipher: Literal["aes-128-ctr"]
    cipherparams: _Iv
    ciphertext: Hex
    kdf: Literal["scrypt"]
    kdfparams: _Derivation
    mac: Hex


def seal(secret: bytes, password: Password, *, scrypt_n: int = SCRYPT_N) -> Sealed:
    """Return ``secret`` encrypted under ``password``, with a new salt and a new start vector."""
    derivation = _Derivation(dklen=32, salt=os.urandom(32).hex(), n=scrypt_n, r=8, p=1)
    iv = os.urandom(16)
    derived = _derive(derivation, password)
    ciphertext = _aes(derived, iv, secret)
    return Sealed(
        cipher="aes-128-ctr",
        cipherparams=_Iv(iv.hex()),
        ciphertext=ciphertext.hex(),
        kdf="scrypt",
        kdfparams=derivation,
        mac=keccak256(derived[16:] + ciphertext).hex(),
    )


def unseal(sealed: Sealed, password: Password) -> bytes:
    """Return the secret.

    Raises
    ------
    Tampered
        ``wrong_password``: the password is another, or the file was changed. Nobody can tell which.
    ConfigError
        ``key_file`` if the figures of the derivation are senseless or would exhaust the machine.
    """
    derived = _derive(sealed.kdfparams, password)
    ciphertext = _bytes(sealed.ciphertext)
    if not hmac.compare_digest(keccak256(derived[16:] + ciphertext), _bytes(sealed.mac)):
        raise wrong_password()
    return _aes(derived, _bytes(sealed.cipherparams.iv), ciphertext)


def wrong_password() -> Tampered:
    """Return what is said of a password that does not open a key."""
    return Tampered(
        "the password does not open this key",
        code="wrong_password",
        found="another password, or a file that was changed",
        allowed="the password that the file was made with",
        fix="try the password again; if it is right, restore the file from your copy",
    )


def _derive(figures: _Derivation, password: Password) -> bytes:
    n, r, p = figures.n, figures.r, figures.p
    if n & (n - 1) or 128 * n * r * p > _SCRYPT_BYTES_MAX:
        raise ConfigError(
            "this key file asks for a derivation that makes no sense or would exhaust the machine",
            code="key_file",
            found=f"scrypt with n={n}, r={r}, p={p}",
            allowed="n a power of two, 128·n·r·p at most 2^30",
            fix="restore the file from your copy",
        )
    return hashlib.scrypt(
        password.reveal(),
        salt=_bytes(figures.salt),
        n=n,
        r=r,
        p=p,
        maxmem=128 * r * (n + p + 2) + 2**20,
        dklen=_DERIVED_BYTES,
    )


def _aes(derived: bytes, iv: bytes, data: bytes) -> bytes:
    if len(iv) != 16:
        raise ConfigError(
            "this key file can not be read", code="key_file", found=f"an iv of {len(iv)} bytes", allowed="16"
        )
    stream = Cipher(algorithms.AES(derived[:16]), modes.CTR(iv)).encryptor()
    return stream.update(data) + stream.finalize()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
