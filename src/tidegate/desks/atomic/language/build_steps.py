"""Steps, scopes, guards and their values: the part of a strategy that becomes operations."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.desks.atomic.language.document import Content, Scalar, Sequence, Table
from tidegate.desks.atomic.language.reading import Keys, Reading
from tidegate.desks.atomic.language.syntax import (
    ActionStep,
    FlashStep,
    GroupStep,
    GuardUse,
    OnFailure,
    StepNode,
    Value,
)
from tidegate.model import BPS, Placement

_GUARD_KEYS = ("place", "on_failure")
_ANY_RATE = "0 to 100 %"


def build_steps(items: tuple[Content, ...], reading: Reading) -> tuple[StepNode, ...]:
    """Return the steps of a scope, in the order in which they are written."""
    return tuple(_step(item, reading) for item in items)


def build_guards(items: tuple[Content, ...], reading: Reading) -> tuple[GuardUse, ...]:
    """Return the guards of a strategy, group or step."""
    return tuple(_guard(item, reading) for item in items)


def _step(content: Content, reading: Reading) -> StepNode:
    assert isinstance(content, Table)
    keys = Keys(content, reading)
    if keys.has("flash"):
        return _flash(keys.keys("flash"), reading)
    if keys.has("group"):
        return _group(keys.keys("group"), reading)
    return _action(keys, reading)


def _action(keys: Keys, reading: Reading) -> ActionStep:
    inputs = keys.keys("in") if keys.has("in") else None
    return ActionStep(
        position=keys.table.position,
        value_positions=keys.places(),
        id=keys.text("id"),
        use=keys.text("use"),
        inputs=_values(inputs, reading),
        input_positions=inputs.table.key_positions if inputs is not None else {},
        slippage_bps=keys.measure("slippage", 0, 0, BPS, _ANY_RATE) if keys.has("slippage") else None,
        guards=build_guards(keys.items("guards"), reading),
        note=keys.text("note"),
        accept_slippage=keys.text("accept_slippage"),
        allow_opaque=keys.text("allow_opaque"),
        because=keys.text("because"),
        policy=keys.texts("policy"),
    )


def _flash(keys: Keys, reading: Reading) -> FlashStep:
    return FlashStep(
        position=keys.table.position,
        value_positions=keys.places(),
        id=keys.text("id"),
        asset=reading.token(keys.scalar("asset")),
        amount=reading.expression(keys.scalar("amount")),
        providers=_providers(keys),
        max_fee_bps=keys.measure("max_fee", 0, 0, BPS, _ANY_RATE) if keys.has("max_fee") else None,
        steps=build_steps(keys.items("steps"), reading),
        note=keys.text("note"),
    )


def _providers(keys: Keys) -> tuple[str, ...]:
    if not keys.has("provider"):
        return ()
    content = keys.table.entries["provider"]
    if isinstance(content, Sequence):
        return keys.texts("provider")
    assert isinstance(content, Scalar)
    return () if content.text == "auto" else (content.text,)


def _group(keys: Keys, reading: Reading) -> GroupStep:
    return GroupStep(
        position=keys.table.position,
        value_positions=keys.places(),
        id=keys.text("id"),
        optional=keys.flag("optional", otherwise=False),
        steps=build_steps(keys.items("steps"), reading),
        guards=build_guards(keys.items("guards"), reading),
        note=keys.text("note"),
    )


def _guard(content: Content, reading: Reading) -> GuardUse:
    assert isinstance(content, Table)
    keys = Keys(content, reading)
    name = next(key for key in content.entries if key not in _GUARD_KEYS)
    parameters = keys.keys(name)
    placements = tuple(Placement(text) for text in keys.texts("place"))
    return GuardUse(
        position=content.key_positions[name],
        value_positions={**keys.places(), **parameters.places()},
        name=name,
        parameters=_values(parameters, reading),
        placements=placements or (Placement.PRE,),
        on_failure=OnFailure(keys.text("on_failure", OnFailure.REVERT)),
    )


def _values(keys: Keys | None, reading: Reading) -> Mapping[str, Value]:
    if keys is None:
        return {}
    return {name: reading.value(content) for name, content in keys.table.entries.items()}
