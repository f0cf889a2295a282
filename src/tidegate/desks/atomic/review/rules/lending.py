"""Lending: whoever touches a collateral or a debt must say how close to liquidation it may come."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.scene import Scene
from tidegate.venues import ActionKind

HEALTH_GUARD = "min_health_factor"
GUARDED = frozenset({ActionKind.SUPPLY, ActionKind.WITHDRAW, ActionKind.BORROW})


def lending_is_guarded(scene: Scene) -> Iterable[Finding]:
    """ATM102: a supply, withdraw or borrow is covered by a health-factor guard."""
    for step, spec in scene.action_steps():
        covered = any(guard.name == HEALTH_GUARD for guard in scene.guards_of(step))
        if spec.kind in GUARDED and not covered:
            yield Finding(
                "ATM102",
                step.position,
                f"the {spec.kind} {step.id} has no health-factor rule",
                "no guard",
                f"a guard {HEALTH_GUARD} on the strategy, its group or the step",
                f"add {{{HEALTH_GUARD}: {{min: 1.2}}, place: [pre, in]}}",
            )
