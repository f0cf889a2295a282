"""Small words that every screen shares: counts, shortened hashes, times, reasons."""

from __future__ import annotations

import time

from tidegate.model import Reason


def utc(at_s: int) -> str:
    """Return seconds since the Unix epoch as date and time."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_s))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 record``, ``1,200 records``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def short(identifier: str, length: int = 10) -> str:
    """Return the beginning of a hash or id, with a sign that more follows."""
    return identifier if len(identifier) <= length + 1 else identifier[:length] + "…"


def meaning(reason: str | None) -> str:
    """Return the line for people of a reason's code."""
    return Reason(reason).meaning if reason else "no reason given"
