"""The atomic desk's past as its records tell it: runs, their plans and guards, the strategies that ran.

Nothing here is stored: each view is a fold of the journal, the same whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tidegate.ledger import (
    Attempt,
    BookingBody,
    BoundsBody,
    DecisionBody,
    GuardsBody,
    JournalReader,
    Margin,
    PlanBody,
    Record,
    SimulationBody,
)
from tidegate.model import ConfigError, GuardResult, OutcomeKind, RecordKind, Stage, Step

DESK = "atomic"


class AtomicRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run: what was wanted, planned, simulated, checked, included and booked.

    ``steps`` are the program's operations in the file's words, ``gas_by_step`` gas as simulated, ``margins``
    by how much each bound held there, ``deltas`` what was booked (token, base units as text).
    """

    intent_id: str
    strategy: str
    stage: Stage
    chain_id: int
    at_ms: int
    states: tuple[str, ...]
    outcome: OutcomeKind | None
    reason: str
    detail: str
    executor: str
    program_hash: str
    plan_digest: str
    lenders: dict[str, str]
    steps: tuple[Step, ...]
    gas_by_step: tuple[tuple[str, int], ...]
    margins: tuple[Margin, ...]
    guards: tuple[GuardResult, ...]
    deltas: tuple[tuple[str, str], ...]
    value_usd_e6: int
    transaction_hash: str
    block_number: int | None
    gas_limit: int
    gas_used: int
    gas_cost_wei: str


class AtomicStrategy(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a strategy that decided: its file's digest, and from when to when."""

    name: str
    digest: str
    first_ms: int
    last_ms: int
    decisions: int


def atomic_runs(reader: JournalReader, count: int) -> tuple[AtomicRun, ...]:
    """Return the desk's newest ``count`` runs, oldest first."""
    attempts = [one for one in reader.attempts() if one.desk == DESK][-count:] if count else []
    return tuple(_run(one, reader.records(correlation_id=one.intent_id)) for one in attempts)


def atomic_run(reader: JournalReader, intent_id: str) -> AtomicRun:
    """Return the one run whose intent's id begins with ``intent_id``.

    Raises
    ------
    ConfigError
        If there is none, or several begin so.
    """
    wanted = intent_id.removeprefix("0x").lower()
    found = [one for one in reader.attempts() if one.desk == DESK and one.intent_id.startswith(wanted)]
    if len(found) != 1 or not wanted:
        raise ConfigError(
            "no single run has this id",
            found=f"{intent_id[:80]!r}, of {len(found)} runs",
            allowed="an intent's id, or digits that one alone begins with",
            fix="tidegate journal tail --kind intent",
        )
    return _run(found[0], reader.records(correlation_id=found[0].intent_id))


def atomic_strategies(reader: JournalReader) -> tuple[AtomicStrategy, ...]:
    """Return every version of a strategy that decided, in the order of the first decision."""
    found: dict[tuple[str, str], AtomicStrategy] = {}
    for record in reader.records(RecordKind.DECISION):
        body = DecisionBody.from_body(record.body)
        if body.desk != DESK:
            continue
        key = (body.subject, str(body.config["strategy_digest"]))
        one = found.get(key) or AtomicStrategy(
            name=key[0], digest=key[1], first_ms=record.at_ms, last_ms=record.at_ms, decisions=0
        )
        found[key] = msgspec.structs.replace(one, last_ms=record.at_ms, decisions=one.decisions + 1)
    return tuple(found.values())


def _run(attempt: Attempt, records: Iterable[Record]) -> AtomicRun:
    told = list(records)
    plan = next((PlanBody.from_body(one.body) for one in _of(told, RecordKind.PLAN)), None)
    simulation = next((SimulationBody.from_body(one.body) for one in _of(told, RecordKind.SIMULATION)), None)
    bounds = next((BoundsBody.from_body(one.body) for one in _of(told, RecordKind.BOUNDS)), None)
    booked = [BookingBody.from_body(one.body) for one in _of(told, RecordKind.BOOKING)]
    deltas: dict[str, int] = {}
    for body in booked:
        for one in body.deltas:
            deltas[one.symbol] = deltas.get(one.symbol, 0) + one.amount
    notes: dict[str, Any] = {} if plan is None else plan.notes
    return AtomicRun(
        intent_id=attempt.intent_id,
        strategy=attempt.subject,
        stage=attempt.stage,
        chain_id=attempt.chain_id,
        at_ms=attempt.intent_at_ms,
        states=attempt.states,
        outcome=attempt.outcome,
        reason="" if attempt.reason is None else attempt.reason.value,
        detail=attempt.detail,
        executor=attempt.account,
        program_hash="" if plan is None else plan.program_hash,
        plan_digest=attempt.plan_digest,
        lenders=notes.get("loans", {}),
        steps=() if plan is None else plan.steps,
        gas_by_step=() if simulation is None else simulation.gas_by_step,
        margins=() if bounds is None else bounds.margins,
        guards=tuple(
            result
            for one in _of(told, RecordKind.GUARDS)
            for result in GuardsBody.from_body(one.body).results
        ),
        deltas=tuple((symbol, str(amount)) for symbol, amount in sorted(deltas.items())),
        value_usd_e6=sum(body.value_usd_e6 for body in booked),
        transaction_hash=attempt.transaction_hash,
        block_number=attempt.block_number,
        gas_limit=0 if plan is None else plan.gas_limit,
        gas_used=attempt.gas_used,
        gas_cost_wei=str(attempt.gas_cost_wei),
    )


def _of(records: Iterable[Record], kind: RecordKind) -> Iterator[Record]:
    return (one for one in records if one.kind is kind)
