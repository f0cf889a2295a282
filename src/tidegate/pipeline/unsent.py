"""Stages that sign nothing: what would have become of a plan is found out, and nothing is sent.

Backtest fills the plan on the tape's later blocks, shadow judges it against the blocks that followed.
Up to the authorisation the street is the same code as in every stage; from there a fate takes the place
of signature, send and receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tidegate.ledger import Body
from tidegate.model import Outcome, Plan
from tidegate.pipeline.run import Run


class Fate(Protocol):
    """Knows, sooner or later, what would have become of a plan that nobody signed."""

    async def of(self, run: Run, plan: Plan, write: Callable[[Run, Body], object]) -> Outcome | None:
        """Return the outcome once it is known, its records written; None if later blocks decide.

        Raises
        ------
        Unavailable
            If a block that decides can not be read just now; the run stays open.
        """
        ...
