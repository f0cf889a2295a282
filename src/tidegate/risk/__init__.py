"""What may stop an intent: guards on a plan, limits, breakers and stops. Says no; sends nothing.

Invariants: a check and the reservation that it allows are one step; an exception while judging is a
failure; what is missing, too old or unreadable means "do not act"; nothing here masks an exit, but a
stop on which two people agree. The pipeline, the desks and the composition root call it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.risk.breakers import (
        Breaker,
        BreakerBook,
        FirstOf,
        InputBoard,
        Inputs,
        Level,
        LimitInputs,
        Masked,
        Reading,
        chain_breakers,
        desk_breakers,
        drawdown_breaker,
        oracle_breaker,
    )
    from tidegate.risk.limits import LimitBook, LimitTable, RunLimits, release_failures, restore_limits
    from tidegate.risk.scope import Place, Scope
    from tidegate.risk.steady import SteadyClock
    from tidegate.risk.stops import (
        ResumeNote,
        Stop,
        StopBook,
        StopFolder,
        StopOrder,
        drop_note,
        drop_stop,
        read_stops,
    )

__all__ = [
    "Breaker",
    "BreakerBook",
    "FirstOf",
    "InputBoard",
    "Inputs",
    "Level",
    "LimitBook",
    "LimitInputs",
    "LimitTable",
    "Masked",
    "Place",
    "Reading",
    "ResumeNote",
    "RunLimits",
    "Scope",
    "SteadyClock",
    "Stop",
    "StopBook",
    "StopFolder",
    "StopOrder",
    "chain_breakers",
    "desk_breakers",
    "drawdown_breaker",
    "drop_note",
    "drop_stop",
    "oracle_breaker",
    "read_stops",
    "release_failures",
    "restore_limits",
]

_NAMES: dict[str, tuple[str, ...]] = {
    "breakers": (
        "Breaker",
        "BreakerBook",
        "FirstOf",
        "InputBoard",
        "Inputs",
        "Level",
        "LimitInputs",
        "Masked",
        "Reading",
        "chain_breakers",
        "desk_breakers",
        "drawdown_breaker",
        "oracle_breaker",
    ),
    "limits": (
        "LimitBook",
        "LimitTable",
        "RunLimits",
        "release_failures",
        "restore_limits",
    ),
    "scope": (
        "Place",
        "Scope",
    ),
    "steady": ("SteadyClock",),
    "stops": (
        "ResumeNote",
        "Stop",
        "StopBook",
        "StopFolder",
        "StopOrder",
        "drop_note",
        "drop_stop",
        "read_stops",
    ),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: a stop must not wait for what it does not need."""
    for module, names in _NAMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
