"""References: a step may name only what is there when it runs."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language.findings import Finding, did_you_mean, nearest
from tidegate.desks.atomic.language.scene import Scene, list_items, references, values_of
from tidegate.desks.atomic.language.syntax import ActionStep, OutputRef, StepNode
from tidegate.model import ConfigError
from tidegate.venues import WordSource


def outputs_exist(scene: Scene) -> Iterable[Finding]:
    """ATM113, ATM120: ``$name`` is a blind or an earlier step, ``$step.output`` one of its outputs."""
    known: list[str] = []
    for place in scene.places.values():
        for value in values_of(place.step):
            for reference in references(value):
                finding = _judge(scene, place.step, reference, known)
                if finding is not None:
                    yield finding
        known.append(place.step.id)


def _judge(scene: Scene, step: StepNode, reference: OutputRef, known: list[str]) -> Finding | None:
    written = f"${reference.step}" + (f".{reference.output}" if reference.output else "")
    target = scene.places.get(reference.step)
    if target is None:
        return _unknown(scene, reference, written, known)
    if reference.step not in known:
        which = "itself" if reference.step == step.id else "a later step"
        return Finding(
            "ATM120",
            reference.position,
            f"{step.id} reads an output of {which}",
            f"{written}, at line {target.step.position.line}",
            _outputs_of(scene, known) or "nothing: no step has run before",
            f"move {step.id} behind {reference.step}"
            if reference.step != step.id
            else "name an earlier step",
        )
    outputs = scene.outputs_of(target.step)
    if isinstance(target.step, ActionStep) and target.step.use not in scene.actions:
        return None
    if not outputs or (reference.output is not None and reference.output not in outputs):
        return Finding(
            "ATM120",
            reference.position,
            f"{reference.step} has no output {reference.output or ''}".rstrip(),
            written,
            ", ".join(f"${reference.step}.{name}" for name in outputs) or "none: it gives nothing",
            did_you_mean(reference.output or "", outputs, "name one of its outputs"),
        )
    return _beyond_what_is_kept(scene, target.step, reference)


def _unknown(scene: Scene, reference: OutputRef, written: str, known: list[str]) -> Finding:
    if reference.output is None:
        names = [*scene.strategy.blinds, *known]
        return Finding(
            "ATM113",
            reference.position,
            f"{written} is neither a blind nor a step",
            written,
            ", ".join(f"${name}" for name in names) or "no name is known here",
            did_you_mean(reference.step, names, f"declare {reference.step} under blinds"),
        )
    near = nearest(reference.step, known)
    return Finding(
        "ATM120",
        reference.position,
        f"there is no step {reference.step}",
        written,
        _outputs_of(scene, known) or "nothing: no step has run before",
        f"did you mean ${near}.{reference.output}?" if near else "name an earlier step",
    )


def _outputs_of(scene: Scene, known: list[str]) -> str:
    return ", ".join(
        f"${name}.{output}" for name in known for output in scene.outputs_of(scene.places[name].step)
    )


def _beyond_what_is_kept(scene: Scene, step: StepNode, reference: OutputRef) -> Finding | None:
    # The catalogue itself knows which return words are kept, and how a path shifts them.
    output = scene.output(step, reference.output)
    if output is None or not isinstance(step, ActionStep):
        return None
    spec = scene.actions[step.use]
    paths = (word for word in spec.words if word.source is WordSource.PATH)
    length = sum(
        len(list_items(step.inputs[name])) for word in paths for name in word.inputs if name in step.inputs
    )
    try:
        spec.output_word(output.name, length)
    except ConfigError as error:
        return Finding.of(error, reference.position)
    return None
