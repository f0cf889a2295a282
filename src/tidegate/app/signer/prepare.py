"""What ``tidegate signer init`` lays down: a signer for devnets, to be run at once and read through."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tidegate.chain import devnet_network
from tidegate.custody.keys import KeyFile, KeyKind, Password, read_private
from tidegate.model import Address, ConfigError

FILE_NAME = "signer.toml"


class Prepared(msgspec.Struct, frozen=True):
    """What was written, and the account of the key."""

    config: Path
    key: Path
    password: Path
    address: Address
    issuer: str


def devnet_issuer(home: Path) -> Ed25519PrivateKey:
    """Return the key that signs this project's devnet capabilities; made when it is first wanted.

    It is worth nothing elsewhere: a signer that pins it as ``devnet`` takes capabilities for chains of
    kind devnet from it, and for stage fork on throw-away keys.
    """
    path = home / "devnet" / "issuer.pem"
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process of this project was a moment faster
            write_private(path, pem)
    try:
        key = load_pem_private_key(read_private(path), password=None)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(
            f"{path} is no issuer's key",
            code="key_file",
            found="another content",
            allowed="an ed25519 key in PEM",
            fix="remove it: the next command makes a new one, which signers must then pin",
        )
    return key


def prepare_devnet_signer(home: Path, *, chain_id: int, key_name: str) -> Prepared:
    """Write a throw-away key, its password and a commented ``signer.toml`` under ``home``.

    Raises
    ------
    ConfigError
        If any of it is there already: nothing is written over; or if the chain is a public one.
    """
    devnet_network(chain_id)
    folder = home / "signer"
    config, password_file = folder / FILE_NAME, folder / f"{key_name}.password"
    for path in (config, password_file):
        if path.exists():
            raise ConfigError(
                "there is a signer here already",
                code="signer_exists",
                found=str(path),
                allowed="a home without one",
                fix="run it: tidegate signer run; or name another home with TIDEGATE_HOME",
            )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = secrets.token_urlsafe(33).encode()
    file = KeyFile.make(key_name, Password(password), kind=KeyKind.THROW_AWAY)
    key_path = file.write(home / "keys")
    write_private(password_file, password + b"\n")
    issuer = devnet_issuer(home).public_key().public_bytes_raw().hex()
    write_private(config, commented(key_name, chain_id, issuer).encode())
    return Prepared(config, key_path, password_file, file.shown_address, issuer)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600. Raises ``FileExistsError`` if there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def commented(key_name: str = "operator", chain_id: int = 31337, issuer: str = "0" * 64) -> str:
    """Return the text of a ``signer.toml`` with every key explained."""
    return f"""\
# The signer holds keys and signs what capabilities allow; nothing else. It has no network.
# Paths are relative to this file. Nothing in here is a secret.

[signer]
socket = "signer.sock"          # workers ask here: mode 0600, in a folder of mode 0700
admin_socket = "admin.sock"     # unfreeze and revoke are asked here alone
workers = []                    # users, by name or uid, who may ask for signatures; empty is the signer's own
administrators = []             # users who may unfreeze and revoke; empty is the signer's own
rate_per_s = 200                # requests a second and connection, 1 to 10000
journal = "journal.sqlite"      # every answer is in here before it leaves; if it is lost, all is refused

[chains]
public = []                     # names of the registry, such as "arbitrum": what may be signed for at all
devnets = [{chain_id}]               # ids of chains of our own

[witness]
socket = ""                     # where the witness answers; empty is none: devnets, and forks of ours, alone
age_max_s = 600                 # how old its reading of a target's code may be
quorum = 2                      # how many operators must agree

[[keys]]
file = "../keys/{key_name}.json"
password = "fd:3"               # fd:N, credential:NAME (systemd) or terminal

[[issuers]]                     # whose capabilities are taken: devnet, gate, or person (two of them order)
name = "devnet"
kind = "devnet"
public_key = "{issuer}"
"""
