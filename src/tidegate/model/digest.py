"""One canonical form and one digest for everything that is hashed or signed."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted", decimal_format="string")
_PLAIN = frozenset({str, int, bool, type(None)})


def canonical_json(value: Any) -> bytes:
    """Return the canonical JSON of ``value``: sorted keys, no spaces, UTF-8.

    Integers keep all their digits. Bytes must be turned into ``0x`` hex by the caller:
    the form that people read is the form that is hashed.

    Raises
    ------
    TypeError
        If ``value`` holds bytes, a float or an object that has no canonical form.
    """
    _refuse_ambiguous(value)
    return _encoder.encode(value)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of ``data`` as 64 hex digits without prefix."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256, in hex, of the canonical JSON of ``value``."""
    return sha256_hex(canonical_json(value))


def _refuse_ambiguous(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"keys must be text, was {key!r}")
            if type(item) not in _PLAIN:  # nearly all are: a call for each would take longer than the rest
                _refuse_ambiguous(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if type(item) not in _PLAIN:
                _refuse_ambiguous(item)
    elif isinstance(value, float):
        raise TypeError(f"floats have no canonical form, was {value!r}: use an integer or text")
    elif isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("bytes have no canonical form: use 0x hex")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _refuse_ambiguous(getattr(value, name))
