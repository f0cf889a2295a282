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

_R, _P, _DERIVED_BYTES = 8, 1, 32
_SCRYPT_BYTES_MAX = 2**30
_PBKDF2_ROUNDS_MAX = 10_000_000

Hex = Annotated[str, msgspec.Meta(pattern="^(0x)?([0-9a-fA-F]{2})*$", max_length=1024)]
Small = Annotated[int, msgspec.Meta(ge=1, le=2**24)]


class _Iv(msgspec.Struct, frozen=True):
    iv: Hex


class _Derivation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the password is turned into a key with: scrypt's figures, or PBKDF2's."""

    dklen: Literal[32]
    salt: Hex
    n: Small | None = None
    r: Small | None = None
    p: Small | None = None
    c: Small | None = None
    prf: Literal["hmac-sha256"] | None = None


class Sealed(msgspec.Struct, frozen=True):
    """An encrypted secret as the file holds it. Others' files may be PBKDF2; ours are scrypt."""

    cipher: Literal["aes-128-ctr"]
    cipherparams: _Iv
    ciphertext: Hex
    kdf: Literal["scrypt", "pbkdf2"]
    kdfparams: _Derivation
    mac: Hex


def seal(secret: bytes, password: Password, *, scrypt_n: int = SCRYPT_N) -> Sealed:
    """Return ``secret`` encrypted under ``password``, with a new salt and a new start vector."""
    derivation = _Derivation(dklen=32, salt=os.urandom(32).hex(), n=scrypt_n, r=_R, p=_P)
    iv = os.urandom(16)
    derived = _derive("scrypt", derivation, password)
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
    derived = _derive(sealed.kdf, sealed.kdfparams, password)
    ciphertext = _bytes(sealed.ciphertext)
    if not hmac.compare_digest(keccak256(derived[16:] + ciphertext), _bytes(sealed.mac)):
        raise Tampered(
            "the password does not open this key",
            code="wrong_password",
            found="another password, or a file that was changed",
            allowed="the password that the file was made with",
            fix="try the password again; if it is right, restore the file from your copy",
        )
    return _aes(derived, _bytes(sealed.cipherparams.iv), ciphertext)


def _derive(kdf: str, figures: _Derivation, password: Password) -> bytes:
    salt = _bytes(figures.salt)
    if kdf == "pbkdf2":
        if figures.c is None or figures.c > _PBKDF2_ROUNDS_MAX or figures.prf is None:
            raise _senseless(figures)
        return hashlib.pbkdf2_hmac("sha256", password.reveal(), salt, figures.c, _DERIVED_BYTES)
    n, r, p = figures.n, figures.r, figures.p
    if n is None or r is None or p is None or n < 2 or n & (n - 1) or 128 * n * r * p > _SCRYPT_BYTES_MAX:
        raise _senseless(figures)
    return hashlib.scrypt(
        password.reveal(),
        salt=salt,
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


def _senseless(figures: _Derivation) -> ConfigError:
    return ConfigError(
        "this key file asks for a derivation that makes no sense or would exhaust the machine",
        code="key_file",
        found=f"n={figures.n}, r={figures.r}, p={figures.p}, c={figures.c}",
        allowed="scrypt with n a power of two and 128·n·r·p at most 2^30; PBKDF2 with at most 10^7 rounds",
        fix="restore the file from your copy",
    )
