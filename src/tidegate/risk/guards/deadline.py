"""Nothing is sent, or counted as in time, at or past its deadline."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.facts import Read
from tidegate.risk.guards.interface import GuardContext, Parameter, verdict
from tidegate.risk.guards.onchain import OnChainCheck


class Deadline:
    """The deadline of the plan, in seconds of chain time. Inside, the program's header enforces it."""

    name = "deadline"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {}

    def reads(self, context: GuardContext) -> tuple[Read, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the block says what time it is."""
        return ()

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the head: the next block must still be able to carry the run."""
        return self._judged(Placement.PRE, context, passed=context.block.timestamp < context.run.deadline_s)

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the header carries the deadline."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Judge the block of inclusion."""
        return self._judged(Placement.POST, context, passed=context.block.timestamp <= context.run.deadline_s)

    def _judged(self, placement: Placement, context: GuardContext, *, passed: bool) -> GuardResult:
        return verdict(
            self.name,
            placement,
            passed=passed,
            code="deadline_passed",
            measured=context.block.timestamp,
            bound=context.run.deadline_s,
            unit="seconds",
            at_block=context.block.number,
        )
