"""The guards of a strategy, those that it names and those that its other keys imply, made ready to judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.names import located
from tidegate.desks.atomic.machine.terms import GuardKey
from tidegate.model import (
    ConfigError,
    Denied,
    GuardResult,
    Placement,
    Reason,
    Receipt,
    TidegateError,
    Unavailable,
)
from tidegate.risk.guards import (
    Guard,
    GuardContext,
    OnChainCheck,
    ParameterKind,
    Read,
    fill_parameters,
    find_guard,
    judge,
)
from tidegate.venues import StateView

_UNITS = {
    ParameterKind.BPS: syntax.Unit.BPS,
    ParameterKind.SECONDS: syntax.Unit.SECONDS,
    ParameterKind.RATIO_E18: syntax.Unit.RATIO_E18,
    ParameterKind.GAS: syntax.Unit.INTEGER,
    ParameterKind.WEI: syntax.Unit.WEI,
}
_IMPLIED = ("deadline", "max_base_fee", "max_gas")


@dataclass(frozen=True, slots=True)
class Safeguard:
    """One guard where it stands. ``protects`` are the ids of the steps within its scope."""

    key: GuardKey
    guard: Guard
    parameters: Mapping[str, int | str]
    placements: frozenset[Placement]
    on_failure: str
    protects: frozenset[str]


def safeguards_of(strategy: syntax.Strategy, blinds: Mapping[str, int | bool | str]) -> tuple[Safeguard, ...]:
    """Return every guard of a strategy: the strategy's own, then its groups' and steps' as they run.

    The gas block and the deadline imply their guards, and a step's ``slippage`` implies a guard on it.

    Raises
    ------
    ConfigError
        At its place in the file, if a guard, a parameter or a placement is unknown or out of range.
    """
    everything = frozenset(step.id for step in syntax.walk(strategy.steps))
    found = list(_written("", strategy.guards, everything, blinds))
    named = {item.guard.name for item in found}
    for name in _IMPLIED:
        if name not in named:
            found.append(_implied(("", len(found)), name, {}, everything))
    for step in syntax.walk(strategy.steps):
        inside = frozenset(inner.id for inner in syntax.walk((step,)))
        if isinstance(step, syntax.GroupStep | syntax.ActionStep):
            found += _written(step.id, step.guards, inside, blinds)
        if isinstance(step, syntax.ActionStep) and step.slippage_bps is not None:
            key = (step.id, len(step.guards))
            found.append(_implied(key, "slippage", {"max": step.slippage_bps}, inside))
    return tuple(found)


def guard_parameters(
    use: syntax.GuardUse, guard: Guard, blinds: Mapping[str, int | bool | str]
) -> dict[str, int | str]:
    """Return a guard's parameters as integers in their units and words, defaults filled in.

    Raises
    ------
    ConfigError
        ATM112 or ATM113, at its place in the file.
    """
    given: dict[str, int | str] = {}
    for name, value in use.parameters.items():
        with located(value.position):
            wanted = guard.parameters.get(name)
            given[name] = _plain(name, value, None if wanted is None else wanted.kind, blinds)
    with located(use.position):
        return fill_parameters(guard, given)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that the guards of one plan look at, but the block and its answers."""

    safeguards: tuple[Safeguard, ...]
    base: GuardContext
    measured: Mapping[GuardKey, Mapping[str, int]]

    def before(self, view: StateView) -> tuple[GuardResult, ...]:
        """Judge the plan at ``view``'s block."""
        return tuple(
            _placed(
                item, judge(item.guard, Placement.PRE, self._context(item, view), on_failure=item.on_failure)
            )
            for item in self.safeguards
            if Placement.PRE in item.placements
        )

    def after(
        self, view: StateView, receipt: Receipt, realised: Mapping[str, int]
    ) -> tuple[GuardResult, ...]:
        """Judge what was included. ``view`` is the block of inclusion, ``realised`` amounts by step id."""
        return tuple(
            _placed(
                item,
                judge(
                    item.guard,
                    Placement.POST,
                    replace(self._context(item, view), receipt=receipt, realised=realised),
                    on_failure=item.on_failure,
                ),
            )
            for item in self.safeguards
            if Placement.POST in item.placements
        )

    def _context(self, item: Safeguard, view: StateView) -> GuardContext:
        context = replace(
            self.base,
            parameters=item.parameters,
            block=view.block(),
            steps=tuple(step for step in self.base.steps if step.step_id in item.protects),
            loans=tuple(loan for loan in self.base.loans if loan.step_id in item.protects),
            measured=self.measured.get(item.key, {}),
        )
        return replace(context, answers=answers_of(item.guard, context, view))


def _placed(item: Safeguard, result: GuardResult) -> GuardResult:
    """Return a result whose note names the step or group of the guard; the strategy's own have none."""
    owner = item.key[0]
    if not owner:
        return result
    said = result.note or ("" if result.passed else result.code)
    return msgspec.structs.replace(result, note=f"{said} at {owner}".lstrip())


def checks_of(
    safeguards: Iterable[Safeguard], base: GuardContext, view: StateView
) -> dict[GuardKey, tuple[OnChainCheck, ...]]:
    """Return the on-chain checks of every guard that stands inside, around the state of ``view``.

    Raises
    ------
    Denied
        ``guard_failed`` if a guard can not say what to check: then nothing may run.
    """
    checks = {}
    for item in safeguards:
        if Placement.IN not in item.placements:
            continue
        context = replace(base, parameters=item.parameters)
        context = replace(context, answers=answers_of(item.guard, context, view))
        try:
            checks[item.key] = item.guard.ops(context)
        except Exception as error:
            raise Denied(
                Reason.GUARD_FAILED,
                f"{item.guard.name} can not be placed",
                found=f"{type(error).__name__}: {error}",
                fix="see that what the guard reads answers",
            ) from error
    return checks


def answers_of(guard: Guard, context: GuardContext, view: StateView) -> dict[Read, bytes]:
    """Return the answers to a guard's reads; one that reverts, or that can not be asked, is left out."""
    answers: dict[Read, bytes] = {}
    try:
        reads = guard.reads(context)
    except Exception:  # noqa: BLE001 - the guard fails when it is judged, with the same error
        return answers
    for read in reads:
        try:
            answers[read] = view.call(read.target, read.data)
        except Unavailable:
            raise  # a node that is gone is no verdict of a guard
        except TidegateError:
            continue
    return answers


def _written(
    owner: str,
    uses: tuple[syntax.GuardUse, ...],
    protects: frozenset[str],
    blinds: Mapping[str, int | bool | str],
) -> Iterator[Safeguard]:
    for index, use in enumerate(uses):
        with located(use.position):
            guard = find_guard(use.name)
        for placement in use.placements:
            if placement not in guard.placements:
                raise ConfigError(
                    f"{use.name} can not stand {placement.value}",
                    code="ATM112",
                    found=placement.value,
                    allowed=", ".join(sorted(item.value for item in guard.placements)),
                    position=use.at("place"),
                )
        yield Safeguard(
            key=(owner, index),
            guard=guard,
            parameters=guard_parameters(use, guard, blinds),
            placements=frozenset(use.placements),
            on_failure=use.on_failure.value,
            protects=protects,
        )


def _implied(key: GuardKey, name: str, given: Mapping[str, int | str], protects: frozenset[str]) -> Safeguard:
    """Return a guard that another key implies. Its range is that key's own, which the author may widen."""
    return Safeguard(
        key=key,
        guard=find_guard(name),
        parameters=given,
        placements=frozenset({Placement.PRE, Placement.POST}),
        on_failure=syntax.OnFailure.REVERT.value,
        protects=protects,
    )


def _plain(
    name: str, value: syntax.Value, kind: ParameterKind | None, blinds: Mapping[str, int | bool | str]
) -> int | str:
    """Return a parameter's value; whole numbers are also ratios, so that ``min: 2`` reads as 2.0."""
    match value:
        case syntax.Word():
            return value.text
        case syntax.BlindRef():
            given = blinds.get(value.name)
            if isinstance(given, int | str) and not isinstance(given, bool):
                return given
        case syntax.Literal():
            if kind is ParameterKind.RATIO_E18 and value.unit is syntax.Unit.INTEGER:
                return value.base_units * 10**18
            if kind is None or _UNITS.get(kind) is value.unit:
                return value.base_units
        case _:
            pass
    raise ConfigError(
        f"{name} has the wrong unit or type",
        code="ATM112",
        found=value.unit.value if isinstance(value, syntax.Literal) else type(value).__name__.lower(),
        allowed="its own unit" if kind is None else kind.value,
    )
