"""Whom the desk borrows from over time: dollars by lender, for the guard on one lender's share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.risk.guards import LentFacts

WINDOW_S = 7 * 86_400
NOTE = "borrowed_usd_e6"
BEFORE_NOTE = "borrowed_before"


@dataclass(slots=True)
class LentBook:
    """What the plans of the last seven days borrowed, in the order in which they were drawn up."""

    _plans: list[tuple[int, tuple[tuple[str, int], ...]]] = field(default_factory=list)

    def take(self, notes: Mapping[str, Any]) -> None:
        """Note what a plan borrows, from its own notes; one without loans adds nothing."""
        noted = notes.get(NOTE)
        if noted and noted["loans"]:
            loans = tuple((lender, int(usd_e6)) for lender, usd_e6 in noted["loans"])
            self._plans.append((int(noted["at_s"]), loans))

    def before(self, now_s: int) -> LentFacts:
        """Return what was borrowed in the seven days before ``now_s``; older plans are forgotten."""
        self._plans = [plan for plan in self._plans if plan[0] > now_s - WINDOW_S]
        lent: dict[str, int] = {}
        loans = [loan for _, plan in self._plans for loan in plan]
        for lender, usd_e6 in loans:
            lent[lender] = lent.get(lender, 0) + usd_e6
        return LentFacts(tuple(sorted(lent.items())), len(loans))


def lent_notes(at_s: int, loans: list[tuple[str, int]], before: LentFacts) -> dict[str, Any]:
    """Return what a plan says of its loans (lender, dollars in millionths) and of those before it."""
    return {
        NOTE: {"at_s": at_s, "loans": [[lender, str(usd_e6)] for lender, usd_e6 in loans]},
        BEFORE_NOTE: {
            "loans": before.loans,
            "usd_e6": {lender: str(usd_e6) for lender, usd_e6 in before.usd_e6},
        },
    }


def lent_before(notes: Mapping[str, Any]) -> LentFacts:
    """Return what a plan noted of the loans before it; nothing where it noted none."""
    noted = notes.get(BEFORE_NOTE)
    if noted is None:
        return LentFacts()
    lent = tuple((lender, int(usd_e6)) for lender, usd_e6 in sorted(noted["usd_e6"].items()))
    return LentFacts(lent, int(noted["loans"]))
