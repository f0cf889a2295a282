"""Addresses, selectors and ABI data: text and Python values on one side, bytes on the other."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from eth_abi.abi import decode as _decode
from eth_abi.abi import encode as _encode
from eth_abi.exceptions import ABITypeError, DecodingError, EncodingError, ParseError
from eth_abi.grammar import ABIType, BasicType, TupleType, normalize, parse
from eth_abi.registry import registry
from eth_hash.auto import keccak as _keccak

from tidegate.model import Address, ConfigError, Divergence

Abi = Sequence[Mapping[str, Any]]
"""A contract's ABI as its JSON reads: a list of functions, events and errors."""


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 of ``data`` (the one of Ethereum, not NIST's SHA3-256)."""
    return bytes(_keccak(data))


def address(value: str | bytes | int) -> Address:
    """Return ``value`` as a checksummed address (EIP-55).

    Parameters
    ----------
    value
        40 hex digits with or without ``0x``; 20 bytes, or a 32-byte word with 12 leading zero
        bytes; or an integer below 2**160. Text in mixed case must carry the right checksum.

    Raises
    ------
    ConfigError
        If it is none of these, or its checksum is wrong.
    """
    if isinstance(value, str):
        return _address_from_text(value)
    if isinstance(value, int):
        if 0 <= value < 1 << 160:
            return _address_from_text(f"{value:040x}")
    elif len(value) == 20:
        return _address_from_text(value.hex())
    elif len(value) == 32 and not any(value[:12]):
        return _address_from_text(value[12:].hex())
    shown = hex(value) if isinstance(value, int) else "0x" + value.hex()
    raise ConfigError(
        "not an address", code="address", found=shown, allowed="20 bytes, or a word below 2**160"
    )


def encode_arguments(types: Sequence[str], arguments: Sequence[Any]) -> bytes:
    """Return the ABI encoding of ``arguments`` (a tuple of ``types``), without a selector.

    Raises
    ------
    ConfigError
        If a type is unknown or an argument does not fit its type, or ``types`` is one text.
    """
    _refuse_text(types)
    try:
        return _encode(types, arguments)
    except (EncodingError, ParseError, ABITypeError, TypeError, ValueError) as error:
        raise ConfigError(
            "arguments do not fit their types", code="abi", found=str(error), allowed=", ".join(types)
        ) from error


def encode_call(signature: str, *arguments: Any) -> bytes:
    """Return calldata: ``encode_call("transfer(address,uint256)", to, 5)``.

    Raises
    ------
    ConfigError
        If the signature is not in canonical form or an argument does not fit.
    """
    code, types = _signature(signature)
    return code + encode_arguments(types, arguments)


def decode_output(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """Return the values of ABI-encoded ``data``, addresses checksummed.

    Raises
    ------
    Divergence
        If the bytes are not an encoding of ``types``: the contract is not what we took it for
        (an account without code answers with no bytes at all).
    ConfigError
        If ``types`` is one text instead of several.
    """
    _refuse_text(types)
    try:
        values = _decode(types, data)
    except (DecodingError, OverflowError, UnicodeDecodeError) as error:
        raise Divergence(
            "the answer is not what the ABI says",
            code="abi",
            found=f"{len(data)} bytes: {error}",
            allowed=f"an encoding of ({','.join(types)})",
            fix="check that the address holds the contract you mean, on this chain",
        ) from error
    return tuple(_checksummed(_parsed(kind), value) for kind, value in zip(types, values, strict=True))


def selector(signature: str) -> bytes:
    """Return the first four bytes of the hash of a canonical signature, ``transfer(address,uint256)``.

    Raises
    ------
    ConfigError
        If it is not canonical: spaces, argument names or aliases (``uint``) change the hash.
    """
    return _signature(signature)[0]


def event_topic(signature: str) -> bytes:
    """Return topic 0 of an event, from its canonical signature. Raises as ``selector`` does."""
    _signature(signature)
    return keccak256(signature.encode())


def abi_signature(entry: Mapping[str, Any]) -> str:
    """Return the canonical signature of an ABI entry: tuples spelled out, no names."""
    return f"{entry['name']}({','.join(_canonical_type(item) for item in entry.get('inputs', ()))})"


def abi_types(inputs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the canonical types of an ABI entry's ``inputs`` or ``outputs``."""
    return tuple(_canonical_type(item) for item in inputs)


def _refuse_text(types: Sequence[str]) -> None:
    # A text is a sequence of texts too: of its letters.
    if isinstance(types, str):
        raise ConfigError(
            "types are given as a sequence, one text for each",
            code="abi",
            found=repr(types),
            allowed=f"such as [{types!r}]",
            fix="put it into a list",
        )


@lru_cache(maxsize=65_536)
def _address_from_text(text: str) -> Address:
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if len(digits) != 40 or not set(digits) <= set(string.hexdigits):
        raise ConfigError("not an address", code="address", found=repr(text), allowed="0x and 40 hex digits")
    lower = digits.lower()
    marks = keccak256(lower.encode()).hex()
    checksummed = "".join(
        letter.upper() if int(mark, 16) >= 8 else letter for letter, mark in zip(lower, marks, strict=False)
    )
    if digits not in (checksummed, lower, digits.upper()):
        raise ConfigError(
            "wrong address checksum",
            code="address_checksum",
            found=text,
            allowed=f"0x{checksummed}, if these digits are what you mean",
            fix="copy the address again from its source: a checksum fails when a digit was mistyped",
        )
    return Address("0x" + checksummed)


@lru_cache(maxsize=4_096)
def _signature(signature: str) -> tuple[bytes, tuple[str, ...]]:
    name, opened, rest = signature.partition("(")
    try:
        if not opened or not name.isidentifier():
            raise ValueError("no name before the arguments")
        types = _types_in(opened + rest)
    except (ParseError, ABITypeError, ValueError) as error:
        raise ConfigError(
            "not a canonical signature",
            code="signature",
            found=f"{signature!r} ({error})",
            allowed='like "transfer(address,uint256)": no spaces, no argument names, no aliases',
        ) from error
    return keccak256(signature.encode())[:4], types


def _types_in(listed: str) -> tuple[str, ...]:
    if listed == "()":
        return ()
    written: str = normalize(listed)  # type: ignore[no-untyped-call]
    if written != listed:
        raise ValueError(f"types are written {written}")
    parsed = parse(listed)
    if not isinstance(parsed, TupleType) or parsed.is_array:
        raise ValueError("arguments are no list in parentheses")
    parsed.validate()  # type: ignore[no-untyped-call]
    types = tuple(component.to_type_str() for component in parsed.components)
    for kind in types:
        if not registry.has_encoder(kind):
            raise ValueError(f"there is no type {kind}")
    return types


@lru_cache(maxsize=4_096)
def _parsed(kind: str) -> ABIType:
    parsed: ABIType = parse(kind)
    return parsed


def _checksummed(kind: ABIType, value: Any) -> Any:
    if kind.is_array:
        return tuple(_checksummed(kind.item_type, item) for item in value)
    if isinstance(kind, TupleType):
        return tuple(_checksummed(part, item) for part, item in zip(kind.components, value, strict=True))
    if isinstance(kind, BasicType) and kind.base == "address":
        return _address_from_text(value)
    return value


def _canonical_type(item: Mapping[str, Any]) -> str:
    kind = str(item["type"])
    if kind.startswith("tuple"):
        inside = ",".join(_canonical_type(part) for part in item["components"])
        return f"({inside}){kind[len('tuple') :]}"
    return kind
