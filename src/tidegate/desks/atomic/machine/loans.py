"""Who serves the loans of a strategy: candidates in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.language.scene import Scene, list_items
from tidegate.desks.atomic.machine.emission import Emission
from tidegate.desks.atomic.machine.lowering import Constant, Lowering
from tidegate.desks.atomic.machine.permission import how_to_allow, role_refusal
from tidegate.desks.atomic.machine.quoting import Assignment, Quoted
from tidegate.desks.atomic.machine.safeguards import safeguards_of
from tidegate.model import BPS, Address, ConfigError, Denied, Reason, format_units, mul_div_up
from tidegate.risk.guards import LoanFacts, Read
from tidegate.venues import NATIVE, StateView, Token
from tidegate.venues.executor import TokenPrice
from tidegate.venues.flash import (
    HEADROOM_BPS,
    Lender,
    LenderQuote,
    LoanPrices,
    UniswapV3Lender,
    ask,
    choose,
    lenders_of,
)

LIQUIDITY_GUARD = "flash_liquidity"
"""The guard whose ``headroom`` is also the chooser's."""


def flash_steps(strategy: syntax.Strategy) -> tuple[syntax.FlashStep, ...]:
    """Return every loan of a strategy, outer ones first."""
    return tuple(step for step in syntax.walk(strategy.steps) if isinstance(step, syntax.FlashStep))


def known_amounts(job: Assignment) -> dict[str, int]:
    """Return the amounts of loans that literals and blinds fix; others are known once quoted."""
    amounts = {}
    for step in flash_steps(job.strategy):
        lowering = Lowering(Emission(), job.book, job.executor, job.blinds, lambda _: "amount")
        try:
            operand = lowering.operand(step.amount, step.id)
        except ConfigError as error:
            if error.code != "ATM120":
                raise
            continue  # it depends on what another step returns
        if isinstance(operand, Constant):
            amounts[step.id] = operand.value
    return amounts


def candidates(
    job: Assignment,
    amounts: Mapping[str, int],
    view: StateView,
    prices: Mapping[str, TokenPrice],
    gas_price_wei: int,
) -> dict[str, list[LenderQuote]]:
    """Return, for each loan, the lenders that can serve it, the cheapest first.

    A loan whose amount is not known yet is asked for one base unit. ``max_fee`` of the step rules out
    lenders that ask for more.

    Raises
    ------
    Denied
        ``flash_liquidity`` if a loan has none, with the reason of each lender; ``role_missing`` or
        ``policy_missing`` if it has none because nobody allowed it to this account or executor.
    ConfigError
        ATM111 if a provider that the strategy names does not exist.
    """
    found = {}
    for step in flash_steps(job.strategy):
        amount = amounts.get(step.id, 1)
        asset, headroom_bps = job.book.token(step.asset), headroom_bps_of(step, job)
        loan_prices = LoanPrices(
            prices[step.asset], prices[NATIVE], gas_price_wei, job.lender_penalties_usd_e6
        )
        lenders = possible_lenders(step, job)
        quotes = choose(
            asset.address,
            amount,
            view,
            headroom_bps,
            lenders=lenders,
            prices=loan_prices,
            executor=job.executor,
        )
        found[step.id] = [quote for quote in quotes if above_max_fee(step, amount, quote.fee, asset) is None]
        if not found[step.id]:
            refused = role_refusal(job, view)
            if refused is not None:
                raise refused
            refusals, only_forbidden = {}, []
            for lender in lenders:
                loan = (lender, asset.address, amount, view, headroom_bps)
                answer = ask(*loan, prices=loan_prices, executor=job.executor)
                if isinstance(answer, LenderQuote):
                    answer = above_max_fee(step, amount, answer.fee, asset) or ""
                elif _serves(ask(*loan, prices=loan_prices), step, amount, asset):
                    only_forbidden.append(lender.name)
                refusals[lender.name] = answer
            if only_forbidden:
                raise _forbidden(step, job, only_forbidden)
            raise nobody_lends(step, job, amount, refusals)
    return found


def above_max_fee(step: syntax.FlashStep, amount: int, fee: int, asset: Token) -> str | None:
    """Return in words that a fee is above the step's ``max_fee``; None if it is not. Base units."""
    most = fee if step.max_fee_bps is None else mul_div_up(amount, step.max_fee_bps, BPS)
    if fee <= most:
        return None
    asked, allowed = (format_units(figure, asset.decimals) for figure in (fee, most))
    return f"its fee {asked} is above max_fee, {allowed} {asset.symbol} ({step.max_fee_bps} bps)"


def _serves(answer: LenderQuote | str, step: syntax.FlashStep, amount: int, asset: Token) -> bool:
    return isinstance(answer, LenderQuote) and above_max_fee(step, amount, answer.fee, asset) is None


def _forbidden(step: syntax.FlashStep, job: Assignment, lenders: list[str]) -> Denied:
    """Return the refusal of a loan that somebody would serve, if only the executor's policy let him."""
    return Denied(
        Reason.POLICY_MISSING,
        f"the policy of {job.strategy.executor} allows no lender that can serve {step.id}",
        found=f"not allowed: {', '.join(sorted(lenders))}",
        allowed="at least one lender that has the loan",
        fix=how_to_allow(job),
    )


def nobody_lends(
    step: syntax.FlashStep, job: Assignment, amount: int | None, refusals: Mapping[str, str]
) -> Denied:
    """Return the refusal of a loan that says of each lender why not; ``amount`` in base units, if known."""
    reasons = {
        **refusals,
        **dict.fromkeys(_locked_names(step, job), "locked: the loan's own steps swap in it"),
    }
    said = "; ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items()))
    asset = job.book.token(step.asset)
    wanted = asset.symbol if amount is None else f"{format_units(amount, asset.decimals)} {asset.symbol}"
    return Denied(
        Reason.FLASH_LIQUIDITY,
        f"no lender serves {step.id}: {wanted} (ATM114)",
        found=said or f"no lender of {asset.symbol} among {', '.join(step.providers) or 'all'}",
        allowed="a lender that has it, that the executor allows, that is not locked, within max_fee",
        fix="lower the amount, raise max_fee, or allow another lender",
    )


def possible_lenders(step: syntax.FlashStep, job: Assignment) -> tuple[Lender, ...]:
    """Return the lenders of the address book that ``provider`` admits and that are not locked.

    A Uniswap v3 pool lends only its own two tokens, and none while it is swapped inside the loan.
    """
    locked = _locked_pools(step, job)
    return tuple(lender for lender in _wanted_lenders(step, job) if lender.address not in locked)


def _locked_names(step: syntax.FlashStep, job: Assignment) -> tuple[str, ...]:
    locked = _locked_pools(step, job)
    return tuple(lender.name for lender in _wanted_lenders(step, job) if lender.address in locked)


def _wanted_lenders(step: syntax.FlashStep, job: Assignment) -> tuple[Lender, ...]:
    """Return the lenders that ``provider`` admits and that have to do with the asset."""
    asset = job.book.token(step.asset).address
    return tuple(
        lender
        for lender in lenders_of(job.book)
        if _is_wanted(lender.name, step.providers)
        and (not isinstance(lender, UniswapV3Lender) or asset in (lender.token0, lender.token1))
    )


def headroom_bps_of(step: syntax.FlashStep, job: Assignment) -> int:
    """Return how much more than the loan its lender must hold: what the guards over it ask, or a tenth."""
    asked = [
        item.parameters["headroom"]
        for item in safeguards_of(job.strategy, job.blinds)
        if item.guard.name == LIQUIDITY_GUARD and step.id in item.protects
    ]
    return max((bps for bps in asked if isinstance(bps, int)), default=HEADROOM_BPS)


def loan_facts(job: Assignment, quoted: Quoted, view: StateView) -> tuple[LoanFacts, ...]:
    """Return each loan as it was quoted, with the question of what its lender has."""
    known = {lender.name: lender for lender in lenders_of(job.book)}
    places, facts = Scene.of(job.strategy).places, []
    for step in flash_steps(job.strategy):
        loan = quoted.loans[step.id]
        around = [scope for scope in places[step.id].around if isinstance(scope, syntax.FlashStep)]
        same = [
            outer.id
            for outer in around
            if outer.asset == step.asset and quoted.loans[outer.id].lender == loan.lender
        ]
        asset = job.book.token(step.asset).address
        facts.append(
            LoanFacts(
                step_id=step.id,
                lender=loan.lender_name,
                amount=quoted.values[step.id, "amount"],
                lent_around=sum(quoted.values[outer, "amount"] for outer in same),
                liquidity=Read(*known[loan.lender_name].liquidity_call(asset, view)),
            )
        )
    return tuple(facts)


def _is_wanted(name: str, providers: tuple[str, ...]) -> bool:
    """Say whether a lender is among ``providers``: a protocol (``aave_v3``) or one contract's name."""
    return not providers or any(name == item or name.startswith(f"{item}.") for item in providers)


def _locked_pools(step: syntax.FlashStep, job: Assignment) -> frozenset[Address]:
    """Return the Uniswap v3 pools that are swapped inside the loan: they can not lend to it (ATM122)."""
    pools = [lender for lender in lenders_of(job.book) if isinstance(lender, UniswapV3Lender)]
    locked = set()
    for inner in syntax.walk(step.steps):
        if isinstance(inner, syntax.ActionStep) and inner.use.startswith("uniswap_v3."):
            tokens, fees = _tokens_and_fees(inner, job)
            locked |= {
                pool.address
                for pool in pools
                if {pool.token0, pool.token1} <= tokens and pool.fee_millionths in fees
            }
    return frozenset(locked)


def _tokens_and_fees(step: syntax.ActionStep, job: Assignment) -> tuple[set[Address], set[object]]:
    """Return every token and every fee that a swap names: a path may touch any of their pools."""
    tokens, fees = set[Address](), set[object]()
    for name, value in step.inputs.items():
        for item in list_items(value):
            if isinstance(item, syntax.Word) and item.text in job.book.tokens:
                tokens.add(job.book.tokens[item.text].address)
            elif name.startswith("fee"):
                fees.add(_known(item, job))
    return tokens, fees


def _known(value: syntax.Value, job: Assignment) -> int | bool | str | None:
    if isinstance(value, syntax.BlindRef):
        return job.blinds.get(value.name)
    return value.base_units if isinstance(value, syntax.Literal) else None
