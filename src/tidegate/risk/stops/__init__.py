"""Stops: durable, scoped orders not to act, that only people end."""

from tidegate.risk.stops.book import Appends, StopBook, read_stops
from tidegate.risk.stops.folder import StopFolder
from tidegate.risk.stops.stop import (
    MACHINE,
    NO_EXIT_PEOPLE,
    PERSON,
    ResumeNote,
    Stop,
    StopOrder,
    count_people,
)

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
    "read_stops",
]
