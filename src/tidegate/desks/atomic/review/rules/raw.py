"""Raw calls: no adapter knows them, so the file itself must say all that a reviewer needs."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language.findings import Finding, did_you_mean
from tidegate.desks.atomic.language.scene import Scene, list_items
from tidegate.desks.atomic.language.syntax import ActionStep, Word
from tidegate.desks.atomic.machine.raw_calls import INPUTS, RAW_CALL, permission_of
from tidegate.model import ConfigError
from tidegate.venues import NATIVE

_WRAPPERS = frozenset({"multicall", "execute", "exec", "aggregate", "batch", "call", "delegate"})


def raw_calls_are_whole(scene: Scene) -> Iterable[Finding]:
    """ATM112, ATM111: a raw call says why, and what must be what; its tokens are the file's."""
    for step in _raw_calls(scene):
        for name in step.inputs:
            if name not in INPUTS:
                yield Finding(
                    "ATM112",
                    step.input_positions.get(name, step.position),
                    f"{RAW_CALL} has no input {name}",
                    name,
                    ", ".join(INPUTS),
                    did_you_mean(name, INPUTS, "remove it"),
                )
        try:
            permission_of(step)
        except ConfigError as error:
            yield Finding.of(error, step.position)
        yield from _tokens_are_declared(scene, step)


def _tokens_are_declared(scene: Scene, step: ActionStep) -> Iterable[Finding]:
    declared = scene.strategy.tokens
    values = [step.inputs[key] for key in ("token", "moves") if key in step.inputs]
    for item in (item for value in values for item in list_items(value)):
        if isinstance(item, Word) and item.text not in (*declared, NATIVE):
            yield Finding(
                "ATM111",
                item.position,
                f"{item.text} is not among the file's tokens",
                item.text,
                ", ".join(declared),
                did_you_mean(item.text, declared, f"add {item.text} to tokens"),
            )


def nothing_is_opaque(scene: Scene) -> Iterable[Finding]:
    """ATM118, W203: a raw call is worth a second look, a wrapper in it hides what is called."""
    for step in _raw_calls(scene):
        yield Finding(
            "W203",
            step.at("use"),
            f"{step.id} is a raw call: no adapter checks it",
            RAW_CALL,
            "an action of the catalogue where there is one",
            "use an adapter, or have the call reviewed",
        )
        function = step.inputs.get("function")
        name = function.text.split("(")[0] if isinstance(function, Word) else ""
        if name.lower() in _WRAPPERS and not step.allow_opaque:
            yield Finding(
                "ATM118",
                step.at("use"),
                f"{step.id} calls {name}, which hides what is called inside",
                name,
                "the inner calls as steps, or allow_opaque: with the reason",
                "write the inner calls as steps of their own",
            )


def _raw_calls(scene: Scene) -> Iterable[ActionStep]:
    for place in scene.places.values():
        if isinstance(place.step, ActionStep) and place.step.use == RAW_CALL:
            yield place.step
