"""Base58 with Bitcoin's alphabet: how Solana writes accounts."""

from __future__ import annotations

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def to_base58(data: bytes) -> str:
    """Return ``data`` as base58; each leading zero byte is a ``1``.

    Examples
    --------
    >>> to_base58(bytes(32))
    '11111111111111111111111111111111'
    """
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _ALPHABET[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits
