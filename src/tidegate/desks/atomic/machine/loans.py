"""Who serves the loans of a strategy: candidates in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.emission import Emission
from tidegate.desks.atomic.machine.lowering import Constant, Lowering
from tidegate.desks.atomic.machine.permission import how_to_allow, role_refusal
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.terms import Loan
from tidegate.model import BPS, Address, ConfigError, Denied, Reason, format_units, mul_div_up
from tidegate.venues import NATIVE, StateView, Token
from tidegate.venues.executor import TokenPrice
from tidegate.venues.flash import Lender, LenderQuote, LoanPrices, UniswapV3Lender, ask, choose, lenders_of

REPLANS_MAX = 3


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
        asset = job.book.token(step.asset)
        loan_prices = LoanPrices(prices[step.asset], prices[NATIVE], gas_price_wei)
        lenders = possible_lenders(step, job)
        quotes = choose(
            asset.address, amount, view, lenders=lenders, prices=loan_prices, executor=job.executor
        )
        found[step.id] = [quote for quote in quotes if above_max_fee(step, amount, quote.fee, asset) is None]
        if not found[step.id]:
            refused = role_refusal(job, view)
            if refused is not None:
                raise refused
            refusals, only_forbidden = {}, []
            for lender in lenders:
                answer = ask(lender, asset.address, amount, view, prices=loan_prices, executor=job.executor)
                if isinstance(answer, LenderQuote):
                    answer = above_max_fee(step, amount, answer.fee, asset) or ""
                elif _serves(
                    ask(lender, asset.address, amount, view, prices=loan_prices), step, amount, asset
                ):
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
        f"no lender serves {step.id}: {wanted}",
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


def attempts(found: Mapping[str, list[LenderQuote]]) -> Iterator[dict[str, Loan]]:
    """Yield choices of lenders, the cheapest first; at most three after the first."""
    depth = max((len(quotes) for quotes in found.values()), default=1)
    for attempt in range(min(depth, REPLANS_MAX + 1)):
        yield {step_id: _loan(quotes[min(attempt, len(quotes) - 1)]) for step_id, quotes in found.items()}


def _loan(quote: LenderQuote) -> Loan:
    return Loan(lender_name=quote.name, kind=quote.kind, lender=quote.lender, side=quote.side)


def _is_wanted(name: str, providers: tuple[str, ...]) -> bool:
    """Say whether a lender is among ``providers``: a protocol (``aave_v3``) or one contract's name."""
    return not providers or any(name == item or name.startswith(f"{item}.") for item in providers)


def _locked_pools(step: syntax.FlashStep, job: Assignment) -> frozenset[Address]:
    """Return the Uniswap v3 pools that are swapped inside the loan: they can not lend to it (ATM122)."""
    swapped = set()
    for inner in syntax.walk(step.steps):
        if isinstance(inner, syntax.ActionStep) and inner.use.startswith("uniswap_v3."):
            tokens = {value.text for value in inner.inputs.values() if isinstance(value, syntax.Word)}
            fee = _known(inner.inputs.get("fee"), job)
            swapped.add((frozenset(job.book.token(token).address for token in tokens), fee))
    return frozenset(
        lender.address
        for lender in lenders_of(job.book)
        if isinstance(lender, UniswapV3Lender)
        and (frozenset((lender.token0, lender.token1)), lender.fee_millionths) in swapped
    )


def _known(value: syntax.Value | None, job: Assignment) -> int | bool | str | None:
    if isinstance(value, syntax.BlindRef):
        return job.blinds.get(value.name)
    return value.base_units if isinstance(value, syntax.Literal) else None
