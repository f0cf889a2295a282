"""Probes: a view of a contract and what it answers when it is the contract that the book means.

Written as text in the address book: ``factory()(address)``, or with arguments
``feeAmountTickSpacing(uint24=3000)(int24)``; arguments are numbers, addresses and truth values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tidegate.chain import address, decode_output, encode_call
from tidegate.model import ConfigError, Divergence

_FORM = re.compile(r"([A-Za-z_]\w*)\(([^()]*)\)\(([a-z0-9]+)\)")
_INPUT = re.compile(r"(u?int\d*|address|bool)=(\S+)")


@dataclass(frozen=True, slots=True)
class Probe:
    """A view to call: its call data, and the type of its one answer."""

    data: bytes
    output: str

    def read(self, answer: bytes) -> str:
        """Return an answer as the book writes it: checksummed address, decimal number, 0x hex, text.

        Raises
        ------
        Divergence
            If the bytes are no answer of this type: another contract, or none, stands there.
        """
        try:
            (value,) = decode_output((self.output,), answer)
        except (ConfigError, ValueError) as error:
            raise Divergence(
                "the answer is not of the probe's type",
                code="probe",
                found=f"{len(answer)} bytes",
                allowed=self.output,
            ) from error
        return _text(value)


def parse_probe(text: str) -> Probe:
    """Return the probe that ``text`` is.

    Raises
    ------
    ConfigError
        ``probe`` if it is none.
    """
    form = _FORM.fullmatch(text)
    inputs = [_INPUT.fullmatch(part.strip()) for part in form[2].split(",")] if form and form[2] else []
    if form is None or None in inputs:
        raise ConfigError(
            "not a probe",
            code="probe",
            found=text[:80],
            allowed="like factory()(address) or feeAmountTickSpacing(uint24=3000)(int24)",
        )
    given = [(item[1], _value(item[1], item[2])) for item in inputs if item is not None]
    signature = f"{form[1]}({','.join(kind for kind, _ in given)})"
    return Probe(encode_call(signature, *(value for _, value in given)), form[3])


def _value(kind: str, text: str) -> Any:
    if kind == "address":
        return address(text)
    if kind == "bool":
        return text == "true"
    try:
        return int(text, 0)
    except ValueError as error:
        raise ConfigError("not a number", code="probe", found=text[:40], allowed=kind) from error


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
