"""Values for blinds where a file is judged without anyone to give them."""

from __future__ import annotations

from tidegate.desks.atomic.language.syntax import Blind, BlindType, Strategy
from tidegate.model import ZERO_ADDRESS


def trial_blinds(strategy: Strategy) -> dict[str, int | bool | str]:
    """Return a value within its range for each blind: its default, else its maximum."""
    return {name: _trial_value(blind) for name, blind in strategy.blinds.items()}


def _trial_value(blind: Blind) -> int | bool | str:
    if blind.default is not None:
        return blind.default
    if blind.maximum is not None:
        return blind.maximum
    if blind.type is BlindType.BOOL:
        return True
    return ZERO_ADDRESS if blind.type is BlindType.ADDRESS else "0x" + "00" * 32
