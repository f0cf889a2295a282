"""Key files: keystore version 3, with what we must know of a key sealed by the key itself.

Any tool that reads version 3 opens an EVM key of ours. Beside it we keep a name, the curve and the
*kind*: ``live``, or ``throw_away`` for life. These marks are sealed with a MAC whose key comes from
the secret, so that nobody who lacks the password turns a throw-away key into a live one, or makes a
file whose marks are missing look like one of ours. A Solana key is encrypted the same way.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import uuid
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec

from tidegate.chain import address
from tidegate.custody.keys.base58 import from_base58
from tidegate.custody.keys.encryption import SCRYPT_N, SCRYPT_N_LIGHT, Sealed, seal, unseal
from tidegate.custody.keys.local import SECRET_BYTES, Curve, LocalKey, open_secret
from tidegate.custody.keys.password import Password
from tidegate.model import Address, ConfigError, Tampered, canonical_json

PASSWORD_BYTES_MIN = 12
_FILE_BYTES_MAX = 64 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class KeyKind(StrEnum):
    """What a key may be used for. It is chosen when the key is made and never changes."""

    LIVE = "live"
    THROW_AWAY = "throw_away"  # chains of kind devnet and testnet, and stage fork, alone


class Marks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says of the key beyond version 3. ``seal`` covers the rest and the address."""

    name: str
    curve: Curve
    kind: KeyKind
    seal: str


class KeyFile(msgspec.Struct, frozen=True):
    """A key at rest. What it says is certain only after ``open``, which checks the seal."""

    version: Literal[3]
    id: str
    address: str
    crypto: Sealed
    tidegate: Marks

    @classmethod
    def make(
        cls,
        name: str,
        password: Password,
        *,
        kind: KeyKind,
        curve: Curve = Curve.SECP256K1,
        secret: bytes | None = None,
        scrypt_n: int | None = None,
    ) -> KeyFile:
        """Return a new key, or ``secret`` as a key of ours, encrypted under ``password``.

        Parameters
        ----------
        kind
            Throw-away keys take a light derivation; nothing may ever depend on them.
        secret
            A secp256k1 secret or an ed25519 seed, 32 bytes; made from the system's randomness if absent.
        scrypt_n
            The cost of a guess, a power of two.

        Raises
        ------
        ConfigError
            ``key_name``, ``password_short`` or ``key_invalid``.
        """
        _check_name(name)
        if kind is KeyKind.LIVE and len(password) < PASSWORD_BYTES_MIN:
            raise ConfigError(
                "the password of a live key is too short",
                code="password_short",
                found=f"{len(password)} bytes",
                allowed=f"at least {PASSWORD_BYTES_MIN}",
                fix="use a sentence, or a file made by: openssl rand -base64 33",
            )
        secret = _new_secret(curve) if secret is None else secret
        key = open_secret(curve, secret, is_throw_away=kind is KeyKind.THROW_AWAY)
        cost = scrypt_n or (SCRYPT_N if kind is KeyKind.LIVE else SCRYPT_N_LIGHT)
        at_rest = key.address if curve is Curve.ED25519 else key.address[2:].lower()
        return cls(
            version=3,
            id=str(uuid.uuid4()),
            address=at_rest,
            crypto=seal(secret, password, scrypt_n=cost),
            tidegate=Marks(name, curve, kind, _seal(secret, name, curve, kind, at_rest)),
        )

    @classmethod
    def read(cls, path: Path) -> KeyFile:
        """Read a key file that no other user can read.

        Raises
        ------
        ConfigError
            ``key_file`` if it is not there, others can read it, or it is no key file of ours.
        """
        raw = read_private(path)
        try:
            return msgspec.json.decode(raw, type=cls)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path} is no key file of Tidegate",
                code="key_file",
                found=_without_content(error),
                allowed="what tidegate keys new or keys import wrote",
                fix=f"if another tool made it: tidegate keys import NAME --keystore {path}",
            ) from None

    @property
    def shown_address(self) -> Address:
        """Return the address as people write it: with 0x and checksum on EVM chains."""
        return Address(self.address) if self.tidegate.curve is Curve.ED25519 else address("0x" + self.address)

    @property
    def public_key(self) -> bytes:
        """Return an ed25519 key's public key, 32 bytes: what a signer pins of a person."""
        if self.tidegate.curve is not Curve.ED25519:
            raise ConfigError(
                f"the key {self.tidegate.name} has no public key that a signer could pin",
                code="key_curve",
                found=self.tidegate.curve.value,
                allowed=Curve.ED25519.value,
                fix="tidegate keys new NAME --curve ed25519",
            )
        try:
            found = from_base58(self.address)
        except ValueError:
            found = b""
        if len(found) != SECRET_BYTES:
            raise Tampered(
                f"the key file of {self.tidegate.name!r} was changed",
                code="key_marks",
                found="an address that is no public key in base58",
                allowed="the address that it was made with",
                fix="restore the file from your copy",
            )
        return found

    @property
    def is_weak(self) -> bool:
        """Say whether a live key's password is cheaper to guess than ours are."""
        return self.tidegate.kind is KeyKind.LIVE and self.crypto.kdfparams.n < SCRYPT_N

    def open(self, password: Password) -> LocalKey:
        """Return the key.

        Raises
        ------
        Tampered
            ``wrong_password``; ``key_marks`` if name, curve, kind or address were changed.
        """
        marks, secret = self.tidegate, unseal(self.crypto, password)
        expected = _seal(secret, marks.name, marks.curve, marks.kind, self.address)
        key = open_secret(marks.curve, secret, is_throw_away=marks.kind is KeyKind.THROW_AWAY)
        if not hmac.compare_digest(expected, marks.seal) or key.address != self.shown_address:
            raise Tampered(
                f"the key file of {marks.name!r} was changed",
                code="key_marks",
                found="a name, curve, kind or address that the key did not seal",
                allowed="the marks that it was made with",
                fix="restore the file from your copy",
            )
        return key

    def write(self, folder: Path) -> Path:
        """Write the file into ``folder`` (0700) with mode 0600, on disk when this returns.

        Raises
        ------
        ConfigError
            ``key_exists`` if a key has this name: nothing ever writes over a key.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{self.tidegate.name}.json"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise ConfigError(
                f"there is a key named {self.tidegate.name!r}",
                code="key_exists",
                found=str(path),
                allowed="a name that is free",
                fix="choose another name; a key is never written over",
            ) from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(folder)
        return path


def read_key_files(folder: Path) -> Iterator[tuple[Path, KeyFile | ConfigError]]:
    """Yield every ``.json`` of a folder with its key file, or with what is wrong with it."""
    for path in sorted(folder.glob("*.json")):
        try:
            yield path, KeyFile.read(path)
        except ConfigError as error:
            yield path, error


def _new_secret(curve: Curve) -> bytes:
    if curve is Curve.ED25519:
        return secrets.token_bytes(SECRET_BYTES)
    return (1 + secrets.randbelow(_SECP256K1_ORDER - 1)).to_bytes(SECRET_BYTES, "big")


def _seal(secret: bytes, name: str, curve: Curve, kind: KeyKind, at_rest: str) -> str:
    sealing_key = hashlib.sha256(b"tidegate key file marks, version 1\0" + secret).digest()
    marks: dict[str, Any] = {"address": at_rest, "curve": curve.value, "kind": kind.value, "name": name}
    return hmac.new(sealing_key, canonical_json(marks), hashlib.sha256).hexdigest()


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            "a key can not have this name",
            code="key_name",
            found=repr(name[:80]),
            allowed="a to z, 0 to 9 and -, at most 63 characters, the first no -",
            fix="for example: desk-arbitrum",
        )


def read_private(path: Path) -> bytes:
    """Return the bytes of a small file that its owner alone can read, or raise ``ConfigError``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(
            f"the key file {path} can not be read",
            code="key_file",
            found=error.strerror or "no answer",
            allowed="a file of this user",
            fix="tidegate keys list",
        ) from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_mode & 0o077 or state.st_uid not in (0, os.geteuid()):
            raise ConfigError(
                f"the key file {path} is open to others",
                code="key_file",
                found=f"{stat.filemode(state.st_mode)} of user {state.st_uid}",
                allowed="a file of ours of mode 0600",
                fix=f"chmod 600 {path}; if others may have read it, move the funds to a new key",
            )
        with os.fdopen(os.dup(descriptor), "rb") as file:
            raw = file.read(_FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(raw) > _FILE_BYTES_MAX:
        raise ConfigError(
            f"{path} is no key file",
            code="key_file",
            found=f"more than {_FILE_BYTES_MAX} bytes",
            allowed=f"at most {_FILE_BYTES_MAX}",
        )
    return raw


def _without_content(error: Exception) -> str:
    """Return where the form is wrong; msgspec's messages name fields, never values."""
    return str(error) if isinstance(error, msgspec.ValidationError) else "no JSON of that form"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
