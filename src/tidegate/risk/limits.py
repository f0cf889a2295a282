"""Limits of a subject (a strategy, a market): how often, how many at once, how much lost.

Checking and taking the last place is one step: two workers can not both get it. Counters roll
by chain time and are rebuilt from the ledger at a start, so a restart never resets them.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque

import msgspec

from tidegate.ledger.bodies import Used
from tidegate.model import Denied, Reason, format_usd

HOUR_S = 3_600
DAY_S = 86_400


class RunLimits(msgspec.Struct, frozen=True):
    """What a subject may do. Losses in millionths of a dollar, over a rolling day.

    A run counts against the daily loss with what it may lose at worst from its plan on, and with
    what it did lose once it has ended.
    """

    max_runs_per_hour: int = 60
    max_in_flight: int = 1
    max_loss_per_day_usd_e6: int = 100_000_000


class LimitBook:
    """Counts runs, open runs and losses by subject."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, deque[int]] = defaultdict(deque)
        self._open: dict[str, set[str]] = defaultdict(set)
        self._losses: dict[str, deque[tuple[int, int]]] = defaultdict(deque)
        self._at_risk: dict[str, dict[str, int]] = defaultdict(dict)

    def reserve(self, subject: str, intent_id: str, limits: RunLimits, *, now_s: int) -> tuple[Used, ...]:
        """Check every limit and take the intent's place in each, in one step.

        Returns
        -------
        tuple of Used
            What was used before this intent.

        Raises
        ------
        Denied
            ``limit``, naming the first limit without room; nothing is taken then.
        """
        with self._lock:
            self._forget(subject, now_s)
            uses = (
                Used("max_in_flight", len(self._open[subject]), limits.max_in_flight),
                Used("max_runs_per_hour", len(self._runs[subject]), limits.max_runs_per_hour),
            )
            loss = Used("max_loss_per_day_usd_e6", self._exposed(subject), limits.max_loss_per_day_usd_e6)
            for use in uses:
                if use.used >= use.allowed:
                    raise _no_room(subject, use)
            if loss.used >= loss.allowed:
                raise _no_room(subject, loss)
            self._runs[subject].append(now_s)
            self._open[subject].add(intent_id)
            return (*uses, loss)

    def commit(self, subject: str, intent_id: str, limits: RunLimits, *, at_risk_usd_e6: int) -> None:
        """Take what an open intent may lose at worst out of the day's allowance, if there is room.

        What was lost, what other open runs may lose and what this one may lose must fit together.

        Raises
        ------
        Denied
            ``limit`` with the figures; nothing is taken then.
        """
        with self._lock:
            exposed = self._exposed(subject)
            if exposed + at_risk_usd_e6 > limits.max_loss_per_day_usd_e6:
                raise Denied(
                    Reason.LIMIT,
                    f"max_loss_per_day of {subject} has no room for what this run may lose at worst",
                    found=f"{format_usd(at_risk_usd_e6)}, and {format_usd(exposed)} lost or at risk already",
                    allowed=f"{format_usd(limits.max_loss_per_day_usd_e6)} together",
                    fix="narrow the bounds or the gas, or raise max_loss_per_day under `limits` in the file",
                )
            self._at_risk[subject][intent_id] = at_risk_usd_e6

    def close(self, subject: str, intent_id: str, *, value_usd_e6: int, now_s: int) -> None:
        """Give back the place in flight, and book a loss if ``value_usd_e6`` is below zero."""
        with self._lock:
            self._open[subject].discard(intent_id)
            self._at_risk[subject].pop(intent_id, None)
            if value_usd_e6 < 0:
                self._losses[subject].append((now_s, -value_usd_e6))

    def restore(self, subject: str, intent_id: str, *, at_s: int, at_risk_usd_e6: int = 0) -> None:
        """Count a run that the ledger knows, as open, without checking a limit."""
        with self._lock:
            self._runs[subject].append(at_s)
            self._open[subject].add(intent_id)
            self._at_risk[subject][intent_id] = at_risk_usd_e6

    def _exposed(self, subject: str) -> int:
        lost = sum(loss for _, loss in self._losses[subject])
        return lost + sum(self._at_risk[subject].values())

    def _forget(self, subject: str, now_s: int) -> None:
        runs, losses = self._runs[subject], self._losses[subject]
        while runs and runs[0] <= now_s - HOUR_S:
            runs.popleft()
        while losses and losses[0][0] <= now_s - DAY_S:
            losses.popleft()


def _no_room(subject: str, use: Used) -> Denied:
    shown = format_usd if use.limit.endswith("_usd_e6") else str
    return Denied(
        Reason.LIMIT,
        f"{use.limit.removesuffix('_usd_e6')} of {subject} has no room",
        found=shown(use.used),
        allowed=shown(use.allowed),
        fix="wait until it rolls off, or raise it under `limits` in the strategy file",
    )
