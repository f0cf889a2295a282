"""What the guards of a strategy ask of the chain: checks where they stand, floors of balance lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tidegate.desks.atomic.machine.answering import answers_of
from tidegate.desks.atomic.machine.safeguards import Safeguard
from tidegate.desks.atomic.machine.terms import GuardKey
from tidegate.model import ConfigError, Denied, Placement, Reason
from tidegate.risk.guards import GuardContext, OnChainCheck, OnChainLine
from tidegate.venues import StateView


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What the guards inside ask of the chain: checks where they stand, floors of balance lines."""

    checks: Mapping[GuardKey, tuple[OnChainCheck, ...]]
    floors: Mapping[str, int]


def enforcement_of(safeguards: Iterable[Safeguard], base: GuardContext, view: StateView) -> Enforcement:
    """Return what every guard that stands inside asks of the chain, around the state of ``view``.

    Raises
    ------
    Denied
        ``guard_failed`` if a guard can not say what to check: then nothing may run.
    ConfigError
        ATM112 if a balance line is asked for by a guard of a group or a step: a line spans the run.
    """
    checks: dict[GuardKey, tuple[OnChainCheck, ...]] = {}
    floors: dict[str, int] = {}
    for item in safeguards:
        if Placement.IN not in item.placements:
            continue
        context = replace(base, parameters=item.parameters)
        context = replace(context, answers=answers_of(item.guard, context, view))
        try:
            asked = item.guard.ops(context)
        except Exception as error:
            raise Denied(
                Reason.GUARD_FAILED,
                f"{item.guard.name} can not be placed",
                found=f"{type(error).__name__}: {error}",
                fix="see that what the guard reads answers",
            ) from error
        checks[item.key] = tuple(part for part in asked if isinstance(part, OnChainCheck))
        for line in (part for part in asked if isinstance(part, OnChainLine)):
            if item.key[0]:
                raise ConfigError(
                    f"{item.guard.name} at {item.key[0]} asks for a balance line, which spans the whole run",
                    code="ATM112",
                    found=f"place: in at {item.key[0]}",
                    allowed="in on the strategy; pre and post anywhere",
                    fix="move the guard to the strategy's guards",
                )
            floors[line.symbol] = max(line.floor, floors.get(line.symbol, line.floor))
    return Enforcement(checks, floors)
