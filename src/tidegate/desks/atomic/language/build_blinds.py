"""Blinds: the values that a file leaves open, each with its type and range."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate.desks.atomic.language.reading import Keys
from tidegate.desks.atomic.language.syntax import Blind, BlindType, Unit
from tidegate.desks.atomic.language.wording import in_token
from tidegate.model import UINT256_MAX

INT256_MAX = 2**255 - 1
_HEX = {BlindType.ADDRESS: r"0x[0-9a-fA-F]{40}", BlindType.BYTES32: r"0x[0-9a-fA-F]{64}"}
_NUMERIC = {
    BlindType.AMOUNT: Unit.TOKEN,
    BlindType.BPS: Unit.BPS,
    BlindType.UINT256: Unit.INTEGER,
    BlindType.INT256: Unit.INTEGER,
    BlindType.DURATION: Unit.SECONDS,
}
_EXAMPLE = {
    BlindType.AMOUNT: "an amount with its token, such as 0.1 WETH",
    BlindType.BPS: "a rate, such as 30 bps",
    BlindType.UINT256: "a whole number of at least 0",
    BlindType.INT256: "a whole number",
    BlindType.DURATION: "a time, such as 36 s",
    BlindType.ADDRESS: "0x and 40 hex digits",
    BlindType.BYTES32: "0x and 64 hex digits",
    BlindType.BOOL: "true or false",
}


def build_blinds(keys: Keys) -> Mapping[str, Blind]:
    """Return the blinds; a missing range, token or a value of another type is ATM113."""
    return {name: _blind(name, keys.keys(name)) for name in keys.table.entries}


def _blind(name: str, keys: Keys) -> Blind:
    reading, kind, where = keys.reading, BlindType(keys.text("type")), keys.table.position
    token = reading.token(keys.scalar("token")) if keys.has("token") else None
    if kind is BlindType.AMOUNT and token is None:
        reading.report(
            "ATM113", where, f"the amount {name} has no token", "no token", "a token", "add token:"
        )
    minimum = _blind_number(keys, "min", kind, token)
    maximum = _blind_number(keys, "max", kind, token)
    if kind in _NUMERIC and not (keys.has("min") and keys.has("max")):
        reading.report(
            "ATM113", where, f"the blind {name} has no range", "min and max are not both given",
            f"min and max, each {_EXAMPLE[kind]}", "add the missing one",
        )  # fmt: skip
    if minimum is not None and maximum is not None and minimum > maximum:
        reading.report(
            "ATM113", keys.scalar("min").position, f"the range of {name} is empty",
            f"{keys.text('min')} to {keys.text('max')}", "min at most max", "swap them",
        )  # fmt: skip
    if keys.flag("search", otherwise=False) and kind is not BlindType.AMOUNT:
        reading.report(
            "ATM113", keys.scalar("search").position, "only an amount can be searched for",
            str(kind), str(BlindType.AMOUNT), "remove search",
        )  # fmt: skip
    default = _default(keys, kind, token)
    if _lies_outside(default, minimum, maximum):
        reading.report(
            "ATM113", keys.scalar("default").position, f"the default of {name} is out of range",
            keys.text("default"), f"{keys.text('min')} to {keys.text('max')}", "set it within the range",
        )  # fmt: skip
    return Blind(
        position=where,
        value_positions=keys.places(),
        name=name,
        type=kind,
        token=token,
        minimum=minimum,
        maximum=maximum,
        written_range=f"{_written(keys, 'min', minimum, token)} to {_written(keys, 'max', maximum, token)}",
        default=default,
        search=keys.flag("search", otherwise=False),
        note=keys.text("note"),
    )


def _written(keys: Keys, key: str, value: int | None, token: str | None) -> str:
    """Return one end of a range as people read it: an amount in its token, else as the author wrote it."""
    if value is None or token not in keys.reading.decimals_of:
        return keys.text(key)
    return in_token(value, token, keys.reading.decimals_of)


def _lies_outside(default: int | bool | str | None, minimum: int | None, maximum: int | None) -> bool:
    if not isinstance(default, int) or minimum is None or maximum is None:
        return False
    return not minimum <= default <= maximum


def _default(keys: Keys, kind: BlindType, token: str | None) -> int | bool | str | None:
    if not keys.has("default"):
        return None
    if kind in _NUMERIC:
        return _blind_number(keys, "default", kind, token)
    scalar = keys.scalar("default")
    is_right = (
        isinstance(scalar.value, bool)
        if kind is BlindType.BOOL
        else isinstance(scalar.value, str) and re.fullmatch(_HEX[kind], scalar.value) is not None
    )
    if not is_right:
        _mistyped(keys, "default", kind)
    return scalar.value if isinstance(scalar.value, bool) else scalar.text


def _blind_number(keys: Keys, key: str, kind: BlindType, token: str | None) -> int | None:
    if not keys.has(key):
        return None
    scalar = keys.scalar(key)
    if kind not in _NUMERIC or not isinstance(scalar.value, str | int) or isinstance(scalar.value, bool):
        _mistyped(keys, key, kind)
        return None
    before = len(keys.reading.findings)
    literal = keys.reading.quantity(scalar)
    if len(keys.reading.findings) > before:
        return None
    least, most = (-INT256_MAX - 1, INT256_MAX) if kind is BlindType.INT256 else (0, UINT256_MAX)
    is_bare_amount = kind is BlindType.AMOUNT and literal.unit is Unit.INTEGER
    fits = literal.unit is _NUMERIC[kind] or is_bare_amount
    if not fits or (literal.token is not None and literal.token != token):
        _mistyped(keys, key, kind)
        return None
    if not least <= literal.base_units <= most:
        keys.reading.report(
            "ATM113", scalar.position, f"{key} is out of range", scalar.text, _EXAMPLE[kind], "mend it"
        )
        return None
    return literal.base_units


def _mistyped(keys: Keys, key: str, kind: BlindType) -> None:
    scalar = keys.scalar(key)
    keys.reading.report(
        "ATM112", scalar.position, f"{key} does not fit a blind of type {kind}", scalar.text or "nothing",
        _EXAMPLE[kind], "write it so",
    )  # fmt: skip
