"""What ``tidegate strategy plan|simulate|run --json`` say: amounts in base units, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidegate.app.cli.hints import hint_of_run, where_to_look
from tidegate.app.planning import Planning
from tidegate.app.runtime import Ground
from tidegate.app.session import Session
from tidegate.desks.atomic import Look, Strategy
from tidegate.model import BPS, Address, Outcome, OutcomeKind, Plan, Reason, Step, format_units, mul_div_up
from tidegate.pipeline import Rehearsal, read_run
from tidegate.venues.executor import Flash, Op, Program, decode_execute, disassemble, encoded_size, walk
from tidegate.venues.flash import lenders_of

_LARGE = 10**24
"""A loan so large that its fee shows the lender's rate, whatever the rounding."""


def refusal_record(strategy: Strategy, look: Look, ground: Ground) -> dict[str, Any]:
    """Return what a run is that the desk itself declined: there is no intent."""
    decision = look.decision
    return {
        "strategy": strategy.name,
        "outcome": OutcomeKind.DENIED.value,
        **_why(decision.reason, decision.detail, strategy, ground),
        "detail": decision.detail,
        "intent": None,
        **_decided(look),
        "next": where_to_look(None),
    }


def outcome_record(
    strategy: Strategy, look: Look, outcome: Outcome, session: Session, ground: Ground
) -> dict[str, Any]:
    """Return how a run ended, with what it moved, cost and earned."""
    run = read_run(session.journal.records(correlation_id=outcome.intent_id))
    plan = None if run is None else run.plan
    return {
        "strategy": strategy.name,
        "outcome": outcome.kind.value,
        **_why(outcome.reason, outcome.detail, strategy, ground),
        "detail": outcome.detail,
        "intent": outcome.intent_id,
        **_decided(look),
        "next": where_to_look(outcome.intent_id),
        "transaction": "0x" + outcome.transaction_hash.hex() if outcome.transaction_hash else None,
        "block": outcome.block_number,
        "gas_used": outcome.gas_used,
        "gas_cost_wei": str(outcome.gas_cost_wei),
        "balance_changes": {}
        if plan is None
        else {
            bound.symbol: {"realised": str(realised), "floor": str(bound.floor)}
            for bound, realised in zip(plan.bounds, outcome.deltas, strict=False)
        },
        "value_after_gas_usd_e6": 0 if run is None else run.booked_value_usd_e6,
    }


def _why(reason: Reason | None, detail: str, strategy: Strategy, ground: Ground) -> dict[str, Any]:
    if reason is None:
        return {"reason": None}
    advice = hint_of_run(reason, detail, strategy, ground.book, ground.world)
    return {"reason": reason.value, "meaning": reason.meaning, "hint": advice}


def _decided(look: Look) -> dict[str, Any]:
    return {"decided_at_block": look.inputs.block_number, "chain_time_s": look.inputs.block_timestamp_s}


def plan_record(plan: Plan, at: Planning) -> dict[str, Any]:
    """Return everything that a reviewer wants to see of a plan, amounts in base units as text."""
    raw = decode_execute(plan.data)
    program = disassemble(raw)
    start = len(raw) - sum(encoded_size(op) for op in program.ops)
    names = {step.tag: step for step in plan.steps}
    return {
        "ok": True,
        "strategy": plan.notes["strategy"],
        "chain": at.stand.name,
        "size": _size(plan, at),
        "searched": plan.notes.get("searched", True),
        "executor": at.stand.book.name_of(plan.to),
        "program_hash": plan.program_hash,
        "program_bytes": len(raw),
        "digest": plan.digest,
        "quoted_at_block": plan.notes["quoted_at_block"],
        "gas_limit": plan.gas_limit,
        "max_fee_wei": str(plan.max_fee_wei),
        "deadline_s": plan.deadline_s,
        "at_risk_usd_e6": plan.at_risk_usd_e6,
        "flow_usd_e6": plan.flow_usd_e6,
        "bounds": [
            {
                "token": bound.symbol,
                "floor": str(bound.floor),
                "quoted": plan.notes["quoted_deltas"].get(bound.symbol, "0"),
                "decimals": bound.decimals,
                "payout": bound.payout,
            }
            for bound in plan.bounds
        ],
        "lenders": _lenders(plan, program, at),
        "operations": list(_operations(program.ops, names, start, 0)),
    }


def _lenders(plan: Plan, program: Program, at: Planning) -> dict[str, Any]:
    """Return each loan's lenders, the cheapest first, with their rate in bps, rounded up, and who serves."""
    steps = {step.tag: step.step_id for step in plan.steps}
    tokens = {steps[op.tag]: op.token for op in walk(program.ops) if isinstance(op, Flash)}
    known = {lender.name: lender for lender in lenders_of(at.stand.book)}

    def rate_bps(name: str, token: Address) -> int:
        return mul_div_up(known[name].fee(token, _LARGE, at.view), BPS, _LARGE)

    return {
        step_id: [
            {
                **item,
                "fee_bps": rate_bps(item["name"], tokens[step_id]),
                "chosen": item["name"] == plan.notes["loans"][step_id],
            }
            for item in found
        ]
        for step_id, found in plan.notes["lenders"].items()
    }


def _operations(
    ops: Sequence[Op], names: Mapping[int, Step], offset: int, depth: int
) -> Iterator[dict[str, Any]]:
    """Yield every operation with its offset in the program, those of a loan's scope one level deeper."""
    for op in ops:
        size = encoded_size(op)
        inner = op.ops if isinstance(op, Flash) else ()
        yield {
            "offset": offset,
            "bytes": size,
            "depth": depth,
            "operation": type(op).__name__.lower(),
            "step": names[op.tag].step_id if op.tag in names else "",
            "what": names[op.tag].label if op.tag in names else "",
        }
        yield from _operations(inner, names, offset + size - sum(map(encoded_size, inner)), depth + 1)
        offset += size


def _size(plan: Plan, at: Planning) -> str | None:
    blind = at.stand.assignments[0].strategy.searched_blind
    if blind is None or blind.token is None or plan.notes["size"] is None:
        return None
    return f"{format_units(int(plan.notes['size']), at.stand.book.token(blind.token).decimals)} {blind.token}"


def simulation_record(plan: Plan, run: Rehearsal, at: Planning) -> dict[str, Any]:
    """Return the verdict on a plan's own bytes, with deltas, margins and gas by step."""
    reader = at.desk.reader
    probe = reader.read_probe(plan, run.probe_output)
    value: dict[str, Any] = {
        "ok": run.succeeded and probe is not None,
        "strategy": plan.notes["strategy"],
        "chain": at.stand.name,
        "program_hash": plan.program_hash,
        "digest": plan.digest,
        "block": run.block_number,
        "gas_used": run.gas_used,
        "gas_needed": run.gas_needed,
        "gas_limit": plan.gas_limit,
        "logs": len(run.logs),
    }
    if probe is None or not run.succeeded:
        revert, step = reader.explain(plan, run.probe_output if run.succeeded else run.output)
        return {**value, "failing_step": step, "reason": str(revert)}
    value["bounds"] = [
        {
            "token": bound.symbol,
            "decimals": bound.decimals,
            "delta": str(delta),
            "floor": str(bound.floor),
            "margin": str(delta - bound.floor),
        }
        for bound, delta in zip(plan.bounds, probe.deltas, strict=True)
    ]
    value["gas_by_step"] = dict(probe.gas_by_step)
    return value
