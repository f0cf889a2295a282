"""Which guards there are, what they take, and how they are judged: an exception is a failure.

A guard from outside is one file and one entry point in the group ``tidegate.guards``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points

import msgspec

from tidegate.model import ConfigError, GuardResult, Placement, format_units
from tidegate.risk.guards.balance_floor import BalanceFloor
from tidegate.risk.guards.code_hash import CodeHash
from tidegate.risk.guards.deadline import Deadline
from tidegate.risk.guards.flash_liquidity import FlashLiquidity
from tidegate.risk.guards.interface import Guard, GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.lender_concentration import LenderConcentration
from tidegate.risk.guards.max_base_fee import MaxBaseFee
from tidegate.risk.guards.max_gas import MaxGas
from tidegate.risk.guards.min_health_factor import MinHealthFactor
from tidegate.risk.guards.min_profit import MinProfit
from tidegate.risk.guards.oracle_sanity import OracleSanity
from tidegate.risk.guards.position_delta import PositionDelta
from tidegate.risk.guards.price_impact import PriceImpact
from tidegate.risk.guards.price_range import PriceRange
from tidegate.risk.guards.reserve_active import ReserveActive
from tidegate.risk.guards.sequencer_up import SequencerUp
from tidegate.risk.guards.slippage import Slippage
from tidegate.risk.guards.twap_sanity import TwapSanity

ENTRY_POINT_GROUP = "tidegate.guards"
_BUILT_IN: tuple[Callable[[], Guard], ...] = (
    BalanceFloor,
    CodeHash,
    Deadline,
    FlashLiquidity,
    LenderConcentration,
    MaxBaseFee,
    MaxGas,
    MinHealthFactor,
    MinProfit,
    OracleSanity,
    PositionDelta,
    PriceImpact,
    PriceRange,
    ReserveActive,
    SequencerUp,
    Slippage,
    TwapSanity,
)


@cache
def guards() -> Mapping[str, Guard]:
    """Return every guard by name, sorted: the built-in ones and those of installed packages.

    Raises
    ------
    ConfigError
        If two guards have the same name.
    """
    found: dict[str, Guard] = {}
    made = [make() for make in _BUILT_IN]
    made += [point.load()() for point in entry_points(group=ENTRY_POINT_GROUP)]
    for guard in made:
        if guard.name in found:
            raise ConfigError(
                f"two guards are called {guard.name}", fix="uninstall one of the packages that bring it"
            )
        found[guard.name] = guard
    return dict(sorted(found.items()))


def find_guard(name: str) -> Guard:
    """Return the guard called ``name``.

    Raises
    ------
    ConfigError
        ATM111 naming the nearest.
    """
    known = guards()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        raise ConfigError(
            f"unknown guard {name}",
            code="ATM111",
            found=name,
            allowed=", ".join(known),
            fix=f"did you mean {near[0]}?" if near else "use one of these",
        )
    return known[name]


def fill_parameters(guard: Guard, given: Mapping[str, int | str]) -> dict[str, int | str]:
    """Return ``given`` with the guard's defaults filled in.

    Raises
    ------
    ConfigError
        ATM112 if one is unknown, missing, of the wrong type or out of its range.
    """
    for name in given:
        if name not in guard.parameters:
            near = difflib.get_close_matches(name, guard.parameters, n=1, cutoff=0.4)
            raise _wrong(
                guard,
                f"has no parameter {name}",
                name,
                ", ".join(guard.parameters) or "none",
                f"did you mean {near[0]}?" if near else "leave it out",
            )
    filled: dict[str, int | str] = {}
    for name, parameter in guard.parameters.items():
        if name in given:
            _check(guard, name, parameter, given[name])
            filled[name] = given[name]
        elif parameter.is_required:
            raise _wrong(guard, f"needs {name}", "nothing", parameter.kind.value, f"set {name}")
        elif parameter.default is not None:
            filled[name] = parameter.default
    for name, parameter in guard.parameters.items():
        value, lowest = filled.get(name), filled.get(parameter.at_least)
        if isinstance(value, int) and isinstance(lowest, int) and value < lowest:
            raise _wrong(
                guard,
                f"{name} is below {parameter.at_least}",
                _shown(value, parameter.kind),
                f"at least {_shown(lowest, parameter.kind)}",
                f"swap {parameter.at_least} and {name}",
            )
    return filled


def judge(
    guard: Guard, placement: Placement, context: GuardContext, *, on_failure: str = "revert"
) -> GuardResult:
    """Return what ``guard`` says before sending or after inclusion. An exception is a failure.

    Raises
    ------
    ValueError
        For placement *in*: the chain judges there.
    """
    if placement is Placement.IN:
        raise ValueError("placement in is judged on chain")
    try:
        result = guard.pre(context) if placement is Placement.PRE else guard.post(context)
    except Exception as error:  # noqa: BLE001 - a guard that can not be evaluated has not passed
        result = verdict(
            guard.name,
            placement,
            passed=False,
            code="guard_error",
            measured=None,
            bound=None,
            unit="",
            at_block=context.block.number,
            note=f"{type(error).__name__}: {error}",
        )
    return msgspec.structs.replace(result, on_failure=on_failure)


def _check(guard: Guard, name: str, parameter: Parameter, value: int | str) -> None:
    is_word = parameter.low is None
    if isinstance(value, bool) or isinstance(value, str) is not is_word:
        raise _wrong(
            guard,
            f"{name} has the wrong type",
            repr(value),
            parameter.kind.value,
            f"write {name} as {parameter.kind.value}",
        )
    if isinstance(value, str):
        base, _, other = value.partition("/")
        if parameter.kind is ParameterKind.PAIR and (not base or not other or base == other):
            raise _wrong(guard, f"{name} is no pair", value, "two different symbols", "write it as WETH/USDC")
        if parameter.choices and value not in parameter.choices:
            raise _wrong(
                guard, f"{name} is not known", value, ", ".join(parameter.choices), "use one of these"
            )
        return
    low, high = parameter.low, parameter.high
    if (low is not None and value < low) or (high is not None and value > high):
        raise _wrong(
            guard,
            f"{name} is out of range",
            _shown(value, parameter.kind),
            _range(parameter),
            f"change {name}",
        )


def _range(parameter: Parameter) -> str:
    low, high = (
        None if end is None else _shown(end, parameter.kind) for end in (parameter.low, parameter.high)
    )
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return f"{low} to {high}"


def _shown(value: int, kind: ParameterKind) -> str:
    """Return an integer as the author of a strategy writes it."""
    match kind:
        case ParameterKind.RATIO_E18:
            return format_units(value, 18)
        case ParameterKind.WEI:
            return f"{format_units(value, 9)} gwei"
        case ParameterKind.SECONDS:
            return f"{value} s"
        case ParameterKind.AMOUNT | ParameterKind.PRICE:
            return f"{value} base units"
        case _:
            return f"{value} {kind.value}"


def _wrong(guard: Guard, problem: str, found: str, allowed: str, fix: str) -> ConfigError:
    return ConfigError(f"guard {guard.name} {problem}", code="ATM112", found=found, allowed=allowed, fix=fix)
