"""When a strategy looks: at blocks, or when a person says so."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm

from tidegate.desks.atomic.language import syntax
from tidegate.model import ConfigError


@dataclass(frozen=True, slots=True)
class Schedule:
    """``every_blocks`` 0: only a person starts a run."""

    every_blocks: int


def schedule_of(trigger: syntax.Trigger) -> Schedule:
    """Return when a strategy looks.

    ``any:`` looks at every block at which one part might: the common divisor of their intervals. A
    person may always start a run, so ``manual`` adds nothing to ``any:``, and ``all:`` with ``manual``
    waits for the person.

    Raises
    ------
    ConfigError
        If the trigger needs a price, a clock or a health factor: this version reads the file but can
        not wait for those, and says so instead of never firing.
    """
    match trigger:
        case syntax.ManualTrigger():
            return Schedule(every_blocks=0)
        case syntax.EveryBlock():
            return Schedule(every_blocks=trigger.interval)
        case syntax.CombinedTrigger():
            parts = [schedule_of(part).every_blocks for part in trigger.triggers]
            if trigger.every:
                return Schedule(every_blocks=0 if 0 in parts else lcm(*parts))
            return Schedule(every_blocks=gcd(*parts))
        case _:
            name = _NAMES[type(trigger)]
            raise ConfigError(
                f"the {name} trigger can not be waited for yet",
                found=name,
                allowed="every_block, manual",
                fix="use every_block, or start the run by hand",
                position=trigger.position,
            )


_NAMES: dict[type[syntax.Trigger], str] = {
    syntax.PriceTrigger: "price",
    syntax.ScheduleTrigger: "schedule",
    syntax.HealthFactorTrigger: "health_factor",
}
