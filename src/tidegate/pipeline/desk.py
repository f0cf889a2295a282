"""What the street asks of a desk. It knows nothing else of any desk or protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.model import Address, GuardResult, Intent, Plan, Probe, Receipt, Revert


class PlanReader(Protocol):
    """Reads a plan's bytes back: what a run of them reports, and why it failed."""

    def probe_data(self, plan: Plan) -> bytes:
        """Return call data for ``plan.to`` that runs the same program and always reverts."""
        ...

    def read_probe(self, plan: Plan, revert_data: bytes) -> Probe | None:
        """Return what the probe reported, or None if it failed on the way."""
        ...

    def explain(self, plan: Plan, revert_data: bytes) -> tuple[Revert, str | None]:
        """Return the decoded revert and the id of the step that failed, if one did."""
        ...

    def deltas(self, plan: Plan, receipt: Receipt) -> tuple[int, ...]:
        """Return realised balance changes, in the order of the plan's bounds."""
        ...

    def holders(self, plan: Plan, deltas: tuple[int, ...]) -> tuple[Address, ...]:
        """Return on whose account each change stands in the end: books are kept by account."""
        ...


class Desk(Protocol):
    """Turns accepted intents into plans, and judges them."""

    @property
    def name(self) -> str:
        """Return the desk's name: atomic, liquidation, momentum, crossrollup, prediction."""
        ...

    @property
    def reader(self) -> PlanReader:
        """Return what reads this desk's plans back."""
        ...

    async def plan(self, intent: Intent) -> Plan:
        """Compile the intent to bytes with bounds, at the newest block.

        Raises
        ------
        Denied
            With the reason, when no plan exists that keeps the intent's rules.
        """
        ...

    async def guards_before(self, plan: Plan) -> Sequence[GuardResult]:
        """Evaluate the guards that stand before sending. A guard that can not be evaluated fails."""
        ...

    async def guards_after(self, plan: Plan, receipt: Receipt) -> Sequence[GuardResult]:
        """Evaluate the guards that stand after inclusion; they alert, they can not undo."""
        ...
