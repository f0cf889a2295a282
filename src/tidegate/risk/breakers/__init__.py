"""Breakers: one engine; a breaker is data."""

from tidegate.risk.breakers.book import BreakerBook, Inputs, Masked, read_states
from tidegate.risk.breakers.breaker import OPENING, Breaker, Level
from tidegate.risk.breakers.step import Reading, State, Transition, resume, step

__all__ = [
    "OPENING",
    "Breaker",
    "BreakerBook",
    "Inputs",
    "Level",
    "Masked",
    "Reading",
    "State",
    "Transition",
    "read_states",
    "resume",
    "step",
]
