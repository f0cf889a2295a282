"""From an intent to a plan: quote at the head, close every limit, bound the gas, compile.

The pinned head answers everything but gas, which only the exact world may say. So planning has two
halves: a draft that is measured there, and the plan that the measure finishes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic.language.schema import MAXIMUM_GAS
from tidegate.desks.atomic.language.syntax import Relay
from tidegate.desks.atomic.machine.closing import floors_of, limits_of, max_fees_of, step_facts
from tidegate.desks.atomic.machine.compiler import SignableProgram, compile_program
from tidegate.desks.atomic.machine.judging import guard_notes
from tidegate.desks.atomic.machine.optional import drop_failing_groups
from tidegate.desks.atomic.machine.prospect import Prospect, quote
from tidegate.desks.atomic.machine.quoting import Assignment, Quoted
from tidegate.desks.atomic.machine.serving import lender_faults, nobody_serves
from tidegate.desks.atomic.machine.terms import Closed
from tidegate.desks.atomic.machine.valuation import by_address, gas_limit_of
from tidegate.model import (
    BPS,
    ZERO_ADDRESS,
    Address,
    Block,
    Denied,
    Intent,
    Plan,
    Reason,
    Route,
    Sending,
    format_units,
    mul_div_down,
)
from tidegate.venues import NATIVE, StateView, glossary_of
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

DESK = "atomic"
BLOCK_SHARE_BPS = 8_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that lacks one thing: gas, which only the exact world may say.

    Attributes
    ----------
    job
        The strategy without the optional groups that were ``dropped``.
    terms
        Closed, but for the cost of gas in the floors.
    balances
        The executor's balances of the tokens whose balance the program loads.
    gas_limit
        The highest that is allowed.
    gas_ceiling
        The highest that any transaction may have, whatever the strategy allows.
    """

    intent: Intent
    job: Assignment
    dropped: tuple[str, ...]
    prospect: Prospect
    terms: Closed
    program: SignableProgram
    balances: Mapping[Address, int]
    gas_limit: int
    gas_ceiling: int

    @property
    def plan(self) -> Plan:
        """Return the plan to be measured; it is never signed."""
        return _plan(self, self.program, self.gas_limit)

    @property
    def unlimited_plan(self) -> Plan:
        """Return the same with all the gas there is, to see whether gas is what it lacks."""
        return _plan(self, self.program, self.gas_ceiling)


def draft_plan(intent: Intent, job: Assignment, view: StateView) -> Draft:
    """Return the plan of an intent at the head that ``view`` pins, but for its gas.

    Raises
    ------
    Denied
        With the reason, when no plan exists that keeps the strategy's rules.
    ConfigError
        If the strategy can not be compiled.
    """
    job, dropped = drop_failing_groups(job, view)
    prospect = quote(job, view)
    run_id = bytes.fromhex(intent.id) if job.strategy.once else None
    terms = closed_terms(job, prospect, deadline_s=intent.deadline_s, run_id=run_id)
    program = compile_program(job.strategy, job.book, job.blinds, terms)
    return Draft(
        intent=intent,
        job=job,
        dropped=dropped,
        prospect=prospect,
        terms=terms,
        program=program,
        balances=_balances(job, program, view),
        gas_limit=most_gas(job.strategy.gas.max_gas, view.block()),
        gas_ceiling=most_gas(MAXIMUM_GAS, view.block()),
    )


def closed_terms(
    job: Assignment, prospect: Prospect, *, deadline_s: int, run_id: bytes | None = None
) -> Closed:
    """Return what closes a quote, but for the cost of gas in the floors."""
    return Closed(
        loans=prospect.quoted.loans,
        limits=limits_of(job.strategy, prospect.quoted),
        max_fees=max_fees_of(job.strategy, prospect),
        floors=floors_of(job.strategy, prospect.prices, prospect.floors, gas_limit=0, max_fee_wei=0),
        deadline_s=deadline_s,
        max_base_fee_wei=job.strategy.gas.max_base_fee_wei,
        checks=prospect.checks,
        run_id=run_id,
    )


def finish_plan(draft: Draft, gas_needed: int) -> Plan:
    """Return the plan with its gas limit, and with the cost of gas in its net floors.

    Parameters
    ----------
    gas_needed
        What ``draft.plan`` needs in the exact world: refunds come after the fact and do not count.

    Raises
    ------
    Denied
        ``gas_cap``, or ``unprofitable`` or ``bounds`` if the quote does not reach a floor.
    """
    job, prospect = draft.job, draft.prospect
    gas_limit = gas_limit_of(gas_needed, job.strategy.gas.margin_bps)
    if gas_limit > draft.gas_limit:
        raise Denied(
            Reason.GAS_CAP,
            f"the run needs a gas limit of {gas_limit}",
            found=str(gas_limit),
            allowed=f"at most {draft.gas_limit}",
            fix="raise gas.max_gas, or split the strategy",
        )
    floors = floors_of(
        job.strategy,
        prospect.prices,
        prospect.floors,
        gas_limit=gas_limit,
        max_fee_wei=prospect.fees.max_fee_wei,
    )
    _demand_floors(prospect.quoted, floors, job)
    terms = replace(draft.terms, floors=floors)
    program = compile_program(job.strategy, job.book, job.blinds, terms)
    return _plan(draft, program, gas_limit)


def refuse_reverted(draft: Draft, revert_data: bytes) -> Denied:
    """Return why a draft that reverts in the exact world is refused."""
    explained = decode_error(revert_data, draft.program.steps, glossary=glossary_of(draft.job.book))
    return Denied(
        Reason.SIMULATION_REVERTED,
        f"the plan reverts in the exact world: {explained}",
        found=str(explained.root.revert),
        fix="see the step and the reason",
    )


def draft_faults(draft: Draft, view: StateView) -> dict[str, str]:
    """Return, by loan, why its lender does not lend any more what the draft borrows; empty if all do."""
    loans, max_fees = draft.prospect.quoted.loans, draft.terms.max_fees
    return lender_faults(draft.job, loans, _borrowed(draft), view, max_fees)


def faults_refusal(draft: Draft, faults: Mapping[str, str]) -> Denied:
    """Return the refusal of a run whose lenders fail whenever it is planned."""
    loans = draft.prospect.quoted.loans
    refused = {step_id: {loans[step_id].lender_name: why} for step_id, why in faults.items()}
    return nobody_serves(draft.job, _borrowed(draft), refused)


def _borrowed(draft: Draft) -> dict[str, int]:
    return {loan.step_id: loan.amount for loan in draft.prospect.base.loans}


def most_gas(max_gas: int, block: Block) -> int:
    """Return the highest gas limit that a transaction may have after ``block``."""
    return min(max_gas, mul_div_down(block.gas_limit, BLOCK_SHARE_BPS, BPS), MAXIMUM_GAS)


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


def _plan(draft: Draft, program: SignableProgram, gas_limit: int) -> Plan:
    intent, job, prospect = draft.intent, draft.job, draft.prospect
    prices, max_fee_wei = by_address(prospect.prices, job.book), prospect.fees.max_fee_wei
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
        flow_usd_e6=flow_usd_e6(program.program, prices, balances=draft.balances),
        prices_usd_e8={bound.symbol: prospect.prices[bound.symbol].price_usd_e8 for bound in program.bounds}
        | {"native": prospect.prices[NATIVE].price_usd_e8},
        notes=_notes(draft),
        sending=_sending(job.strategy.relay),
    )


def _sending(relay: Relay) -> Sending:
    """Return by which routes the bytes may leave, as the strategy's file says."""
    return Sending(
        order=tuple(Route(name) for name in relay.order),
        blocks=relay.blocks,
        builders=relay.builders,
        allow_public=relay.allow_public,
    )


def _notes(draft: Draft) -> dict[str, Any]:
    """Return what a person wants to see beside the bytes, and what the guards need; amounts are text."""
    job, prospect, quoted = draft.job, draft.prospect, draft.prospect.quoted
    sized = job.strategy.searched_blind
    return {
        "strategy": job.strategy.name,
        "size": None if sized is None else str(job.blinds[sized.name]),
        "searched": draft.intent.body.get("size") is not None,
        "dropped_groups": list(draft.dropped),
        "quoted_deltas": {symbol: str(delta) for symbol, delta in sorted(quoted.deltas.items())},
        "loans": {step_id: loan.lender_name for step_id, loan in sorted(quoted.loans.items())},
        "lenders": {
            step_id: [
                {
                    "name": item.name,
                    "liquidity": str(item.liquidity),
                    "fee": str(item.fee),
                    "fee_usd_e6": item.fee_usd_e6,
                    "gas_usd_e6": item.gas_usd_e6,
                    "cost_usd_e6": item.cost_usd_e6,
                }
                for item in found
            ]
            for step_id, found in sorted(prospect.lenders.items())
        },
        **guard_notes(
            quoted.block_number,
            step_facts(job, quoted, draft.terms.limits),
            prospect.base.loans,
            quoted.measured,
        ),
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
