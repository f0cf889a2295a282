"""The parameters of a guard as a file writes them, turned into integers of their units and words."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.names import located
from tidegate.model import ConfigError
from tidegate.risk.guards import Guard, ParameterKind, fill_parameters

_UNITS = {
    ParameterKind.BPS: syntax.Unit.BPS,
    ParameterKind.SECONDS: syntax.Unit.SECONDS,
    ParameterKind.RATIO_E18: syntax.Unit.RATIO_E18,
    ParameterKind.GAS: syntax.Unit.INTEGER,
    ParameterKind.WEI: syntax.Unit.WEI,
    ParameterKind.TICKS: syntax.Unit.INTEGER,
}
_COUNTS_A_TOKEN = frozenset({ParameterKind.AMOUNT, ParameterKind.PRICE})


def guard_parameters(
    use: syntax.GuardUse, guard: Guard, blinds: Mapping[str, int | bool | str]
) -> dict[str, int | str]:
    """Return a guard's parameters as integers in their units and words, defaults filled in.

    Raises
    ------
    ConfigError
        ATM112 or ATM113, at its place in the file.
    """
    given: dict[str, int | str] = {}
    for name, value in use.parameters.items():
        with located(value.position):
            wanted = guard.parameters.get(name)
            token = "" if wanted is None or not wanted.of else _counted(use, wanted.of)
            given[name] = _plain(name, value, None if wanted is None else wanted.kind, token, blinds)
    with located(use.position):
        return fill_parameters(guard, given)


def _counted(use: syntax.GuardUse, name: str) -> str:
    """Return the token that an amount or a price counts; of a pair ``name`` that is the second."""
    named = use.parameters.get(name)
    return named.text.rpartition("/")[2] if isinstance(named, syntax.Word) else ""


def _plain(
    name: str,
    value: syntax.Value,
    kind: ParameterKind | None,
    token: str,
    blinds: Mapping[str, int | bool | str],
) -> int | str:
    """Return a parameter's value; whole numbers are also ratios, so that ``min: 2`` reads as 2.0."""
    match value:
        case syntax.Word():
            return value.text
        case syntax.BlindRef():
            given = blinds.get(value.name)
            if isinstance(given, int | str) and not isinstance(given, bool):
                return given
        case syntax.Literal():
            if kind is ParameterKind.RATIO_E18 and value.unit is syntax.Unit.INTEGER:
                return value.base_units * 10**18
            if kind in _COUNTS_A_TOKEN:
                if value.unit is syntax.Unit.INTEGER or _written_in(value) == token:
                    return value.base_units
            elif kind is None or _UNITS.get(kind) is value.unit:
                return value.base_units
        case _:
            pass
    allowed = "its own unit" if kind is None else kind.value
    raise ConfigError(
        f"{name} has the wrong unit or type",
        code="ATM112",
        found=_written_in(value) or type(value).__name__.lower(),
        allowed=f"{allowed} of {token}" if token else allowed,
    )


def _written_in(value: syntax.Value) -> str:
    """Return the token, or else the unit, that a quantity is written in."""
    if not isinstance(value, syntax.Literal):
        return ""
    return "USD" if value.unit is syntax.Unit.USD_E6 else value.token or value.unit.value
