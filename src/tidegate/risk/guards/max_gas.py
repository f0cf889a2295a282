"""A run may not burn more gas than the author allows."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import GuardResult, Placement
from tidegate.risk.guards.facts import Read
from tidegate.risk.guards.interface import GuardContext, Parameter, verdict
from tidegate.risk.guards.onchain import OnChainCheck


class MaxGas:
    """The gas limit before, the gas used after. Inside, the transaction's gas limit enforces it."""

    name = "max_gas"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {}

    def reads(self, context: GuardContext) -> tuple[Read, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the plan says its gas limit."""
        return ()

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the plan's gas limit by the strategy's ``gas.max_gas``."""
        return self._judged(Placement.PRE, context, context.run.gas_limit)

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the transaction carries the gas limit."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Judge the gas that was used."""
        assert context.receipt is not None, "a guard after inclusion needs the receipt"
        return self._judged(Placement.POST, context, context.receipt.gas_used)

    def _judged(self, placement: Placement, context: GuardContext, gas: int) -> GuardResult:
        return verdict(
            self.name,
            placement,
            passed=gas <= context.run.max_gas,
            code="gas_above_max",
            measured=gas,
            bound=context.run.max_gas,
            unit="gas",
            at_block=context.block.number,
        )
