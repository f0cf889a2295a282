"""What an author writes for a guard's parameters, as the integers and words that guards take."""

from __future__ import annotations

from tidegate.desks.atomic.findings import did_you_mean
from tidegate.desks.atomic.quantities import ratio_e18
from tidegate.desks.atomic.syntax import GuardUse, Literal, Unit, Value, Word
from tidegate.model import ConfigError
from tidegate.risk.guards import Parameter, ParameterKind, fill_parameters, find_guard

_UNITS = {
    ParameterKind.BPS: (Unit.BPS, "a rate, such as 100 bps"),
    ParameterKind.SECONDS: (Unit.SECONDS, "a time, such as 1800 s"),
    ParameterKind.GAS: (Unit.INTEGER, "a whole number of gas"),
    ParameterKind.WEI: (Unit.WEI, "a fee, such as 40 gwei"),
}


def guard_parameters(use: GuardUse) -> dict[str, int | str]:
    """Return the parameters of a guard as it takes them, defaults filled in.

    Raises
    ------
    ConfigError
        ATM111 if there is no such guard; ATM112 if a parameter is unknown, missing, of another unit
        or out of range. Always with the position in the file.
    """
    try:
        guard = find_guard(use.name)
    except ConfigError as error:
        error.position = use.position
        raise
    given: dict[str, int | str] = {}
    for name, value in use.parameters.items():
        parameter = guard.parameters.get(name)
        if parameter is None:
            raise ConfigError(
                f"the guard {use.name} has no parameter {name}",
                code="ATM112",
                found=name,
                allowed=", ".join(guard.parameters) or "none",
                fix=did_you_mean(name, guard.parameters, "leave it out"),
                position=use.at(name),
            )
        given[name] = _converted(name, parameter, value)
    try:
        return fill_parameters(guard, given)
    except ConfigError as error:
        # The registry names the parameter; the file knows where it stands.
        named = next((name for name in given if f" {name} " in f"{error.message} "), None)
        error.position = use.position if named is None else use.parameters[named].position
        raise


def _converted(name: str, parameter: Parameter, value: Value) -> int | str:
    if parameter.kind is ParameterKind.RATIO_E18:
        ratio = ratio_e18(value) if isinstance(value, Literal) else None
        if ratio is None:
            raise _mistyped(name, value, "a number, such as 1.2")
        return ratio
    if parameter.kind in _UNITS:
        unit, example = _UNITS[parameter.kind]
        if not isinstance(value, Literal) or value.unit is not unit:
            raise _mistyped(name, value, example)
        return value.base_units
    if not isinstance(value, Word):
        raise _mistyped(name, value, "a name")
    if parameter.kind is ParameterKind.PAIR and value.text.count("/") != 1:
        raise _mistyped(name, value, "a pair, such as WETH/USDC")
    return value.text


def _mistyped(name: str, value: Value, allowed: str) -> ConfigError:
    return ConfigError(
        f"the parameter {name} has the wrong type or unit",
        code="ATM112",
        found=describe_value(value),
        allowed=allowed,
        fix="write it so",
        position=value.position,
    )


def describe_value(value: Value) -> str:
    """Return a value in a few words, for ``found``."""
    match value:
        case Literal(unit=Unit.TOKEN):
            return f"an amount of {value.token}"
        case Literal(unit=Unit.INTEGER):
            return f"the bare number {value.base_units}"
        case Literal(unit=Unit.RATIO_E18):
            return "a bare decimal without a unit"
        case Literal():
            return f"a quantity in {value.unit}"
        case Word():
            return value.text[:80]
        case _:
            return type(value).__name__.lower()
