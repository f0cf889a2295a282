"""When a strategy looks: at blocks, at times, when a price or a health factor says so, or when a person does.

Pure: what was read of the chain comes in as readings, and what a trigger remembers between two looks as
its memory; both are journaled with the decision, so that a replay fires where the desk did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.language.cron import newest_slot, parse_cron, time_zone
from tidegate.model import BPS

ABOVE, BELOW, CROSSES = "above", "below", "crosses"


class ByHand(msgspec.Struct, frozen=True, tag="manual"):
    """Only a person starts a run."""


class AtBlocks(msgspec.Struct, frozen=True, tag="every_block"):
    """Every block whose number ``interval`` divides."""

    interval: int


class AtTimes(msgspec.Struct, frozen=True, tag="schedule"):
    """Once for each minute that five cron fields mean in a time zone; several missed are one."""

    cron: str
    tz: str


class AtLevel(msgspec.Struct, frozen=True, tag="level"):
    """While what is read under ``reading`` is ``above`` or ``below`` a level, or once as it ``crosses``.

    It turns on beyond the level and off beyond ``hysteresis_bps`` of it on the other side. A crossing
    counts when the reading lies beyond the hysteresis on the side where it was not, and waits until the
    strategy is free to decide.
    """

    reading: str
    comparison: str
    level: int
    hysteresis_bps: int = 0


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    """When one of its parts fires."""

    parts: tuple[TriggerRule, ...]


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    """When all of its parts fire at one block; what crossed, or came due, earlier is still waiting."""

    parts: tuple[TriggerRule, ...]


TriggerRule: TypeAlias = ByHand | AtBlocks | AtTimes | AtLevel | AnyOf | AllOf


@dataclass(frozen=True, slots=True)
class Fired:
    """What a look makes of a trigger.

    ``blind`` names the readings that it needs and that nobody could give: they fire nothing. ``memory``
    is what it remembers; ``spent`` the same once the strategy has decided by it.
    """

    is_due: bool
    blind: tuple[str, ...]
    memory: Mapping[str, int]
    spent: Mapping[str, int] = field(default_factory=dict)


def rule_of(trigger: syntax.Trigger) -> TriggerRule:
    """Return the rule that a trigger of a file is."""
    match trigger:
        case syntax.ManualTrigger():
            return ByHand()
        case syntax.EveryBlock():
            return AtBlocks(trigger.interval)
        case syntax.ScheduleTrigger():
            return AtTimes(trigger.cron, trigger.tz)
        case syntax.PriceTrigger():
            return AtLevel(
                price_reading(trigger.pair, trigger.source),
                trigger.comparison,
                trigger.level,
                trigger.hysteresis_bps,
            )
        case syntax.HealthFactorTrigger():
            reading = health_reading(trigger.protocol, trigger.user)
            return AtLevel(reading, trigger.comparison, trigger.level_e18)
        case syntax.CombinedTrigger():
            parts = tuple(rule_of(part) for part in trigger.triggers)
            return AllOf(parts) if trigger.every else AnyOf(parts)


def price_reading(pair: str, source: str) -> str:
    """Return the name under which a price is read."""
    return f"price {pair} {source}"


def health_reading(protocol: str, user: str) -> str:
    """Return the name under which a health factor is read."""
    return f"health_factor {protocol} {user}"


def readings_of(rule: TriggerRule) -> frozenset[str]:
    """Return the names of everything that a rule reads of the chain."""
    match rule:
        case AtLevel():
            return frozenset({rule.reading})
        case AnyOf() | AllOf():
            return frozenset().union(*(readings_of(part) for part in rule.parts))
        case _:
            return frozenset()


def fire(
    rule: TriggerRule, *, block: int, at_s: int, readings: Mapping[str, int], memory: Mapping[str, int]
) -> Fired:
    """Return whether a rule is due at a block, and what it remembers from now on.

    At its first look a rule only takes note: what lies in the past, or on which side a price already is,
    is no event. A level that already holds is due at once.
    """
    look = _Look(block, at_s, readings, dict(memory))
    due = look.due(rule, "0")
    spent = {key: value for key, value in look.memory.items() if not key.endswith(_WAITING)}
    return Fired(due, tuple(sorted(set(look.blind))), look.memory, spent)


_WAITING = "!"
"""Ends the key of an event that came and that no decision was made by yet."""


@dataclass(slots=True)
class _Look:
    block: int
    at_s: int
    readings: Mapping[str, int]
    memory: dict[str, int]
    blind: list[str] = field(default_factory=list)

    def due(self, rule: TriggerRule, place: str) -> bool:
        match rule:
            case ByHand():
                return False
            case AtBlocks():
                return self.block % rule.interval == 0
            case AtTimes():
                return self._at_times(rule, place)
            case AtLevel():
                return self._at_level(rule, place)
            case AnyOf():
                return any(list(self._parts(rule, place)))
            case AllOf():
                return all(list(self._parts(rule, place)))

    def _parts(self, rule: AnyOf | AllOf, place: str) -> Iterator[bool]:
        """Yield every part, so that each remembers what it saw whatever the others say."""
        for index, part in enumerate(rule.parts):
            yield self.due(part, f"{place}.{index}")

    def _at_times(self, rule: AtTimes, place: str) -> bool:
        seen_s = self.memory.get(place, self.at_s)
        slot = newest_slot(parse_cron(rule.cron), time_zone(rule.tz), seen_s, self.at_s)
        self.memory[place] = max(seen_s, self.at_s)
        if slot is not None:
            self.memory[place + _WAITING] = slot
        return place + _WAITING in self.memory

    def _at_level(self, rule: AtLevel, place: str) -> bool:
        value = self.readings.get(rule.reading)
        if value is None:
            self.blind.append(rule.reading)
            return False
        above = value * BPS > rule.level * (BPS + rule.hysteresis_bps)
        below = value * BPS < rule.level * (BPS - rule.hysteresis_bps)
        if rule.comparison == CROSSES:
            return self._crossed(place, value >= rule.level, above, below)
        was_on = bool(self.memory.get(place, 0))
        if rule.comparison == ABOVE:
            is_on = value > rule.level or (was_on and not below)
        else:
            is_on = value < rule.level or (was_on and not above)
        self.memory[place] = int(is_on)
        return is_on

    def _crossed(self, place: str, is_high: bool, above: bool, below: bool) -> bool:
        side = self.memory.get(place)
        if side is None:
            self.memory[place] = int(is_high)
        elif (above and not side) or (below and side):
            self.memory[place] = int(above)
            self.memory[place + _WAITING] = self.at_s
        return place + _WAITING in self.memory
