"""The smallest executor policy that lets a strategy run, whoever of its lenders serves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tidegate.chain import address
from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.compiler import compile_quote
from tidegate.desks.atomic.machine.enforcing import enforcement_of
from tidegate.desks.atomic.machine.lines import moved_tokens
from tidegate.desks.atomic.machine.loans import (
    above_max_fee,
    flash_steps,
    nobody_lends,
    possible_lenders,
)
from tidegate.desks.atomic.machine.names import Names
from tidegate.desks.atomic.machine.prospect import guard_context
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.raw_calls import raw_permissions
from tidegate.desks.atomic.machine.safeguards import safeguards_of
from tidegate.desks.atomic.machine.terms import Loan, Quote
from tidegate.model import Address, ConfigError, format_units
from tidegate.venues import StateView, Token, permissions
from tidegate.venues.executor import (
    Call,
    Change,
    PermissionBook,
    Program,
    RuleKind,
    merge_policies,
    required_policy,
    walk,
)
from tidegate.venues.flash import Lender

RUNS_PER_DAY = 3
"""How many runs that lose all they may a day's loss limit admits."""


def strategy_policy(job: Assignment, view: StateView) -> tuple[Change, ...]:
    """Return the changes that a fresh executor needs for every run that the blinds' ranges allow.

    Amounts under a cap are taken at the blinds' maximum. Loans are allowed from every lender of the
    address book that the strategy's ``provider`` and ``max_fee`` admit and that has some of the asset.

    Raises
    ------
    Denied
        ``flash_liquidity`` if nobody lends an asset at all.
    ConfigError
        If the strategy can not be compiled, an amount under a cap is known only on chain, or a cap
        would stand for amounts of two tokens.
    """
    return joint_policy((job,), view)


def joint_policy(jobs: Iterable[Assignment], view: StateView) -> tuple[Change, ...]:
    """Return one policy that serves all strategies on one executor. Raises as ``strategy_policy`` does.

    Raises
    ------
    ConfigError
        Also if a cap would stand for amounts of two tokens: it counts base units and knows no token, so
        half a WETH would be 500,000,000,000 USDC.
    """
    parts: list[tuple[Change, ...]] = []
    capped: dict[int, Address] = {}
    for job in jobs:
        rules_of = _rules_of(job)
        widest = replace(job, blinds={**job.blinds, **_maxima(job.strategy)})
        for program in _programs(widest, view):
            for key, asset in _capped_assets(program, rules_of):
                if capped.setdefault(key, asset) != asset:
                    names = sorted(job.book.name_of(one) for one in (asset, capped[key]))
                    raise ConfigError(
                        f"{job.strategy.name} and another use put amounts of two tokens under cap {key}",
                        code="policy",
                        found=" and ".join(names),
                        allowed="one token for a cap: it counts base units, whatever the token",
                        fix="give them executors of their own",
                    )
            parts.append(required_policy(program, rules_of, caps=_caps(program, widest)))
    return merge_policies(*parts)


def _programs(job: Assignment, view: StateView) -> Iterable[Program]:
    """Yield the strategy compiled with open limits, so that each lender serves once."""
    block = view.block()
    deadline_s = block.timestamp + job.strategy.deadline_s
    base = guard_context(job, block, deadline_s, 0, block.number)
    checks = enforcement_of(safeguards_of(job.strategy, job.blinds), base, view).checks
    for loans in _each_lender(job, view):
        terms = Quote(loans=loans, deadline_s=deadline_s, checks=checks)
        yield compile_quote(job.strategy, job.book, job.blinds, terms, ()).program


def _capped_assets(program: Program, rules_of: PermissionBook) -> Iterable[tuple[int, Address]]:
    """Yield, for every capped argument, the token that its call names."""
    for op in walk(program.ops):
        known = rules_of(op.target, op.selector) if isinstance(op, Call) else None
        if known is None or not isinstance(op, Call):
            continue
        assets = [rule.word for rule in known.rules if rule.kind is RuleKind.ASSET]
        for rule in known.rules:
            if rule.kind is RuleKind.CAP and assets:
                start = 4 + 32 * assets[0]
                yield rule.value, address(op.data[start : start + 32])


def loss_limits(jobs: Iterable[Assignment]) -> tuple[Change, ...]:
    """Return limits on what every token that the strategies move may lose, whatever lines a program has.

    A run may lose as much of a token as the strategy that spends most of it says by its bound, nothing
    if none says so; a day ``RUNS_PER_DAY`` times that. An operator key alone can then not empty the
    executor. Debts that grow are no loss of a token: this does not see them.
    """
    per_run: dict[str, int] = {}
    tokens: dict[str, Token] = {}
    for job in jobs:
        moved = moved_tokens(job.strategy.steps, Names(job.book, job.executor))
        spent = {bound.token: max(0, -bound.minimum) for bound in job.strategy.bounds}
        for symbol in {*moved, *spent}:
            tokens[symbol] = job.book.token(symbol)
            per_run[symbol] = max(per_run.get(symbol, 0), spent.get(symbol, 0))
    return tuple(
        Change.loss_limit(tokens[symbol].address, per_run=most, per_day=RUNS_PER_DAY * most)
        for symbol, most in sorted(per_run.items())
    )


def _maxima(strategy: syntax.Strategy) -> dict[str, int]:
    return {name: blind.maximum for name, blind in strategy.blinds.items() if blind.maximum is not None}


def _each_lender(job: Assignment, view: StateView) -> Iterable[Mapping[str, Loan]]:
    """Yield loans such that every lender of every flash step stands in one of them."""
    lenders = {}
    for step in flash_steps(job.strategy):
        asset = job.book.token(step.asset)
        refusals = {lender: _why_never(lender, step, asset, view) for lender in possible_lenders(step, job)}
        lenders[step.id] = [
            Loan(lender.name, lender.kind, lender.address, lender.side(asset.address))
            for lender, why in refusals.items()
            if why is None
        ]
        if not lenders[step.id]:
            raise nobody_lends(step, job, None, {lender.name: why or "" for lender, why in refusals.items()})
    longest = max((len(found) for found in lenders.values()), default=1)
    for place in range(longest):
        yield {step_id: found[min(place, len(found) - 1)] for step_id, found in lenders.items()}


def _why_never(lender: Lender, step: syntax.FlashStep, asset: Token, view: StateView) -> str | None:
    """Return why a lender can serve no loan of the step now, of whatever amount; None if it can.

    Its rate is asked for one whole token, or for a million base units if that is more.
    """
    if lender.liquidity(asset.address, view) == 0:
        return f"has no {asset.symbol} to lend"
    one = 10 ** max(asset.decimals, 6)
    above = above_max_fee(step, one, lender.fee(asset.address, one, view), asset)
    return above and f"for {format_units(one, asset.decimals)} {asset.symbol} {above}"


def _rules_of(job: Assignment) -> PermissionBook:
    return raw_permissions(job.strategy, Names(job.book, job.executor), permissions(job.book))


def _caps(program: Program, job: Assignment) -> dict[int, int]:
    """Return, by cap key, the largest amount that the program puts under it."""
    rules_of, caps = _rules_of(job), dict[int, int]()
    for op in walk(program.ops):
        known = rules_of(op.target, op.selector) if isinstance(op, Call) else None
        if known is None or not isinstance(op, Call):
            continue
        patched = {patch.word for patch in op.patches}
        for rule in known.rules:
            if rule.kind is RuleKind.CAP and rule.word not in patched:
                start = 4 + 32 * rule.word
                amount = int.from_bytes(op.data[start : start + 32])
                # An unset cap blocks everything, 0 too: the least that lets a 0 through is 1.
                caps[rule.value] = max(amount, 1, caps.get(rule.value, 0))
    return caps
