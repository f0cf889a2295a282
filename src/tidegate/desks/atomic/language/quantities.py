"""Quantities: a decimal number and its unit, turned exactly into integers of base units.

====================  ==========================  =========================
written               becomes                     unit
====================  ==========================  =========================
``1.5 WETH``          15 · 10¹⁷                   base units of the token
``30 bps``, ``0.3 %`` 30                          basis points
``40 gwei``           40 · 10⁹                    wei
``36 s``, ``2 min``   36, 120                     seconds
``2 blocks``          2                           blocks
``100 USD``           100 · 10⁶                   millionths of a dollar
``900000``            900000                      a bare integer: base units
``1.2``               12 · 10¹⁷                   a bare decimal: a ratio
====================  ==========================  =========================

Nothing is rounded: more decimals than the unit has are an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate.desks.atomic.language.document import Decimal, Scalar
from tidegate.desks.atomic.language.findings import did_you_mean
from tidegate.desks.atomic.language.syntax import Literal, Unit
from tidegate.model import ConfigError, SourcePosition

_QUANTITY = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))? *(%|[A-Za-z][\w.]*)")
_RATIO_DECIMALS = 18
_FIXED: dict[str, tuple[Unit, int, int]] = {
    # unit as written: what it counts, decimals of its base unit, base units in 10**decimals
    "bps": (Unit.BPS, 0, 1),
    "%": (Unit.BPS, 2, 1),
    "gwei": (Unit.WEI, 9, 1),
    "wei": (Unit.WEI, 0, 1),
    "s": (Unit.SECONDS, 0, 1),
    "min": (Unit.SECONDS, 0, 60),
    "h": (Unit.SECONDS, 0, 3_600),
    "day": (Unit.SECONDS, 0, 86_400),
    "days": (Unit.SECONDS, 0, 86_400),
    "block": (Unit.BLOCKS, 0, 1),
    "blocks": (Unit.BLOCKS, 0, 1),
    "USD": (Unit.USD_E6, 6, 1),
}


def is_quantity(text: str) -> bool:
    """Say whether ``text`` is a number with a unit, whatever the unit."""
    return _QUANTITY.fullmatch(text) is not None


def parse_quantity(text: str, decimals_of: Mapping[str, int], position: SourcePosition) -> Literal:
    """Return the literal that ``text`` writes; ``decimals_of`` knows the chain's tokens by name.

    Raises
    ------
    ConfigError
        ATM112 if the unit is missing or has fewer decimals than were written; ATM111 if the unit
        is neither a unit nor a token of the chain.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or (match[4] != "%" and not re.search(r"[0-9] ", text)):
        raise ConfigError(
            f"{text[:80]} is not a quantity",
            code="ATM112",
            found=text[:80],
            allowed="a number, a space and a unit: 1.5 WETH, 30 bps, 40 gwei, 36 s",
            fix="write the unit",
            position=position,
        )
    sign, whole, fraction, unit = match[1], match[2], match[3] or "", match[4]
    if unit in _FIXED:
        counts, decimals, factor = _FIXED[unit]
        token = None
    elif unit in decimals_of:
        counts, decimals, factor, token = Unit.TOKEN, decimals_of[unit], 1, unit
    else:
        raise ConfigError(
            f"{unit} is neither a unit nor a token of this chain",
            code="ATM111",
            found=unit,
            allowed=", ".join([*_FIXED, *sorted(decimals_of)]),
            fix=did_you_mean(unit, [*_FIXED, *decimals_of], "name a token of the address book"),
            position=position,
        )
    magnitude = _exact(whole, fraction, decimals, unit, position) * factor
    return Literal(-magnitude if sign else magnitude, counts, token, position)


def number_literal(scalar: Scalar) -> Literal:
    """Return the literal of a bare number: an integer counts base units, a decimal is a ratio."""
    if isinstance(scalar.value, Decimal):
        whole, fraction = scalar.value.text.lstrip("-").split(".")
        magnitude = _exact(whole, fraction, _RATIO_DECIMALS, "a ratio", scalar.position)
        signed = -magnitude if scalar.value.text.startswith("-") else magnitude
        return Literal(signed, Unit.RATIO_E18, None, scalar.position)
    assert isinstance(scalar.value, int)
    return Literal(scalar.value, Unit.INTEGER, None, scalar.position)


def ratio_e18(literal: Literal) -> int | None:
    """Return a ratio or bare integer times 10¹⁸; ``None`` if the literal has another unit."""
    if literal.unit is Unit.RATIO_E18:
        return literal.base_units
    return literal.base_units * 10**_RATIO_DECIMALS if literal.unit is Unit.INTEGER else None


def _exact(whole: str, fraction: str, decimals: int, unit: str, position: SourcePosition) -> int:
    significant = fraction.rstrip("0")
    if len(significant) > decimals:
        raise ConfigError(
            f"{whole}.{fraction} has more decimals than {unit} has",
            code="ATM112",
            found=f"{len(significant)} decimals",
            allowed=f"at most {decimals}",
            fix="round it yourself: nothing here rounds money silently",
            position=position,
        )
    return int(whole + significant.ljust(decimals, "0"))
