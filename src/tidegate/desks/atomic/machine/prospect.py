"""What a strategy would do at the head: prices, lenders, and a quote that works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tidegate.desks.atomic.machine.enforcing import enforcement_of
from tidegate.desks.atomic.machine.lines import moved_tokens
from tidegate.desks.atomic.machine.loans import candidates, flash_steps, known_amounts, loan_facts
from tidegate.desks.atomic.machine.names import Names
from tidegate.desks.atomic.machine.quoting import Assignment, Quoted, run_quote
from tidegate.desks.atomic.machine.safeguards import Safeguard, lendings_of, paid_out, safeguards_of
from tidegate.desks.atomic.machine.serving import first_that_works
from tidegate.desks.atomic.machine.terms import GuardKey, Loan
from tidegate.desks.atomic.machine.valuation import Fees, fees_of, read_prices
from tidegate.model import Block
from tidegate.risk.guards import GuardContext, OnChainCheck, RunFacts
from tidegate.venues import StateView
from tidegate.venues.executor import TokenPrice
from tidegate.venues.flash import LenderQuote


@dataclass(frozen=True, slots=True)
class Prospect:
    """A quote with what is needed to close it. ``floors`` are the balance lines that guards ask for."""

    quoted: Quoted
    lenders: Mapping[str, list[LenderQuote]]
    prices: Mapping[str, TokenPrice]
    fees: Fees
    safeguards: tuple[Safeguard, ...]
    checks: Mapping[GuardKey, tuple[OnChainCheck, ...]]
    floors: Mapping[str, int]
    base: GuardContext


def quote(job: Assignment, view: StateView) -> Prospect:
    """Return what the strategy would do at the head, with the first lenders that work.

    Raises
    ------
    Denied
        ``unavailable`` without prices, ``flash_liquidity`` without lenders, ``guard_failed`` if an
        on-chain check can not be placed, or why the run reverts.
    """
    block = view.block()
    prices = read_prices(priced_symbols(job), job.book, view)
    fees = fees_of(block, job.strategy.gas)
    safeguards = safeguards_of(job.strategy, job.blinds)
    base = guard_context(job, block, block.timestamp + job.strategy.deadline_s, 0, block.number)
    enforced = enforcement_of(safeguards, base, view)
    amounts = known_amounts(job)

    def run(loans: Mapping[str, Loan]) -> Quoted:
        return run_quote(job, loans, view, enforced.checks)

    for _ in range(2):
        lenders = candidates(job, amounts, view, prices, fees.max_fee_wei)
        quoted = first_that_works(job, lenders, amounts, view, run)
        planned = {step.id: quoted.values[step.id, "amount"] for step in flash_steps(job.strategy)}
        if planned == amounts:
            break
        amounts = planned  # a loan that depends on other steps is known only now: choose again
    base = replace(base, loans=loan_facts(job, quoted, view), deltas=quoted.deltas)
    return Prospect(quoted, lenders, prices, fees, safeguards, enforced.checks, enforced.floors, base)


def priced_symbols(job: Assignment) -> set[str]:
    """Return the tokens whose prices a plan needs: all that move, and all that are bounded."""
    moved = moved_tokens(job.strategy.steps, Names(job.book, job.executor))
    return {*moved, *(bound.token for bound in job.strategy.bounds)}


def guard_context(
    job: Assignment, block: Block, deadline_s: int, gas_limit: int, quoted_at_block: int
) -> GuardContext:
    """Return what every guard of a run looks at; a gas limit that is not known yet is 0."""
    gas = job.strategy.gas
    return GuardContext(
        parameters={},
        book=job.book,
        executor=job.executor,
        block=block,
        run=RunFacts(
            gas_limit=gas_limit,
            max_gas=gas.max_gas,
            max_base_fee_wei=gas.max_base_fee_wei,
            deadline_s=deadline_s,
            quoted_at_block=quoted_at_block,
        ),
        lendings=lendings_of(job.strategy),
        paid_out=paid_out(job.strategy),
    )
