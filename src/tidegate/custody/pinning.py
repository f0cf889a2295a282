"""Which public keys may be pinned: one name and one kind a key, and none that signs for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from tidegate.custody.envelope import Issuer
from tidegate.model import ConfigError

_KEY_BYTES = 32
_PRIME = 2**255 - 19
_EIGHTH = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""The y of a point of order 8; the other one is its negative."""
_SMALL = frozenset({0, 1, _PRIME - 1, _EIGHTH, _PRIME - _EIGHTH})
"""Every y of a point of order 1, 2, 4 or 8. Under such a key one of a few constant signatures fits
almost any message (RFC 8032 leaves the check to us), 32 zero bytes among them."""


def pinned(issuers: Iterable[Issuer]) -> dict[str, Issuer]:
    """Return issuers by the id of their key.

    Raises
    ------
    ConfigError
        ``issuer_key`` if a key is none, or one under which anybody can sign; ``issuer_twice`` if two
        issuers share a name or a key: one person would count as two, or a key get the rights of another.
    """
    by_key: dict[str, Issuer] = {}
    names: set[str] = set()
    for issuer in issuers:
        _refuse_weak(issuer)
        if issuer.name in names or issuer.key_id in by_key:
            raise ConfigError(
                f"the issuer {issuer.name!r} stands twice",
                code="issuer_twice",
                found=f"key {issuer.public_key.hex()}",
                allowed="each name once and each key once",
                fix="remove one of the two [[issuers]] tables of signer.toml",
            )
        names.add(issuer.name)
        by_key[issuer.key_id] = issuer
    return by_key


def _refuse_weak(issuer: Issuer) -> None:
    if len(issuer.public_key) != _KEY_BYTES:
        _refuse(issuer, f"{len(issuer.public_key)} bytes")
    y = int.from_bytes(issuer.public_key, "little") % 2**255
    if y >= _PRIME:
        _refuse(issuer, f"{issuer.public_key.hex()}, which is no point in its canonical form")
    if y in _SMALL:
        _refuse(issuer, f"{issuer.public_key.hex()}, under which anybody can sign")


def _refuse(issuer: Issuer, found: str) -> NoReturn:
    raise ConfigError(
        f"the key of issuer {issuer.name!r} can not be pinned",
        code="issuer_key",
        found=found,
        allowed="the ed25519 public key of the issuer, 64 hex digits",
        fix="ask the issuer for it; 64 zeros in signer.toml only hold its place",
    )
