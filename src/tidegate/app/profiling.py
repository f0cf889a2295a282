"""Where a plan's gas goes: by step and cause, measured on the node that holds the state.

The executor's own trace says how much gas is left as each operation begins, so the last of a frame has no
end. Two simulations mend that: the plan's program, and the same with a CHECK that always holds at the end of
each frame. What the second took more is what the marks cost, and is taken off again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate.app.planning import Planning
from tidegate.chain import hex_data, octets
from tidegate.chain.rpc import RpcPool
from tidegate.model import Denied, Plan, Reason, Unavailable
from tidegate.venues.executor import (
    Approve,
    Call,
    Check,
    Comparison,
    Flash,
    Op,
    Program,
    ProgramRefused,
    Simulated,
    assemble,
    calldata_gas,
    decode_execute,
    decode_simulated,
    disassemble,
    encode_simulate,
    encoded_size,
    gas_by_tag,
    walk,
)

CALL, LOAN, APPROVAL, GUARD, PATCH = "call", "loan", "approval", "guard", "patch"
_GUARD_LABELS = ("check ", "read ", "compute ")
_FREE_TAGS = range(254, -1, -1)


@dataclass(frozen=True, slots=True)
class OpGas:
    """One operation: whose step it is, what it is for, and its gas.

    ``inside`` is what the called contracts took, ``own`` the executor's part, ``calldata`` its bytes; a
    contract whose part the node does not tell is part of ``own``.
    """

    step: str
    cause: str
    what: str
    inside: int
    own: int
    calldata: int

    @property
    def gas(self) -> int:
        """Return all of it."""
        return self.inside + self.own + self.calldata


@dataclass(frozen=True, slots=True)
class Profile:
    """The gas of a plan. Operations, ``settlement`` and ``envelope`` add up to ``gas_needed``.

    ``settlement`` is what begins and ends a run and belongs to no step: lines, approvals at an end, bounds;
    ``envelope`` the base of a transaction, the bytes that are no operation's, the payout, less what tracing
    takes in a simulation alone. ``is_marked`` says whether the last
    steps of frames could be told from the frames' ends.
    """

    ops: tuple[OpGas, ...]
    settlement: int
    envelope: int
    gas_needed: int
    gas_used: int
    gas_limit: int
    gas_most: int
    is_marked: bool

    @property
    def causes(self) -> Mapping[str, int]:
        """Return the gas by cause, calldata apart."""
        found: dict[str, int] = {}
        for one in self.ops:
            found[one.cause] = found.get(one.cause, 0) + one.inside + one.own
        return {**found, "calldata": sum(one.calldata for one in self.ops)}

    @property
    def steps(self) -> Mapping[str, int]:
        """Return the gas by step."""
        found: dict[str, int] = {}
        for one in self.ops:
            found[one.step] = found.get(one.step, 0) + one.gas
        return found

    @property
    def headroom(self) -> int:
        """Return how much more gas a transaction might have."""
        return self.gas_most - self.gas_limit


async def profile(at: Planning, plan: Plan) -> Profile:
    """Measure a plan's own bytes at the block that it was made for.

    Raises
    ------
    Denied
        ``simulation_reverted`` if they do not run there.
    Unavailable
        If the node does not answer.
    """
    program = disassemble(decode_execute(plan.data))
    run = await at.rehearse(plan)
    plain = decode_simulated(run.probe_output)
    if plain is None or not run.succeeded:
        revert, step = at.desk.reader.explain(plan, run.output if not run.succeeded else run.probe_output)
        raise Denied(Reason.SIMULATION_REVERTED, f"step {step}: {revert}", fix="tidegate strategy simulate")
    marked, marks = marked_program(program)
    simulated, cost = plain, 0
    if marks:
        again = await at.chain.simulate(
            plan, sender=at.stand.account, probe_data=encode_simulate(assemble(marked)), at=at.at
        )
        found = decode_simulated(again.probe_output)
        if found is None:
            marked, marks = program, ()
        else:
            simulated, cost = found, found.gas_used - plain.gas_used
    block_most, cap = at.view.block().gas_limit, at.stand.network.transaction_gas_max
    own = _own_gas(simulated, marked, cost // len(marks) if marks else 0)
    ops = tuple(_ops(plan, program, own, await _inside(at, plan, program)))
    return Profile(
        ops=ops,
        settlement=plain.gas_used - sum(one.inside + one.own for one in ops),
        envelope=run.gas_needed - plain.gas_used - sum(one.calldata for one in ops),
        gas_needed=run.gas_needed,
        gas_used=run.gas_used,
        gas_limit=plan.gas_limit,
        gas_most=block_most if cap is None else min(block_most, cap),
        is_marked=bool(marks),
    )


def marked_program(program: Program) -> tuple[Program, tuple[int, ...]]:
    """Return the program with a CHECK that always holds at the end of each frame, and the tags of these.

    The program itself and no tags where there is no room for them.
    """
    used = {op.tag for op in walk(program.ops)}
    free = (tag for tag in _FREE_TAGS if tag not in used)
    marks: list[int] = []

    def ended(ops: Sequence[Op]) -> tuple[Op, ...]:
        inner = tuple(replace(op, ops=ended(op.ops)) if isinstance(op, Flash) else op for op in ops)
        marks.append(next(free))
        return (*inner, Check(marks[-1], Comparison.AT_LEAST, a=0))

    try:
        marked = replace(program, registers=max(1, program.registers), ops=ended(program.ops))
        assemble(marked)
    except (ProgramRefused, StopIteration):
        return program, ()
    return marked, tuple(marks)


def _own_gas(simulated: Simulated, program: Program, mark: int) -> dict[int, int]:
    """Return each operation's gas by tag, without what a loan's scope took and without its mark."""
    known = gas_by_tag(simulated, program)
    own = dict(known)
    for op in walk(program.ops):
        if isinstance(op, Flash) and op.tag in own:
            own[op.tag] -= sum(known.get(inner.tag, 0) for inner in op.ops) + mark
    return own


def _ops(plan: Plan, program: Program, own: Mapping[int, int], inside: Mapping[int, int]) -> Iterator[OpGas]:
    named, calldata = {step.tag: step for step in plan.steps}, dict(_calldata(plan, program))
    for op in walk(program.ops):
        step, gas = named[op.tag], own.get(op.tag, 0)
        there = min(inside.get(op.tag, 0), gas)
        name = step.step_id or "guards"
        yield OpGas(name, _cause(op, step.label), step.label, there, gas - there, calldata[op.tag])


def _cause(op: Op, label: str) -> str:
    match op:
        case Flash():
            return LOAN
        case Approve():
            return APPROVAL
        case Check():
            return GUARD
        case Call() if not op.is_read:
            return CALL
        case _:
            return GUARD if label.startswith(_GUARD_LABELS) else PATCH


def _calldata(plan: Plan, program: Program) -> Iterator[tuple[int, int]]:
    """Yield what each operation's own bytes cost as calldata; a loan's are those before its scope."""
    raw = decode_execute(plan.data)
    end = len(raw)
    sizes = [(op.tag, _own_size(op)) for op in walk(program.ops)]
    start = end - sum(size for _, size in sizes)
    for tag, size in sizes:
        yield tag, calldata_gas(raw[start : start + size])
        start += size


def _own_size(op: Op) -> int:
    return encoded_size(replace(op, ops=())) if isinstance(op, Flash) else encoded_size(op)


async def _inside(at: Planning, plan: Plan, program: Program) -> Mapping[int, int]:
    """Return what the contract called by each operation took, by tag; nothing if the node tells no traces."""
    call = {
        "from": at.stand.account,
        "to": plan.to,
        "data": hex_data(plan.data),
        "gas": hex(plan.gas_limit),
    }
    block = "latest" if at.at is None else hex(at.at.number)
    try:
        async with RpcPool(at.stand.network, at.stand.endpoints) as pool:
            trace = await pool.reads().request("debug_traceCall", call, block, {"tracer": "callTracer"})
    except Unavailable:
        return {}
    if not isinstance(trace, dict):
        return {}
    made = iter(list(_calls(trace, plan.to)))
    found: dict[int, int] = {}
    for op in walk(program.ops):
        wanted = _called(op)
        if wanted is None:
            continue
        match = next((one for one in made if (one["to"].lower(), octets(one["input"])[:4]) == wanted), None)
        if match is None:
            break
        found[op.tag] = int(match["gasUsed"], 16)
    return found


def _calls(frame: Mapping[str, Any], executor: str) -> Iterator[Mapping[str, Any]]:
    """Yield every call that the executor made, in order, those of its scopes among them."""
    for one in frame.get("calls", ()):
        if frame["to"].lower() == executor.lower():
            yield one
        yield from _calls(one, executor)


def _called(op: Op) -> tuple[str, bytes] | None:
    match op:
        case Call():
            return op.target.lower(), op.selector
        case Approve():
            return op.token.lower(), bytes.fromhex("095ea7b3")
        case _:
            return None
