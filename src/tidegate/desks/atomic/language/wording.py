"""Values in words: as the author wrote them, and as a finding describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from tidegate.desks.atomic.language.syntax import (
    BalanceOf,
    BlindRef,
    Difference,
    Flag,
    Items,
    Literal,
    Maximum,
    Minimum,
    OutputRef,
    Percent,
    Scale,
    Sum,
    Unit,
    Value,
    Word,
)
from tidegate.model import UINT256_MAX, format_units

EVERYTHING = "everything"
"""How the largest uint256 reads: protocols take it as "all that is there"."""

_FIXED = {
    Unit.BPS: (0, " bps"),
    Unit.WEI: (9, " gwei"),
    Unit.SECONDS: (0, " s"),
    Unit.BLOCKS: (0, " blocks"),
    Unit.USD_E6: (6, " USD"),
    Unit.RATIO_E18: (18, ""),
}


def written(value: Value, decimals_of: Mapping[str, int]) -> str:
    """Return a value as an author would write it: ``1.5 WETH``, ``$sell.amount_out``."""
    match value:
        case Literal():
            return _literal(value, decimals_of)
        case BlindRef():
            return f"${value.name}"
        case OutputRef():
            return f"${value.step}.{value.output}" if value.output else f"${value.step}"
        case BalanceOf():
            return f"balance({value.token})"
        case Percent():
            rate = f"{format_units(value.bps, 2)}%" if isinstance(value.bps, int) else f"${value.bps.name}"
            return f"{rate} of {written(value.of, decimals_of)}"
        case Sum():
            return f"{written(value.left, decimals_of)} + {written(value.right, decimals_of)}"
        case Difference():
            return f"{written(value.left, decimals_of)} - {inside(value.right, decimals_of)}"
        case Minimum() | Maximum():
            name = "min" if isinstance(value, Minimum) else "max"
            return f"{name}({written(value.left, decimals_of)}, {written(value.right, decimals_of)})"
        case Scale():
            inner = (written(part, decimals_of) for part in (value.limit, value.new, value.old))
            return f"scale({', '.join(inner)})"
        case Word():
            return value.text
        case Flag():
            return "true" if value.value else "false"
        case Items():
            return f"[{', '.join(written(item, decimals_of) for item in value.items)}]"
    assert_never(value)


def inside(value: Value, decimals_of: Mapping[str, int]) -> str:
    """Return a value as ``written``, in parentheses if it is a sum or a difference."""
    text = written(value, decimals_of)
    return f"({text})" if isinstance(value, Sum | Difference) else text


def in_token(amount: int, token: str, decimals_of: Mapping[str, int]) -> str:
    """Return base units as an amount of a token: ``-1.02 WETH``."""
    return f"{format_units(amount, decimals_of[token])} {token}"


def _literal(value: Literal, decimals_of: Mapping[str, int]) -> str:
    if value.token is not None:
        return in_token(value.base_units, value.token, decimals_of)
    if value.unit in _FIXED:
        decimals, suffix = _FIXED[value.unit]
        return format_units(value.base_units, decimals) + suffix
    return EVERYTHING if value.base_units == UINT256_MAX else str(value.base_units)


def describe_value(value: Value) -> str:
    """Return a value in a few words, for the ``found`` of a finding."""
    match value:
        case Literal(unit=Unit.TOKEN):
            return f"an amount of {value.token}"
        case Literal(unit=Unit.INTEGER):
            return f"the bare number {value.base_units}"
        case Literal(unit=Unit.RATIO_E18):
            return "a bare decimal without a unit"
        case Literal():
            return f"a quantity in {value.unit}"
        case Flag():
            return "true" if value.value else "false"
        case Word():
            return value.text[:80]
        case _:
            return type(value).__name__.lower()
