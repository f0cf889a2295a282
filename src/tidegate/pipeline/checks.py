"""The checks between plan and signature: guards, simulation of the very bytes, bounds."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.ledger import BoundsBody, GuardsBody, Margin, SimulationBody
from tidegate.model import (
    Address,
    Denied,
    GuardResult,
    Placement,
    Plan,
    Reason,
    Receipt,
    Rejected,
    Simulation,
    format_units,
)
from tidegate.pipeline.chain import ChainPort
from tidegate.pipeline.desk import PlanReader


def check_guards(results: Sequence[GuardResult]) -> GuardsBody:
    """Return the record of the guards before sending.

    Raises
    ------
    Denied
        ``guard_failed`` with the first guard that refuses; one that only warns does not.
    """
    for result in results:
        if not result.passed and result.on_failure != "warn":
            raise Denied(
                Reason.GUARD_FAILED,
                f"guard {result.guard} did not pass: {result.note or result.code}",
                found=f"{result.measured} {result.unit}",
                allowed=f"{result.bound} {result.unit}",
            )
    return GuardsBody(placement=Placement.PRE, results=tuple(results))


async def check_simulation(
    plan: Plan, *, sender: Address, chain: ChainPort, reader: PlanReader
) -> tuple[Simulation, SimulationBody]:
    """Run the plan's own bytes at the head, twice, and compare.

    Once as the transaction itself (true gas and logs), once as the desk's own on-chain probe,
    which reports balance changes and gas by step. Verdict and every delta must agree.

    Raises
    ------
    Denied
        ``simulation_reverted``, ``sim_mismatch`` or ``gas_cap``.
    """
    try:
        run = await chain.simulate(plan, sender=sender, probe_data=reader.probe_data(plan))
    except Rejected as refusal:
        raise Denied(
            Reason.SIMULATION_REVERTED,
            "no block could hold the transaction",
            found=refusal.message,
            allowed="a sender with funds, fees above the base fee",
        ) from refusal
    probe = reader.read_probe(plan, run.probe_output)
    if not run.succeeded:
        revert, step = reader.explain(plan, run.output)
        raise Denied(
            Reason.SIMULATION_REVERTED,
            f"the plan reverts at block {run.block_number}" + (f" in step {step}" if step else ""),
            found=str(revert),
            allowed="success within the plan's bounds",
        )
    if probe is None:
        revert, step = reader.explain(plan, run.probe_output)
        raise Denied(
            Reason.SIM_MISMATCH,
            "the transaction succeeds but the probe of the same bytes fails",
            found=str(revert),
            allowed="the same verdict from both",
        )
    logs_say = reader.deltas(
        plan,
        Receipt(
            transaction_hash=b"",
            status=1,
            gas_used=run.gas_used,
            block_number=run.block_number,
            logs=run.logs,
        ),
    )
    if logs_say != probe.deltas:
        raise Denied(
            Reason.SIM_MISMATCH,
            "two simulations of the same bytes give other balance changes",
            found=f"probe {probe.deltas}, logs {logs_say}",
            allowed="equal to the base unit",
        )
    if run.gas_needed > plan.gas_limit:
        raise Denied(
            Reason.GAS_CAP,
            "the run needs more gas than its limit",
            found=str(run.gas_needed),
            allowed=str(plan.gas_limit),
        )
    simulation = Simulation(
        plan_digest=plan.digest,
        block_number=run.block_number,
        succeeded=True,
        gas_used=run.gas_used,
        deltas=probe.deltas,
        logs=run.logs,
        gas_by_step=probe.gas_by_step,
    )
    return simulation, SimulationBody(
        plan_digest=plan.digest,
        block_number=run.block_number,
        succeeded=True,
        gas_used=run.gas_used,
        deltas=tuple(str(delta) for delta in probe.deltas),
        gas_by_step=probe.gas_by_step,
    )


def check_bounds(plan: Plan, simulation: Simulation) -> BoundsBody:
    """Return the margin of each bound.

    Raises
    ------
    Denied
        ``bounds`` with the first balance change below its floor.
    """
    margins = []
    for bound, delta in zip(plan.bounds, simulation.deltas, strict=True):
        if delta < bound.floor:
            raise Denied(
                Reason.BOUNDS,
                f"{bound.symbol} would change by less than its floor",
                found=f"{format_units(delta, bound.decimals)} {bound.symbol}",
                allowed=f"at least {format_units(bound.floor, bound.decimals)} {bound.symbol}",
            )
        margins.append(Margin(bound.symbol, str(bound.floor), str(delta), str(delta - bound.floor)))
    return BoundsBody(margins=tuple(margins))
