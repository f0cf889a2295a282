"""A run waits while the chain's base fee is above what the author allows."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.facts import Read
from tidegate.risk.guards.interface import GuardContext, Parameter, verdict
from tidegate.risk.guards.onchain import OnChainCheck


class MaxBaseFee:
    """The base fee of the head before, of the block of inclusion after. Inside, the header enforces it."""

    name = "max_base_fee"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {}

    def reads(self, context: GuardContext) -> tuple[Read, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the block says its base fee."""
        return ()

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the head by the strategy's ``gas.max_base_fee``."""
        return self._judged(Placement.PRE, context)

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the header carries the highest base fee."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Judge the block of inclusion."""
        return self._judged(Placement.POST, context)

    def _judged(self, placement: Placement, context: GuardContext) -> GuardResult:
        return verdict(
            self.name,
            placement,
            passed=context.block.base_fee_wei <= context.run.max_base_fee_wei,
            code="base_fee_above_max",
            measured=context.block.base_fee_wei,
            bound=context.run.max_base_fee_wei,
            unit="wei",
            at_block=context.block.number,
        )
