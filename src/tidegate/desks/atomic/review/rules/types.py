"""Types and units: each input gets what its action takes, and amounts are of one token."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language.expressions import MAXIMUM_PERCENT_BPS
from tidegate.desks.atomic.language.findings import Finding, did_you_mean
from tidegate.desks.atomic.language.scene import Scene, list_items, values_of
from tidegate.desks.atomic.language.syntax import (
    ActionStep,
    Blind,
    BlindRef,
    BlindType,
    Difference,
    Expression,
    Flag,
    FlashStep,
    Items,
    Literal,
    Maximum,
    Minimum,
    Percent,
    Scale,
    StepNode,
    Sum,
    Unit,
    Value,
    Word,
    parts,
)
from tidegate.desks.atomic.language.wording import describe_value
from tidegate.risk.guards import ParameterKind, guards
from tidegate.venues import ActionSpec, Input, InputType

_ALLOWED = {
    InputType.TOKEN: "a token, such as WETH",
    InputType.TOKENS: "a list of tokens, such as [WBTC]",
    InputType.AMOUNT: "an amount with its token, such as 1.5 WETH, a reference, or base units",
    InputType.UINT: "a whole number",
    InputType.UINTS: "a list of whole numbers, such as [500, 3000]",
    InputType.FLAG: "true or false, or a blind of type bool",
    InputType.ACCOUNT: "executor, an address, or a blind of type address",
    InputType.CONTRACT: "the name of a contract in the address book",
    InputType.RECIPIENT: "executor or treasury",
}
_AMOUNT_BLINDS = {BlindType.AMOUNT, BlindType.UINT256}
_PARAMETER_BLINDS = {
    ParameterKind.BPS: (BlindType.BPS,),
    ParameterKind.SECONDS: (BlindType.DURATION,),
    ParameterKind.RATIO_E18: (BlindType.UINT256,),
    ParameterKind.GAS: (BlindType.UINT256,),
    ParameterKind.WEI: (BlindType.UINT256,),
    ParameterKind.TICKS: (BlindType.UINT256,),
    ParameterKind.AMOUNT: (BlindType.AMOUNT, BlindType.UINT256),
    ParameterKind.PRICE: (BlindType.AMOUNT, BlindType.UINT256),
}
_UINT_BLINDS = {BlindType.UINT256, BlindType.BPS, BlindType.DURATION}


def inputs_fit(scene: Scene) -> Iterable[Finding]:
    """ATM112: the inputs of a step are those of its action, each of the right type."""
    for step, spec in scene.action_steps():
        yield from _names_fit(step, spec)
        for name, value in step.inputs.items():
            wanted = spec.inputs.get(name)
            if wanted is not None and not _fits(scene, wanted, value):
                allowed = _ALLOWED[wanted.type] + (f", like {wanted.like}" if wanted.like else "")
                yield _mismatch(value, f"{name} of {step.id} has the wrong type", allowed)


def _names_fit(step: ActionStep, spec: ActionSpec) -> Iterable[Finding]:
    for name in step.inputs:
        if name not in spec.inputs:
            yield Finding(
                "ATM112",
                step.input_positions.get(name, step.position),
                f"{spec.name} has no input {name}",
                name,
                ", ".join(spec.inputs) or "none",
                did_you_mean(name, spec.inputs, "remove it"),
            )
    for name, wanted in spec.inputs.items():
        if wanted.required and name not in step.inputs:
            yield Finding(
                "ATM112",
                step.at("in"),
                f"{spec.name} needs {name}",
                f"no {name}",
                _ALLOWED[wanted.type],
                f"add {name}",
            )
    if step.slippage_bps is not None and spec.limit is None:
        yield Finding(
            "ATM112",
            step.at("slippage"),
            f"{spec.name} has no price limit that slippage could set",
            f"{step.slippage_bps} bps",
            "no slippage",
            "remove it",
        )


def _fits(scene: Scene, wanted: Input, value: Value) -> bool:
    match wanted.type:
        case InputType.TOKEN:
            return isinstance(value, Word)
        case InputType.TOKENS:
            if not isinstance(value, Items) or not all(isinstance(item, Word) for item in value.items):
                return False
            return wanted.most is None or len(value.items) <= wanted.most
        case InputType.AMOUNT:
            return isinstance(value, Expression)
        case InputType.UINT:
            return _is_plain_number(scene, wanted, value)
        case InputType.UINTS:
            return all(_is_plain_number(scene, wanted, item) for item in list_items(value))
        case InputType.FLAG:
            return isinstance(value, Flag) or _is_blind(scene, value, BlindType.BOOL)
        case InputType.ACCOUNT:
            return isinstance(value, Word) or _is_blind(scene, value, BlindType.ADDRESS)
        case InputType.CONTRACT:
            return isinstance(value, Word) and (
                value.text in scene.strategy.addresses or wanted.admits(value.text)
            )
        case InputType.RECIPIENT:
            return not isinstance(value, Items)


def _is_blind(scene: Scene, value: Value, wanted: BlindType) -> bool:
    if not isinstance(value, BlindRef):
        return False
    blind = scene.strategy.blinds.get(value.name)
    return blind is None or blind.type is wanted


def _is_plain_number(scene: Scene, wanted: Input, value: Value) -> bool:
    if isinstance(value, BlindRef):
        blind = scene.strategy.blinds.get(value.name)
        return blind is None or blind.type in _UINT_BLINDS
    if not isinstance(value, Literal) or value.unit is not Unit.INTEGER:
        return False
    return value.base_units >= 0 and (wanted.most is None or value.base_units <= wanted.most)


def amounts_fit(scene: Scene) -> Iterable[Finding]:
    """ATM112, ATM113: amounts are whole base units of the token that is meant, never below zero."""
    for step, name, amount in scene.amounts():
        yield from _parts_fit(scene, step, name, amount)
        wanted, written = _token_wanted(scene, step, name), scene.token_of(amount)
        if wanted is not None and written is not None and wanted != written:
            yield Finding(
                "ATM112",
                amount.position,
                f"{name} of {step.id} is not an amount of {wanted}",
                f"an amount of {written}",
                f"an amount of {wanted}",
                f"write it in {wanted}",
            )


def _parts_fit(scene: Scene, step: StepNode, name: str, amount: Expression) -> Iterable[Finding]:
    for part in parts(amount):
        if isinstance(part, Literal):
            if part.unit not in (Unit.TOKEN, Unit.INTEGER):
                yield _mismatch(part, f"{name} of {step.id} is not an amount", _ALLOWED[InputType.AMOUNT])
            elif part.base_units < 0:
                yield Finding(
                    "ATM112",
                    part.position,
                    f"{name} of {step.id} is below zero",
                    f"{part.base_units} base units",
                    "at least 0",
                    "remove the minus",
                )
        elif isinstance(part, BlindRef):
            blind = scene.strategy.blinds[part.name]
            if blind.type not in _AMOUNT_BLINDS:
                message = f"the blind {part.name} is no amount"
                allowed = "a blind of type amount or uint256; a rate is written `$name of …`"
                yield Finding("ATM112", part.position, message, f"type {blind.type}", allowed, "retype it")
        elif isinstance(part, Percent) and isinstance(part.bps, BlindRef):
            yield from _rate_fits(scene.strategy.blinds[part.bps.name], part.bps)


def _rate_fits(blind: Blind, use: BlindRef) -> Iterable[Finding]:
    most = f"a blind of type bps, at most {MAXIMUM_PERCENT_BPS} bps"
    if blind.type is not BlindType.BPS:
        message = f"the blind {blind.name} is no rate"
        yield Finding("ATM112", use.position, message, f"type {blind.type}", most, "retype it")
    elif (blind.maximum or 0) > MAXIMUM_PERCENT_BPS:
        message = f"the rate {blind.name} may be larger than any that is meant"
        found = f"max {blind.maximum} bps"
        yield Finding("ATM112", blind.at("max"), message, found, most, "lower its max")


def _token_wanted(scene: Scene, step: StepNode, name: str) -> str | None:
    if isinstance(step, FlashStep):
        return step.asset
    assert isinstance(step, ActionStep)
    of = scene.actions[step.use].inputs[name].of
    return None if of is None else scene.input_token(step, of)


def guard_blinds_fit(scene: Scene) -> Iterable[Finding]:
    """ATM112: a blind that is a guard's parameter counts what the parameter counts."""
    for use, _ in scene.all_guards():
        guard = guards().get(use.name)
        for name, value in use.parameters.items():
            wanted = None if guard is None else guard.parameters.get(name)
            if wanted is None or not isinstance(value, BlindRef):
                continue
            blind, fitting = scene.strategy.blinds[value.name], _PARAMETER_BLINDS.get(wanted.kind, ())
            if blind.type not in fitting:
                yield Finding(
                    "ATM112",
                    value.position,
                    f"the blind {blind.name} is no {name} of {use.name}",
                    f"type {blind.type}",
                    " or ".join(f"a blind of type {kind}" for kind in fitting) or "no blind",
                    "retype it, or write the value",
                )


def sums_agree(scene: Scene) -> Iterable[Finding]:
    """ATM112: what is added, subtracted or compared is of one token."""
    for place in scene.places.values():
        for value in values_of(place.step):
            for part in parts(value):
                pair = _compared(part)
                if pair is None:
                    continue
                left, right = scene.token_of(pair[0]), scene.token_of(pair[1])
                if left is not None and right is not None and left != right:
                    yield Finding(
                        "ATM112",
                        part.position,
                        "two tokens are mixed in one expression",
                        f"{left} and {right}",
                        "amounts of one token",
                        "convert by a swap, not by arithmetic",
                    )


def _compared(value: Value) -> tuple[Expression, Expression] | None:
    match value:
        case Sum() | Difference() | Minimum() | Maximum():
            return value.left, value.right
        case Scale():
            return value.new, value.old
        case _:
            return None


def search_has_a_measure(scene: Scene) -> Iterable[Finding]:
    """ATM113: at most one blind is searched for, and a net bound says what is best."""
    searched = [blind for blind in scene.strategy.blinds.values() if blind.search]
    for blind in searched[1:]:
        yield Finding(
            "ATM113",
            blind.at("search"),
            "only one blind can be searched for",
            f"{searched[0].name} and {blind.name}",
            "one blind with search: true",
            "give the other a value",
        )
    if searched and not any(bound.net_of_gas for bound in scene.strategy.bounds):
        yield Finding(
            "ATM113",
            searched[0].at("search"),
            "the search has nothing to maximise",
            "no bound with net_of_gas: true",
            "a bound with net_of_gas: true",
            "add net_of_gas: true to the bound that measures the gain",
        )


def _mismatch(value: Value, message: str, allowed: str) -> Finding:
    return Finding("ATM112", value.position, message, describe_value(value), allowed, "write it so")
