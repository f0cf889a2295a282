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
    Probe,
    Reason,
    Receipt,
    Rejected,
    Simulation,
    format_units,
)
from tidegate.pipeline.chain import ChainPort, Rehearsal
from tidegate.pipeline.desk import PlanReader


def guards_body(results: Sequence[GuardResult]) -> GuardsBody:
    """Return the record of the guards before sending."""
    return GuardsBody(placement=Placement.PRE, results=tuple(results))


def demand_guards(results: Sequence[GuardResult]) -> None:
    """Refuse if a guard did not pass; one that only warns does not refuse.

    Raises
    ------
    Denied
        ``guard_failed`` with the first guard that refuses.
    """
    for result in results:
        if not result.passed and result.on_failure != "warn":
            raise Denied(
                Reason.GUARD_FAILED,
                f"guard {result.guard} did not pass: {result.note or result.code}",
                found=f"{result.measured} {result.unit}",
                allowed=f"{result.bound} {result.unit}",
            )


def refused(refusal: Rejected) -> Denied:
    """Return what a node means that runs the plan at no block: no funds, or ``simulation_reverted``."""
    if refusal.code == "insufficient_funds":
        return Denied(
            Reason.FUNDS_MISSING,
            "the account that signs can not pay for the gas",
            found=refusal.found,
            allowed="gas limit times highest fee, in the chain's coin",
            fix=refusal.fix,
        )
    return Denied(
        Reason.SIMULATION_REVERTED,
        "no block could hold the transaction",
        found=str(refusal),
        allowed="fees above the base fee, and a nonce and gas that the chain takes",
    )


async def simulate(
    plan: Plan, *, sender: Address, chain: ChainPort, reader: PlanReader
) -> tuple[Simulation, Denied | None]:
    """Run the plan's own bytes at the head, twice, and compare.

    Once as the transaction itself (true gas and logs), once as the desk's own on-chain probe,
    which reports balance changes and gas by step. Verdict and every delta must agree.

    Returns
    -------
    tuple of Simulation and Denied or None
        What happened, and why the plan may not go on: ``simulation_reverted``, ``sim_mismatch`` or
        ``gas_cap``. Both are wanted: a refusal is recorded with what it rests on.

    Raises
    ------
    Denied
        As ``refused``, if no block could hold the transaction at all.
    """
    try:
        run = await chain.simulate(plan, sender=sender, probe_data=reader.probe_data(plan))
    except Rejected as refusal:
        raise refused(refusal) from refusal
    probe = reader.read_probe(plan, run.probe_output)
    revert, step = None, None
    if not run.succeeded or probe is None:
        revert, step = reader.explain(plan, run.probe_output if run.succeeded else run.output)
    simulation = Simulation(
        plan_digest=plan.digest,
        block_number=run.block_number,
        succeeded=run.succeeded,
        gas_used=run.gas_used,
        deltas=() if probe is None else probe.deltas,
        logs=run.logs,
        gas_by_step=() if probe is None else probe.gas_by_step,
        revert=revert,
        failing_step=step,
    )
    return simulation, _refusal(plan, run, probe, simulation, reader)


def _refusal(
    plan: Plan, run: Rehearsal, probe: Probe | None, simulation: Simulation, reader: PlanReader
) -> Denied | None:
    if not run.succeeded:
        where = f" in step {simulation.failing_step}" if simulation.failing_step else ""
        return Denied(
            Reason.SIMULATION_REVERTED,
            f"the plan reverts at block {run.block_number}{where}",
            found=str(simulation.revert),
            allowed="success within the plan's bounds",
        )
    if probe is None:
        return Denied(
            Reason.SIM_MISMATCH,
            "the transaction succeeds but the probe of the same bytes fails",
            found=str(simulation.revert),
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
        return Denied(
            Reason.SIM_MISMATCH,
            "two simulations of the same bytes give other balance changes",
            found=f"probe {probe.deltas}, logs {logs_say}",
            allowed="equal to the base unit",
        )
    if run.gas_needed > plan.gas_limit:
        return Denied(
            Reason.GAS_CAP,
            "the run needs more gas than its limit",
            found=str(run.gas_needed),
            allowed=str(plan.gas_limit),
        )
    return None


def simulation_body(simulation: Simulation) -> SimulationBody:
    """Return the record of a simulation, also of one that failed."""
    return SimulationBody(
        plan_digest=simulation.plan_digest,
        block_number=simulation.block_number,
        succeeded=simulation.succeeded,
        gas_used=simulation.gas_used,
        deltas=tuple(str(delta) for delta in simulation.deltas),
        gas_by_step=simulation.gas_by_step,
        revert="" if simulation.revert is None else str(simulation.revert),
        failing_step=simulation.failing_step,
    )


def bounds_body(plan: Plan, simulation: Simulation) -> BoundsBody:
    """Return the record of each bound with the margin by which it holds, or is missed."""
    return BoundsBody(
        margins=tuple(
            Margin(bound.symbol, str(bound.floor), str(delta), str(delta - bound.floor))
            for bound, delta in zip(plan.bounds, simulation.deltas, strict=True)
        )
    )


def demand_bounds(plan: Plan, simulation: Simulation) -> None:
    """Refuse if a simulated balance change is below its floor.

    Raises
    ------
    Denied
        ``bounds`` with the first that is.
    """
    for bound, delta in zip(plan.bounds, simulation.deltas, strict=True):
        if delta < bound.floor:
            raise Denied(
                Reason.BOUNDS,
                f"{bound.symbol} would change by less than its floor",
                found=f"{format_units(delta, bound.decimals)} {bound.symbol}",
                allowed=f"at least {format_units(bound.floor, bound.decimals)} {bound.symbol}",
            )
