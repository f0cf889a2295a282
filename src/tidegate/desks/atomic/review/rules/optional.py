"""Optional groups: what may be skipped, and what must not depend on it."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.scene import Scene, references, values_of
from tidegate.desks.atomic.language.syntax import GroupStep, OnFailure, StepNode
from tidegate.model import Placement


def skips_stand_in_optional_groups(scene: Scene) -> Iterable[Finding]:
    """ATM108: only what stands in an optional group may be skipped."""
    for guard, owner in scene.all_guards():
        if guard.on_failure is OnFailure.SKIP and not _is_optional(scene, owner):
            yield Finding(
                "ATM108",
                guard.at("on_failure"),
                f"{guard.name} skips outside an optional group",
                "on_failure: skip",
                "revert or warn, or a group with optional: true",
                "write on_failure: revert, or put the steps into an optional group",
            )


def _is_optional(scene: Scene, owner: StepNode | None) -> bool:
    if owner is None:
        return False
    if isinstance(owner, GroupStep) and owner.optional:
        return True
    return scene.places[owner.id].optional_group is not None


def optional_outputs_stay_inside(scene: Scene) -> Iterable[Finding]:
    """ATM109: nothing outside an optional group may read what it gives: it may not have run."""
    for place in scene.places.values():
        for value in values_of(place.step):
            for reference in references(value):
                target = scene.places.get(reference.step)
                group = target.optional_group if target is not None else None
                if group is not None and group not in place.around:
                    yield Finding(
                        "ATM109",
                        reference.position,
                        f"{place.step.id} reads an output of the optional group {group.id}",
                        f"${reference.step}.{reference.output or ''}".rstrip("."),
                        f"outputs of steps outside {group.id}",
                        f"move {place.step.id} into {group.id}, or make the group required",
                    )


def placements_fit(scene: Scene) -> Iterable[Finding]:
    """ATM110: the chain can not warn, and what was included can not be skipped."""
    for guard, _ in scene.all_guards():
        wrong = (
            Placement.IN
            if guard.on_failure is OnFailure.WARN
            else Placement.POST
            if guard.on_failure is OnFailure.SKIP
            else None
        )
        if wrong is not None and wrong in guard.placements:
            allowed = "pre, post" if guard.on_failure is OnFailure.WARN else "pre, in"
            yield Finding(
                "ATM110",
                guard.at("place"),
                f"{guard.name} can not {guard.on_failure} where it stands",
                f"place: {wrong} with on_failure: {guard.on_failure}",
                allowed,
                f"remove {wrong}, or write on_failure: revert",
            )
