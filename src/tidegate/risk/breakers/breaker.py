"""A breaker, which is data; what it masks; and what it can not mask."""

from __future__ import annotations

from typing import Literal

import msgspec

from tidegate.model import ConfigError, Operation
from tidegate.risk.scope import Scope

OPENING = frozenset({Operation.OPEN, Operation.INCREASE})
"""All that a breaker can ever mask: what adds to the risk. An exit can not be masked."""


class Level(msgspec.Struct, frozen=True):
    """A rung: reached at ``threshold``, in the input's unit; ``masks`` is what may not be done there."""

    threshold: int
    masks: frozenset[Operation] = OPENING


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Watches one measure and stops a class of operations while it is out of bounds.

    Parameters
    ----------
    name, scope
        Together unique. ``scope`` is written as in ``risk.Scope``.
    input
        The name of the measure, as its provider knows it; its unit is part of the name.
    levels
        Level 1 first. Thresholds get stricter: rising where the breaker ``trips`` ``"above"``, falling
        where ``"below"``. A measure equal to a threshold has reached it.
    clear
        The measure at which each level may be left, one value for all or one a level; equal is not yet
        clear. It lies on the safe side of the threshold.
    min_hold_s
        How long a measure must have been clear, without a break, before one level is stepped down.
    cooldown_s
        For how long a level that was left is not tripped again, unless it is critical.
    max_input_age_s
        An older measure is none.
    latched_from
        From this level on only a person steps down; 0: nobody needs to.
    blind_latch_s
        How long the breaker may be blind before blindness latches a latched level.
    critical_from
        From this level on a cool-down does not hold; 0 is the highest of several levels.
    period_s
        How often at least it is evaluated; after three of these in silence it is tripped.
    """

    name: str
    scope: str
    input: str
    levels: tuple[Level, ...]
    clear: tuple[int, ...] | int
    min_hold_s: int
    cooldown_s: int
    max_input_age_s: int
    latched_from: int = 0
    blind_latch_s: int = 0
    critical_from: int = 0
    period_s: int = 1
    trips: Literal["above", "below"] = "above"

    def __post_init__(self) -> None:
        Scope.parse(self.scope)
        for level in self.levels:
            exits = sorted(operation.value for operation in level.masks - OPENING)
            if exits:
                raise self._wrong("a breaker can not mask an exit", ", ".join(exits), "open, increase")
        if not self.levels:
            raise self._wrong("a breaker needs a level", "none", "at least one")
        if isinstance(self.clear, tuple) and len(self.clear) != len(self.levels):
            raise self._wrong("clear has one value, or one a level", str(self.clear), f"{len(self.levels)}")
        marks = [self.side * level.threshold for level in self.levels]
        if marks != sorted(set(marks)):
            shown = ", ".join(str(level.threshold) for level in self.levels)
            raise self._wrong("thresholds must get stricter from level to level", shown, "rising or falling")
        for number, mark in enumerate(marks, start=1):
            if self.side * self.clear_of(number) > mark:
                raise self._wrong(
                    f"level {number} is clear only beyond its own threshold",
                    str(self.clear_of(number)),
                    f"on the safe side of {self.levels[number - 1].threshold}",
                )
        for field in ("min_hold_s", "cooldown_s", "blind_latch_s", "latched_from", "critical_from"):
            if getattr(self, field) < 0:
                raise self._wrong(f"{field} must not be negative", str(getattr(self, field)), "0 or more")
        if self.period_s < 1 or self.max_input_age_s < 1:
            raise self._wrong(
                "period and age are at least a second",
                f"period_s {self.period_s}, max_input_age_s {self.max_input_age_s}",
                "1 or more",
            )

    @property
    def key(self) -> str:
        """Return what names it among all: its scope and name."""
        return f"{self.scope}/{self.name}"

    @property
    def highest(self) -> int:
        """Return the number of the highest level."""
        return len(self.levels)

    @property
    def side(self) -> int:
        """Return 1 where more is worse, -1 where less is."""
        return 1 if self.trips == "above" else -1

    def clear_of(self, level: int) -> int:
        """Return the value beyond which ``level`` is clear."""
        return self.clear[level - 1] if isinstance(self.clear, tuple) else self.clear

    def masks(self, level: int) -> frozenset[Operation]:
        """Return what may not be done at ``level``: its own mask and those of every level below it."""
        return frozenset().union(*(item.masks for item in self.levels[:level]))

    def is_critical(self, level: int) -> bool:
        """Say whether a cool-down does not hold at ``level``."""
        return level >= (self.critical_from or max(2, self.highest))

    def is_latched(self, level: int) -> bool:
        """Say whether ``level`` is left by a person alone."""
        return 0 < self.latched_from <= level

    def _wrong(self, message: str, found: str, allowed: str) -> ConfigError:
        return ConfigError(
            f"breaker {self.name}: {message}",
            code="breaker",
            found=found,
            allowed=allowed,
            fix="mend its definition; a halt of exits is a stop that two people set",
        )
