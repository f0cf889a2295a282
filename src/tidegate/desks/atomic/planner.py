"""From an intent to a plan: quote at the head, close every limit, bound the gas, compile.

The pinned head answers everything but gas, which only the exact world may say; so the planner is
handed a function that measures it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic.closing import floors_of, limits_of, max_fees_of, step_facts
from tidegate.desks.atomic.compiler import SignableProgram, compile_program
from tidegate.desks.atomic.prospect import Prospect, guard_context, quote
from tidegate.desks.atomic.quoting import Assignment, Quoted
from tidegate.desks.atomic.safeguards import Judgement
from tidegate.desks.atomic.terms import Closed
from tidegate.desks.atomic.valuation import by_address, gas_limit_of
from tidegate.model import (
    BPS,
    ZERO_ADDRESS,
    Address,
    Block,
    Denied,
    Intent,
    Plan,
    Reason,
    format_units,
    mul_div_down,
)
from tidegate.sim import WorldReverted
from tidegate.venues import NATIVE, StateView
from tidegate.venues.executor import (
    Load,
    LoadSource,
    at_risk_usd_e6,
    decode_error,
    encode_execute,
    flow_usd_e6,
    program_hash,
    walk,
)
from tidegate.venues.flash import LenderQuote

DESK = "atomic"
TRANSACTION_GAS_CAP = 2**24
"""EIP-7825: no transaction may have a higher gas limit."""

BLOCK_SHARE_BPS = 8_000

MeasureGas: TypeAlias = Callable[[Address, bytes], int]
"""Gas that a transaction of the operator to an address with data uses, measured in the exact world.

Raises ``WorldReverted`` if it does not go through.
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, what it was made from, and its guards ready to judge."""

    plan: Plan
    program: SignableProgram
    quoted: Quoted
    lenders: Mapping[str, list[LenderQuote]]
    judgement: Judgement


def prepare(intent: Intent, job: Assignment, view: StateView, measure_gas: MeasureGas) -> Prepared:
    """Return the plan of an intent at the head that ``view`` pins.

    Raises
    ------
    Denied
        With the reason, when no plan exists that keeps the strategy's rules.
    ConfigError
        If the strategy can not be compiled.
    """
    prospect = quote(job, view)
    block = view.block()
    run_id = bytes.fromhex(intent.id) if job.strategy.once else None
    terms = Closed(
        loans=prospect.quoted.loans,
        limits=limits_of(job.strategy, prospect.quoted),
        max_fees=max_fees_of(job.strategy, prospect),
        floors=floors_of(job.strategy, prospect.prices, gas_limit=0, max_fee_wei=0),
        deadline_s=intent.deadline_s,
        max_base_fee_wei=job.strategy.gas.max_base_fee_wei,
        checks=prospect.checks,
        run_id=run_id,
    )
    draft = compile_program(job.strategy, job.book, job.blinds, terms)
    gas_limit = _gas_limit(job, draft, block, measure_gas)
    floors = floors_of(
        job.strategy, prospect.prices, gas_limit=gas_limit, max_fee_wei=prospect.fees.max_fee_wei
    )
    _demand_floors(prospect.quoted, floors, job)
    program = compile_program(job.strategy, job.book, job.blinds, replace(terms, floors=floors))
    return Prepared(
        plan=_plan(intent, job, view, prospect, program, gas_limit),
        program=program,
        quoted=prospect.quoted,
        lenders=prospect.lenders,
        judgement=_judgement(job, prospect, terms, gas_limit),
    )


def _gas_limit(job: Assignment, draft: SignableProgram, block: Block, measure_gas: MeasureGas) -> int:
    gas = job.strategy.gas
    try:
        used = measure_gas(job.executor, encode_execute(draft.raw))
    except WorldReverted as error:
        explained = decode_error(error.data, draft.steps)
        raise Denied(
            Reason.SIMULATION_REVERTED,
            f"the plan reverts in the exact world: {explained}",
            found=str(explained.root.revert),
            fix="see the step and the reason",
        ) from error
    limit = gas_limit_of(used, gas.margin_bps)
    most = min(gas.max_gas, mul_div_down(block.gas_limit, BLOCK_SHARE_BPS, BPS), TRANSACTION_GAS_CAP)
    if limit > most:
        raise Denied(
            Reason.GAS_CAP,
            f"the run needs a gas limit of {limit}",
            found=str(limit),
            allowed=f"at most {most}",
            fix="raise gas.max_gas, or split the strategy",
        )
    return limit


def _demand_floors(quoted: Quoted, floors: Mapping[str, int], job: Assignment) -> None:
    for bound in job.strategy.bounds:
        delta, floor = quoted.deltas[bound.token], floors[bound.token]
        if delta < floor:
            decimals = job.book.token(bound.token).decimals
            raise Denied(
                Reason.UNPROFITABLE if bound.net_of_gas else Reason.BOUNDS,
                f"{bound.token} would change by less than its floor",
                found=f"{format_units(delta, decimals)} {bound.token}",
                allowed=f"at least {format_units(floor, decimals)} {bound.token}",
                fix="wait for a better market, or lower the bound",
            )


def _plan(
    intent: Intent,
    job: Assignment,
    view: StateView,
    prospect: Prospect,
    program: SignableProgram,
    gas_limit: int,
) -> Plan:
    prices = by_address(prospect.prices, job.book)
    max_fee_wei = prospect.fees.max_fee_wei
    return Plan(
        intent_id=intent.id,
        desk=DESK,
        chain_id=job.book.chain_id,
        to=job.executor,
        data=encode_execute(program.raw),
        value_wei=0,
        gas_limit=gas_limit,
        max_fee_wei=max_fee_wei,
        max_priority_fee_wei=prospect.fees.max_priority_fee_wei,
        deadline_s=intent.deadline_s,
        bounds=program.bounds,
        steps=program.steps,
        program_hash="0x" + program_hash(program.raw).hex(),
        at_risk_usd_e6=at_risk_usd_e6(program.program, prices, gas_limit=gas_limit, max_fee_wei=max_fee_wei),
        flow_usd_e6=flow_usd_e6(program.program, prices, balances=_balances(job, program, view)),
        prices_usd_e8={bound.symbol: prospect.prices[bound.symbol].price_usd_e8 for bound in program.bounds}
        | {"native": prospect.prices[NATIVE].price_usd_e8},
        notes=_notes(prospect),
    )


def _notes(prospect: Prospect) -> dict[str, Any]:
    """Return what a person wants to see beside the bytes; amounts are text, in base units."""
    quoted = prospect.quoted
    return {
        "quoted_at_block": quoted.block_number,
        "quoted_deltas": {symbol: str(delta) for symbol, delta in sorted(quoted.deltas.items())},
        "quotes": {
            f"{step_id}.{output}": str(value)
            for (step_id, output), value in sorted(quoted.values.items())
            if not step_id.startswith("guard:")
        },
        "lenders": {
            step_id: [
                {"name": item.name, "fee": str(item.fee), "cost_usd_e6": item.cost_usd_e6} for item in found
            ]
            for step_id, found in sorted(prospect.lenders.items())
        },
        "loans": {step_id: loan.lender_name for step_id, loan in sorted(quoted.loans.items())},
    }


def _balances(job: Assignment, program: SignableProgram, view: StateView) -> dict[Address, int]:
    """Return the executor's balances of every token whose balance the program loads."""
    wanted = {
        op.operand
        for op in walk(program.program.ops)
        if isinstance(op, Load) and op.source is LoadSource.BALANCE
    }
    found = {ZERO_ADDRESS: view.balance(job.executor)} if 0 in wanted else {}
    for token in job.book.tokens.values():
        if int(token.address, 16) in wanted:
            answer = view.call(token.address, encode_call("balanceOf(address)", job.executor))
            found[token.address] = int(decode_output(("uint256",), answer)[0])
    return found


def _judgement(job: Assignment, prospect: Prospect, terms: Closed, gas_limit: int) -> Judgement:
    base = guard_context(job, prospect.base.block, terms.deadline_s, gas_limit, prospect.quoted.block_number)
    return Judgement(
        safeguards=prospect.safeguards,
        base=replace(base, steps=step_facts(job, prospect.quoted, terms)),
        measured=prospect.quoted.measured,
    )
