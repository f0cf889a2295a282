"""Names: every adapter, guard, lender, token and recipient of a file must be one that exists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tidegate.desks.atomic.language.findings import Finding, did_you_mean
from tidegate.desks.atomic.language.scene import Scene, list_items
from tidegate.desks.atomic.language.syntax import ActionStep, GuardUse, Word
from tidegate.desks.atomic.language.wording import describe_value
from tidegate.desks.atomic.machine.parameters import guard_parameters
from tidegate.desks.atomic.machine.raw_calls import RAW_CALL
from tidegate.desks.atomic.review.trial import trial_blinds
from tidegate.model import ConfigError
from tidegate.risk.guards import find_guard
from tidegate.venues import InputType
from tidegate.venues.executor import FlashKind

DOLLAR = "USD"
RECIPIENTS = ("executor", "treasury")
_LENDERS = tuple(kind.name.lower() for kind in FlashKind)
_PAIRED = ("pair",)


def actions_exist(scene: Scene) -> Iterable[Finding]:
    """ATM111: ``use`` names an action of the catalogue."""
    for place in scene.places.values():
        step = place.step
        if isinstance(step, ActionStep) and step.use not in scene.actions and step.use != RAW_CALL:
            yield Finding(
                "ATM111",
                step.at("use"),
                f"there is no action {step.use}",
                step.use,
                ", ".join(scene.actions),
                did_you_mean(step.use, scene.actions, "take one of these"),
            )


def guards_are_sound(scene: Scene) -> Iterable[Finding]:
    """ATM111, ATM112: guards exist and take the parameters that are written."""
    blinds = trial_blinds(scene.strategy)
    for use, _ in scene.all_guards():
        try:
            guard = find_guard(use.name)
            guard_parameters(use, guard, blinds)
        except ConfigError as error:
            yield _at_its_parameter(use, Finding.of(error, use.position))
            continue
        for placement in use.placements:
            if placement not in guard.placements:
                yield Finding(
                    "ATM112",
                    use.at("place"),
                    f"{use.name} can not stand {placement}",
                    placement,
                    ", ".join(sorted(guard.placements)),
                    f"remove {placement}",
                )
        yield from _pair_is_declared(scene, use)


def _at_its_parameter(use: GuardUse, finding: Finding) -> Finding:
    # The guards' registry knows no files: it names the parameter, the file knows where that stands.
    named = next((name for name in use.parameters if f" {name} " in f"{finding.message} "), None)
    if named is None or finding.position != use.position:
        return finding
    return replace(finding, position=use.at(named))


def _pair_is_declared(scene: Scene, guard: GuardUse) -> Iterable[Finding]:
    declared = scene.strategy.tokens
    for name in _PAIRED:
        pair = guard.parameters.get(name)
        if isinstance(pair, Word):
            for token in pair.text.split("/"):
                if token not in (*declared, DOLLAR):
                    yield _unknown_token(token, pair, declared)


def lenders_exist(scene: Scene) -> Iterable[Finding]:
    """ATM111: ``provider`` is auto, or begins with a protocol that lends."""
    for flash in scene.flash_steps():
        for provider in flash.providers:
            if provider.split(".")[0] not in _LENDERS:
                yield Finding(
                    "ATM111",
                    flash.at("provider"),
                    f"there is no lender {provider}",
                    provider,
                    ", ".join(("auto", *_LENDERS)),
                    did_you_mean(provider, ("auto", *_LENDERS), "take one of these"),
                )


def tokens_are_declared(scene: Scene) -> Iterable[Finding]:
    """ATM111: inputs that are tokens name a token of the file."""
    declared = scene.strategy.tokens
    for step, spec in scene.action_steps():
        for name, value in step.inputs.items():
            wanted = spec.inputs.get(name)
            if wanted is None or wanted.type not in (InputType.TOKEN, InputType.TOKENS):
                continue
            for item in list_items(value):
                if isinstance(item, Word) and item.text not in declared:
                    yield _unknown_token(item.text, item, declared)


def recipients_are_ours(scene: Scene) -> Iterable[Finding]:
    """ATM119: value may go to the executor or the treasury, to nobody else."""
    for step, spec in scene.action_steps():
        for name, value in step.inputs.items():
            wanted = spec.inputs.get(name)
            if wanted is None or wanted.type is not InputType.RECIPIENT:
                continue
            if not (isinstance(value, Word) and value.text in RECIPIENTS):
                yield Finding(
                    "ATM119",
                    value.position,
                    f"{name} of {step.id} is neither executor nor treasury",
                    describe_value(value),
                    ", ".join(RECIPIENTS),
                    "name one of them; the executor's policy denies all others",
                )


def _unknown_token(token: str, value: Word, declared: tuple[str, ...]) -> Finding:
    return Finding(
        "ATM111",
        value.position,
        f"{token} is not among the file's tokens",
        token,
        ", ".join(declared),
        did_you_mean(token, declared, f"add {token} to tokens"),
    )
