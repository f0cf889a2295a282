"""Revert data decoded: ``Error(string)``, ``Panic(uint256)`` and custom errors by ABI."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.chain.codecs import Abi, abi_signature, abi_types, decode_output, selector
from tidegate.model import Divergence, Revert

PANIC_MEANINGS = {
    0x00: "generic panic of the compiler",
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division by zero",
    0x21: "value out of the enum's range",
    0x22: "storage byte array wrongly encoded",
    0x31: "pop from an empty array",
    0x32: "array index out of bounds",
    0x41: "too much memory allocated",
    0x51: "call of an uninitialised function",
}
"""What Solidity's panic codes stand for (Solidity documentation, "Panic via assert")."""

_ERROR = selector("Error(string)")
_PANIC = selector("Panic(uint256)")


class RevertDecoder:
    """Explains revert data with every ABI that it was given.

    Two errors of different ABIs may share a selector; the first whose types fit the bytes wins.
    """

    def __init__(self, abis: Iterable[Abi] = ()) -> None:
        self._errors: dict[bytes, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        for abi in abis:
            self.register(abi)

    def register(self, abi: Abi) -> None:
        """Learn the custom errors of ``abi``; what is known already is kept."""
        for entry in abi:
            if entry.get("type") != "error":
                continue
            signature, inputs = abi_signature(entry), entry.get("inputs", ())
            names = tuple(item.get("name") or str(index) for index, item in enumerate(inputs))
            self._errors.setdefault(selector(signature), {}).setdefault(signature, (names, abi_types(inputs)))

    def decode(self, data: bytes) -> Revert:
        """Return what ``data`` says. Never raises: bytes that nothing explains are ``unknown``."""
        if not data:
            return Revert(kind="empty", name="reverted without data")
        code, rest = data[:4], data[4:]
        if code == _ERROR and (values := _values(("string",), rest)) is not None:
            return Revert(kind="error", name="Error", arguments=(("message", values[0]),), data=data)
        if code == _PANIC and len(rest) == 32:
            panic = int.from_bytes(rest, "big")
            meaning = PANIC_MEANINGS.get(panic, "unknown panic code")
            return Revert("panic", "Panic", (("code", panic), ("meaning", meaning)), data)
        for signature, (names, types) in self._errors.get(code, {}).items():
            if (values := _values(types, rest)) is not None:
                name, arguments = signature.partition("(")[0], tuple(zip(names, values, strict=True))
                return Revert(kind="custom", name=name, arguments=arguments, data=data)
        return Revert(kind="unknown", name="unknown revert data", data=data)


def decode_revert(data: bytes, abis: Iterable[Abi] = ()) -> Revert:
    """Return what revert ``data`` says, by the errors of ``abis``.

    ``RevertDecoder`` is for many decodings with the same ABIs.
    """
    return RevertDecoder(abis).decode(data)


def _values(types: tuple[str, ...], data: bytes) -> tuple[object, ...] | None:
    try:
        return decode_output(types, data)
    except Divergence:
        return None
