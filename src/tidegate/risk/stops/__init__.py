"""Stops: durable, scoped orders not to act, that only people end."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.risk.stops.book import Appends, StopBook, read_stops
    from tidegate.risk.stops.folder import StopFolder
    from tidegate.risk.stops.order import (
        MACHINE,
        NO_EXIT_PEOPLE,
        PERSON,
        ResumeNote,
        StopOrder,
        count_people,
        drop_note,
        drop_stop,
    )
    from tidegate.risk.stops.stop import Stop

__all__ = [
    "MACHINE",
    "NO_EXIT_PEOPLE",
    "PERSON",
    "Appends",
    "ResumeNote",
    "Stop",
    "StopBook",
    "StopFolder",
    "StopOrder",
    "count_people",
    "drop_note",
    "drop_stop",
    "read_stops",
]

_NAMES: dict[str, tuple[str, ...]] = {
    "book": (
        "Appends",
        "StopBook",
        "read_stops",
    ),
    "folder": ("StopFolder",),
    "order": (
        "MACHINE",
        "NO_EXIT_PEOPLE",
        "PERSON",
        "ResumeNote",
        "StopOrder",
        "count_people",
        "drop_note",
        "drop_stop",
    ),
    "stop": ("Stop",),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: ``tidegate stop`` wants few."""
    for module, names in _NAMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
