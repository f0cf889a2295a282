"""Which lenders serve the loans of a run together: the cheapest that can, and the next ones if it fails.

One loan takes the cheapest lender. Loans inside each other share what a lender has, and some lenders are
locked while they lend; so a choice is one lender for every loan, and choices are tried by what all their
loans cost together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from typing import TypeVar

from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.syntax import FlashStep
from tidegate.desks.atomic.machine.loans import (
    flash_steps,
    headroom_bps_of,
    nobody_lends,
)
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.terms import OPEN_FEE, Loan
from tidegate.model import BPS, Denied, Reason, mul_div_up
from tidegate.venues import StateView, glossary_of
from tidegate.venues.flash import LOCKED_WHILE_LENDING, LenderQuote, refusal_of, with_headroom

REPLANS_MAX = 3
"""How often a run is planned again after its first lenders failed."""

_CHOICES_MAX = 4_096
"""Choices that are looked at; four loans inside each other among eight lenders make as many."""

_Result = TypeVar("_Result")


def attempts(
    job: Assignment, found: Mapping[str, list[LenderQuote]], amounts: Mapping[str, int]
) -> Iterator[dict[str, Loan]]:
    """Yield every choice of lenders that can serve all loans of a run at once, the cheapest first.

    Parameters
    ----------
    found
        What ``candidates`` returned: for each loan, who can serve it alone.
    amounts
        Base units by loan; one that is not known yet counts as one unit.

    Raises
    ------
    Denied
        ``flash_liquidity`` if each loan has a lender, and no choice serves them all.
    """
    steps = flash_steps(job.strategy)
    around = _loans_around(job)
    needed = {step.id: with_headroom(amounts.get(step.id, 1), headroom_bps_of(step, job)) for step in steps}
    any_fits = False
    for choice in _by_cost([found[step.id] for step in steps]):
        quotes = {step.id: quote for step, quote in zip(steps, choice, strict=True)}
        if all(_fits(step, quotes, around[step.id], amounts, needed[step.id]) for step in steps):
            any_fits = True
            yield {step_id: _loan(quote) for step_id, quote in quotes.items()}
    if not any_fits:
        raise Denied(
            Reason.FLASH_LIQUIDITY,
            "no choice of lenders serves the loans inside each other",
            found="; ".join(f"{step}: {', '.join(one.name for one in found[step])}" for step in found),
            allowed="lenders that are not locked by a loan around, and that have enough for both",
            fix="lower an amount, take the loans one after the other, or allow another lender",
        )


def first_that_works(
    job: Assignment,
    found: Mapping[str, list[LenderQuote]],
    amounts: Mapping[str, int],
    view: StateView,
    run: Callable[[Mapping[str, Loan]], _Result],
) -> _Result:
    """Return what ``run`` gives with the first lenders with which it does not revert.

    At most three other choices are tried after the first; a lender that was found not to lend stands
    in none of them.

    Raises
    ------
    Denied
        The first revert that was not a lender's fault; ``flash_liquidity`` with each lender's own words
        if all were; whatever else ``run`` raises, at once.
    """
    refused: dict[str, dict[str, str]] = {}
    reverts: list[Denied] = []
    tried = 0
    for loans in attempts(job, found, amounts):
        if any(loan.lender_name in refused.get(step_id, ()) for step_id, loan in loans.items()):
            continue
        try:
            return run(loans)
        except Denied as error:
            if error.reason is not Reason.SIMULATION_REVERTED:
                raise
            faults = lender_faults(job, loans, amounts, view)
            if not faults:
                reverts.append(error)
            for step_id, why in faults.items():
                refused.setdefault(step_id, {})[loans[step_id].lender_name] = why
        tried += 1
        if tried > REPLANS_MAX:
            break
    if reverts:
        raise reverts[0]
    raise nobody_serves(job, amounts, refused)


def lender_faults(
    job: Assignment,
    loans: Mapping[str, Loan],
    amounts: Mapping[str, int],
    view: StateView,
    max_fees: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """Return, by loan, why its lender does not lend now; empty if all do.

    Parameters
    ----------
    max_fees
        The most that each loan may cost, in base units; by default what the author's ``max_fee`` allows.
    """
    faults = {}
    for step in flash_steps(job.strategy):
        amount, loan = max(amounts.get(step.id, 1), 1), loans[step.id]
        allowed = None if max_fees is None else max_fees.get(step.id)
        if allowed is None:
            allowed = OPEN_FEE if step.max_fee_bps is None else mul_div_up(amount, step.max_fee_bps, BPS)
        why = refusal_of(
            loan.kind,
            loan.lender,
            job.book.token(step.asset).address,
            amount,
            view,
            side=loan.side,
            executor=job.executor,
            operator=job.operator,
            chain_id=job.book.chain_id,
            max_fee=allowed,
            glossary=glossary_of(job.book),
        )
        if why is not None:
            faults[step.id] = why
    return faults


def nobody_serves(
    job: Assignment, amounts: Mapping[str, int], refused: Mapping[str, Mapping[str, str]]
) -> Denied:
    """Return the refusal of a run whose lenders failed one after the other, with what each one said."""
    step = next(step for step in flash_steps(job.strategy) if step.id in refused)
    said = {name: f"does not lend: {why}" for name, why in refused[step.id].items()}
    return nobody_lends(step, job, amounts.get(step.id), said)


def _by_cost(lists: list[list[LenderQuote]]) -> Iterator[tuple[LenderQuote, ...]]:
    """Yield one quote of each list in every combination, by cost, then gas, then names."""
    seen = {(0,) * len(lists)}
    waiting = [(*_rank(lists, (0,) * len(lists)), (0,) * len(lists))]
    for _ in range(_CHOICES_MAX):
        if not waiting:
            return
        *_, places = heappop(waiting)
        yield tuple(found[place] for found, place in zip(lists, places, strict=True))
        for index, place in enumerate(places):
            following = (*places[:index], place + 1, *places[index + 1 :])
            if place + 1 < len(lists[index]) and following not in seen:
                seen.add(following)
                heappush(waiting, (*_rank(lists, following), following))


def _rank(lists: list[list[LenderQuote]], places: tuple[int, ...]) -> tuple[int, int, tuple[str, ...]]:
    choice = [found[place] for found, place in zip(lists, places, strict=True)]
    cost = sum(quote.cost_usd_e6 for quote in choice)
    return cost, sum(quote.plan_gas for quote in choice), tuple(quote.name for quote in choice)


def _fits(
    step: FlashStep,
    quotes: Mapping[str, LenderQuote],
    around: tuple[FlashStep, ...],
    amounts: Mapping[str, int],
    needed: int,
) -> bool:
    """Say whether a loan's lender can still serve it inside the loans around it."""
    chosen = quotes[step.id]
    same = [outer for outer in around if quotes[outer.id].lender == chosen.lender]
    if same and chosen.kind in LOCKED_WHILE_LENDING:
        return False
    lent = sum(amounts.get(outer.id, 1) for outer in same if outer.asset == step.asset)
    return chosen.liquidity - lent >= needed


def _loans_around(job: Assignment) -> dict[str, tuple[FlashStep, ...]]:
    places = Scene.of(job.strategy).places
    return {
        step.id: tuple(scope for scope in places[step.id].around if isinstance(scope, FlashStep))
        for step in flash_steps(job.strategy)
    }


def _loan(quote: LenderQuote) -> Loan:
    return Loan(lender_name=quote.name, kind=quote.kind, lender=quote.lender, side=quote.side)
