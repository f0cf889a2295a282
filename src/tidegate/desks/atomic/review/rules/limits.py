"""Limits: zero amounts, too many steps."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.schema import MAXIMUM_GAS, MAXIMUM_STEPS
from tidegate.desks.atomic.language.syntax import ActionStep, FlashStep, Literal

MAXIMUM_NESTING = 4
MANY_CALLS = 10
GAS_CEILING = MAXIMUM_GAS * 4 // 5
"""Above four fifths of the largest transaction an alert fires: 13,421,772 gas."""


def amounts_are_not_zero(scene: Scene) -> Iterable[Finding]:
    """ATM121: a step that moves nothing is a mistake."""
    for step, name, amount in scene.amounts():
        if isinstance(amount, Literal) and amount.base_units == 0:
            yield Finding(
                "ATM121",
                amount.position,
                f"{name} of {step.id} is zero",
                "0",
                "above 0",
                "write the amount, or remove the step",
            )
    for blind in scene.strategy.blinds.values():
        for key, value in (("max", blind.maximum), ("default", blind.default)):
            if value == 0 and not isinstance(value, bool) and blind.type == "amount":
                message = f"the {key} of {blind.name} is zero"
                yield Finding("ATM121", blind.at(key), message, "0", "above 0", "write the amount")


def steps_are_few(scene: Scene) -> Iterable[Finding]:
    """ATM116, W204: steps in all scopes, nesting of loans, calls and gas."""
    strategy = scene.strategy
    if len(scene.places) > MAXIMUM_STEPS:
        yield Finding(
            "ATM116",
            strategy.at("steps"),
            "the strategy has too many steps",
            f"{len(scene.places)} steps in all scopes",
            f"at most {MAXIMUM_STEPS}",
            "split the strategy",
        )
    for place in scene.places.values():
        depth = sum(isinstance(scope, FlashStep) for scope in place.around) + 1
        if isinstance(place.step, FlashStep) and depth > MAXIMUM_NESTING:
            yield Finding(
                "ATM116",
                place.step.position,
                "flash loans are nested too deeply",
                f"{depth} loans inside each other",
                f"at most {MAXIMUM_NESTING}",
                "borrow side by side instead",
            )
    calls = sum(isinstance(place.step, ActionStep) for place in scene.places.values())
    if calls > MANY_CALLS:
        allowed = f"at most {MANY_CALLS} in comfort"
        message = "the strategy makes many calls"
        yield Finding(
            "W204", strategy.at("steps"), message, f"{calls} calls", allowed, "consider splitting it"
        )
    if strategy.gas.max_gas > GAS_CEILING // 2:
        yield Finding(
            "W204",
            strategy.gas.at("max_gas"),
            "the strategy may burn more than half the gas ceiling",
            f"{strategy.gas.max_gas:,} gas",
            f"at most {GAS_CEILING // 2:,} in comfort",
            "consider splitting it",
        )
