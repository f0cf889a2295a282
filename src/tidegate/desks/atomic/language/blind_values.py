"""The values of a strategy's blinds: read from a file of their own, checked, completed.

A blinds file is a mapping from names to values with their units (``size: 5 WETH``). Errors name the
blind and its range, never the value: blinds are secrets of whoever runs the strategy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tidegate.desks.atomic.language.document import Scalar, Table, read_document
from tidegate.desks.atomic.language.findings import did_you_mean
from tidegate.desks.atomic.language.quantities import number_literal, parse_quantity
from tidegate.desks.atomic.language.syntax import Blind, BlindType, Literal, Strategy, Unit
from tidegate.model import ConfigError, SourcePosition

_UNITS = {
    BlindType.AMOUNT: (Unit.TOKEN, Unit.INTEGER),
    BlindType.BPS: (Unit.BPS,),
    BlindType.UINT256: (Unit.INTEGER,),
    BlindType.INT256: (Unit.INTEGER,),
    BlindType.DURATION: (Unit.SECONDS,),
}
_HEX_DIGITS = {BlindType.ADDRESS: 40, BlindType.BYTES32: 64}


def load_blinds(
    path: Path, strategy: Strategy, decimals_of: Mapping[str, int]
) -> dict[str, int | bool | str]:
    """Return the blinds of a file, in base units, completed by the strategy's defaults.

    Raises
    ------
    ConfigError
        ATM001 or ATM004 if the file can not be read; ATM113 if a blind is unknown, missing, of
        another type or out of range.
    """
    content = read_document(path)
    if not isinstance(content, Table):
        raise ConfigError(
            "a blinds file is a mapping from names to values",
            code="ATM002",
            found="a list or a single value",
            allowed="such as size: 5 WETH",
            fix="write one line for each blind",
            position=content.position,
        )
    given: dict[str, int | bool | str] = {}
    for name, item in content.entries.items():
        blind = strategy.blinds.get(name)
        if blind is None:
            raise ConfigError(
                f"{strategy.name} has no blind {name}",
                code="ATM113",
                found=name,
                allowed=", ".join(strategy.blinds) or "none",
                fix=did_you_mean(name, strategy.blinds, "remove it"),
                position=content.key_positions[name],
            )
        if not isinstance(item, Scalar):
            raise _mistyped(blind, item.position)
        given[name] = _value(blind, item, decimals_of)
    return complete_blinds(strategy, given)


def complete_blinds(strategy: Strategy, given: Mapping[str, int | bool | str]) -> dict[str, int | bool | str]:
    """Return ``given`` with defaults filled in.

    A blind that is searched for has no value here unless one was given: then there is no search.

    Raises
    ------
    ConfigError
        ATM113 if a blind without a default is missing, or a number is out of its range.
    """
    values = dict(given)
    for name, blind in strategy.blinds.items():
        if name in values:
            _check_range(blind, values[name], blind.position)
        elif blind.search:
            continue
        elif blind.default is not None:
            values[name] = blind.default
        else:
            raise ConfigError(
                f"the blind {name} has no value",
                code="ATM113",
                found="no value and no default",
                allowed=f"a value of type {blind.type}",
                fix=f"give {name} in the blinds file, or a default in the strategy",
                position=blind.position,
            )
    return values


def _value(blind: Blind, scalar: Scalar, decimals_of: Mapping[str, int]) -> int | bool | str:
    if blind.type is BlindType.BOOL:
        if not isinstance(scalar.value, bool):
            raise _mistyped(blind, scalar.position)
        return scalar.value
    if blind.type in _HEX_DIGITS:
        if not re.fullmatch(rf"0x[0-9a-fA-F]{{{_HEX_DIGITS[blind.type]}}}", scalar.text):
            raise _mistyped(blind, scalar.position)
        return scalar.text
    literal = _number(blind, scalar, decimals_of)
    if literal.unit not in _UNITS[blind.type] or literal.token not in (None, blind.token):
        raise _mistyped(blind, scalar.position)
    _check_range(blind, literal.base_units, scalar.position)
    return literal.base_units


def _number(blind: Blind, scalar: Scalar, decimals_of: Mapping[str, int]) -> Literal:
    if isinstance(scalar.value, bool) or scalar.value is None:
        raise _mistyped(blind, scalar.position)
    if isinstance(scalar.value, str):
        return parse_quantity(scalar.value, decimals_of, scalar.position)
    return number_literal(scalar)


def _check_range(blind: Blind, value: int | bool | str, position: SourcePosition) -> None:
    if isinstance(value, str | bool) or blind.minimum is None or blind.maximum is None:
        return
    if not blind.minimum <= value <= blind.maximum:
        raise ConfigError(
            f"the blind {blind.name} is out of range",
            code="ATM113",
            found="a value below it" if value < blind.minimum else "a value above it",
            allowed=blind.written_range,
            fix="give one within it",
            position=position,
        )


def _mistyped(blind: Blind, position: SourcePosition) -> ConfigError:
    return ConfigError(
        f"the blind {blind.name} has a value of another type",
        code="ATM113",
        found="another type or unit",
        allowed=f"{blind.type}{f' of {blind.token}' if blind.token else ''}",
        fix="mend its line in the blinds file",
        position=position,
    )
