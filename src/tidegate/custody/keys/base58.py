"""Base58 with Bitcoin's alphabet: how Solana writes accounts, and back."""

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


def from_base58(text: str) -> bytes:
    """Return the bytes that ``text`` writes. Raises ``ValueError`` for a digit of another alphabet.

    Examples
    --------
    >>> from_base58("11111111111111111111111111111111") == bytes(32)
    True
    """
    number = 0
    for digit in text:
        number = 58 * number + _ALPHABET.index(digit)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
