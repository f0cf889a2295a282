"""Lending: whoever touches a collateral or a debt must say how close to liquidation it may come."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.syntax import ActionStep, Value, Word
from tidegate.venues import ActionKind, ActionSpec

HEALTH_GUARD = "min_health_factor"
GUARDED = frozenset({ActionKind.SUPPLY, ActionKind.WITHDRAW, ActionKind.BORROW, ActionKind.POSITION})
_POOL = ".pool"


def lending_is_guarded(scene: Scene) -> Iterable[Finding]:
    """ATM102: whoever changes a position is covered by a health-factor guard of the same market."""
    for step, spec in scene.action_steps():
        if spec.kind not in GUARDED:
            continue
        market, usual = _market(step, spec), step.use.split(".")[0]
        covered = {
            _word(guard.parameters.get("protocol"), usual)
            for guard in scene.guards_of(step)
            if guard.name == HEALTH_GUARD
        }
        if market not in covered:
            yield Finding(
                "ATM102",
                step.position,
                f"the {spec.kind} {step.id} has no health-factor rule",
                f"no guard of {market}",
                f"a guard {HEALTH_GUARD} on the strategy, its group or the step",
                f"add {{{HEALTH_GUARD}: {{min: 1.2, protocol: {market}}}, place: [pre, in]}}",
            )


def _market(step: ActionStep, spec: ActionSpec) -> str:
    """Return the market that a step acts on: ``aave_v3`` by default, ``aave_v3.prime`` of its pool."""
    called = spec.inputs.get(spec.target)
    usual = spec.target if called is None else str(called.default)
    return _word(step.inputs.get(spec.target), usual).removesuffix(_POOL)


def _word(value: Value | None, otherwise: str) -> str:
    return value.text if isinstance(value, Word) else otherwise
