"""Whose books they are: stages that move the same accounts on the same chain keep one set.

A canary and production send to the live chain from the same accounts. What one of them moves the other finds
there, and what neither booked is a difference, whichever of them runs next.
"""

from __future__ import annotations

from tidegate.model import Stage

LIVE = "live"
"""The book that the live stages share; every other stage has one of its own, by its name."""
_LIVE_STAGES = frozenset({Stage.CANARY, Stage.PRODUCTION})


def book_of(stage: Stage) -> str:
    """Return the name of the book that a stage's bookings are kept in."""
    return LIVE if stage in _LIVE_STAGES else stage.value


def stages_of(book: str) -> tuple[Stage, ...]:
    """Return the stages that keep a book, lowest first."""
    return tuple(stage for stage in Stage if book_of(stage) == book)
