"""Optional groups at plan time: one whose guard says ``skip`` and does not pass is left out of the plan."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.closing import limits_of, step_facts
from tidegate.desks.atomic.machine.prospect import quote
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.safeguards import Judgement, safeguards_of
from tidegate.model import Placement
from tidegate.venues import StateView


def drop_failing_groups(job: Assignment, view: StateView) -> tuple[Assignment, tuple[str, ...]]:
    """Return the strategy without the optional groups whose own guards skip them now, and their ids.

    Groups are judged one after the other, each time by a quote of what is left: without one group the
    others may look better or worse.

    Raises
    ------
    Denied
        As ``quote`` does.
    """
    dropped: list[str] = []
    while (group := _first_failing(job, view)) is not None:
        dropped.append(group)
        job = without_groups(job, (group,))
    return job, tuple(dropped)


def without_groups(job: Assignment, groups: Collection[str]) -> Assignment:
    """Return the assignment with these groups, and what stands in them, left out."""
    if not groups:
        return job
    return replace(job, strategy=replace(job.strategy, steps=_kept(job.strategy.steps, groups)))


def _kept(steps: tuple[syntax.StepNode, ...], groups: Collection[str]) -> tuple[syntax.StepNode, ...]:
    return tuple(
        step if isinstance(step, syntax.ActionStep) else replace(step, steps=_kept(step.steps, groups))
        for step in steps
        if step.id not in groups
    )


def _first_failing(job: Assignment, view: StateView) -> str | None:
    skipping = [
        item
        for item in safeguards_of(job.strategy, job.blinds)
        if item.on_failure == syntax.OnFailure.SKIP and Placement.PRE in item.placements
    ]
    if not skipping:
        return None
    prospect = quote(job, view)
    facts = step_facts(job, prospect.quoted, limits_of(job.strategy, prospect.quoted))
    judgement = Judgement(tuple(skipping), replace(prospect.base, steps=facts), prospect.quoted.measured)
    for item, result in zip(skipping, judgement.before(view), strict=True):
        if not result.passed:
            return _optional_groups(job.strategy.steps)[item.key[0]]
    return None


def _optional_groups(steps: tuple[syntax.StepNode, ...], around: str = "") -> dict[str, str]:
    """Return, by id of a step or group, the innermost optional group that it is or stands in."""
    found: dict[str, str] = {}
    for step in steps:
        is_optional = isinstance(step, syntax.GroupStep) and step.optional
        found[step.id] = step.id if is_optional else around
        if not isinstance(step, syntax.ActionStep):
            found |= _optional_groups(step.steps, found[step.id])
    return found
