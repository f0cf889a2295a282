"""Names: every adapter, guard, lender, token and recipient of a file must be one that exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tidegate.desks.atomic.language.findings import Finding, did_you_mean
from tidegate.desks.atomic.language.scene import Scene, list_items
from tidegate.desks.atomic.language.syntax import ActionStep, GuardUse, Word
from tidegate.desks.atomic.language.wording import describe_value
from tidegate.desks.atomic.machine.parameters import guard_parameters
from tidegate.desks.atomic.machine.raw_calls import RAW_CALL
from tidegate.desks.atomic.review.trial import trial_blinds
from tidegate.model import ZERO_ADDRESS, Block, ConfigError, Placement
from tidegate.risk.guards import Guard, GuardContext, OnChainLine, ParameterKind, RunFacts, find_guard
from tidegate.venues import AddressBook, InputType
from tidegate.venues.executor import FlashKind

DOLLAR = "USD"
RECIPIENTS = ("executor", "treasury")
_LENDERS = tuple(kind.name.lower() for kind in FlashKind)
_NAMES_TOKENS = frozenset({ParameterKind.PAIR, ParameterKind.TOKEN})


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
    """ATM111, ATM112: guards exist, take the parameters that are written, and stand where they can."""
    blinds = trial_blinds(scene.strategy)
    for use, owner in scene.all_guards():
        try:
            guard = find_guard(use.name)
            parameters = guard_parameters(use, guard, blinds)
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
        yield from _guarded_tokens_are_declared(scene, use, guard)
        if owner is not None and Placement.IN in use.placements and _asks_for_a_line(guard, parameters):
            yield Finding(
                "ATM112",
                use.at("place"),
                f"{use.name} asks for a balance line, which spans the whole run",
                f"place: in at {owner.id}",
                "in on the strategy; pre and post anywhere",
                "move the guard to the strategy's guards",
            )


def _at_its_parameter(use: GuardUse, finding: Finding) -> Finding:
    # The guards' registry knows no files: it names the parameter, the file knows where that stands.
    named = next((name for name in use.parameters if f" {name} " in f"{finding.message} "), None)
    if named is None or finding.position != use.position:
        return finding
    return replace(finding, position=use.at(named))


def _guarded_tokens_are_declared(scene: Scene, use: GuardUse, guard: Guard) -> Iterable[Finding]:
    declared = scene.strategy.tokens
    for name, parameter in guard.parameters.items():
        written = use.parameters.get(name)
        if parameter.kind in _NAMES_TOKENS and isinstance(written, Word):
            for token in written.text.split("/"):
                if token not in (*declared, DOLLAR):
                    yield _unknown_token(token, written, declared)


def _asks_for_a_line(guard: Guard, parameters: Mapping[str, int | str]) -> bool:
    """Say whether a guard bounds a balance by a line: that depends on no state, so an empty book will do."""
    nothing = GuardContext(
        parameters=parameters,
        book=AddressBook("", 0, {}, {}),
        executor=ZERO_ADDRESS,
        block=Block(number=0, timestamp=0, base_fee_wei=0, gas_limit=0),
        run=RunFacts(gas_limit=0, max_gas=0, max_base_fee_wei=0, deadline_s=0, quoted_at_block=0),
    )
    try:
        return any(isinstance(part, OnChainLine) for part in guard.ops(nothing))
    except Exception:  # noqa: BLE001 - what needs the chain is a check, and no line
        return False


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
