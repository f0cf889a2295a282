"""Quotes: the strategy's own program with open limits, run by the executor at a pinned head.

Nothing is modelled. What a step would give is what the protocols' own bytecode gave when the executor
simulated the very calls that the plan will make.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.addresses import book_of
from tidegate.desks.atomic.machine.compiler import QuoteProgram, compile_quote, guard_output
from tidegate.desks.atomic.machine.identity import demand_known_code
from tidegate.desks.atomic.machine.lowering import OutputKey
from tidegate.desks.atomic.machine.permission import how_to_allow
from tidegate.desks.atomic.machine.terms import GuardKey, Loan, Quote
from tidegate.model import Address, ConfigError, Denied, Divergence, Halted, Reason, format_units
from tidegate.risk.guards import OnChainCheck
from tidegate.sim import WorldReverted
from tidegate.venues import AddressBook, StateView, catalogue, glossary_of
from tidegate.venues.executor import (
    ExecutorError,
    Flash,
    FlashKind,
    Simulated,
    decode_error,
    decode_simulated,
    encode_simulate,
    walk,
)
from tidegate.venues.flash import PENALTY_USD_E6


class DoesNotPay(Denied):
    """The run loses: its steps do not pay a loan back, or take more from the executor than they may."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A strategy with what is fixed for a run: names, blinds, and the account that operates.

    ``book`` has the names that the file itself gives to addresses, too. ``lender_penalties_usd_e6`` is what
    caution adds to the cost of a kind of lenders.
    """

    strategy: syntax.Strategy
    book: AddressBook
    operator: Address
    blinds: Mapping[str, int | bool | str] = field(default_factory=dict)
    lender_penalties_usd_e6: Mapping[FlashKind, int] = field(default_factory=lambda: PENALTY_USD_E6)

    def __post_init__(self) -> None:
        if self.strategy.addresses:
            object.__setattr__(self, "book", book_of(self.strategy, self.book))

    @property
    def executor(self) -> Address:
        """Return the executor that the strategy names."""
        return self.book.executor(self.strategy.executor).address

    @property
    def searched_blind(self) -> syntax.Blind | None:
        """Return the blind that is left to the search: None if there is none, or a person gave its value."""
        blind = self.strategy.searched_blind
        return None if blind is None or blind.name in self.blinds else blind

    def with_blind(self, name: str, value: int) -> Assignment:
        """Return the same with another value of one blind."""
        return replace(self, blinds={**self.blinds, name: value})


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a run with open limits does at the head, in base units.

    Attributes
    ----------
    values
        By step id and output; what goes into a swap is ``in.<input>``, a loan has ``amount``.
    deltas
        Balance changes of the executor by symbol, before payout.
    measured
        What each guard that stands inside read, by label.
    """

    block_number: int
    loans: Mapping[str, Loan]
    values: Mapping[OutputKey, int]
    deltas: Mapping[str, int]
    measured: Mapping[GuardKey, Mapping[str, int]]


def run_quote(
    job: Assignment,
    loans: Mapping[str, Loan],
    view: StateView,
    checks: Mapping[GuardKey, tuple[OnChainCheck, ...]],
) -> Quoted:
    """Simulate the open program from the operator and return what it did.

    If not all values fit the registers at once, the same program is run again for the rest.

    Raises
    ------
    Denied
        ``simulation_reverted`` naming the step, ``policy_missing`` or ``role_missing``.
    ConfigError
        If the strategy can not be compiled.
    Tampered
        ATM005 if the executor, or what a step calls, has another code than the book says.
    """
    demand_known_code(job, view)
    block = view.block()
    terms = Quote(loans=loans, deadline_s=block.timestamp + job.strategy.deadline_s, checks=checks)
    values: dict[OutputKey, int] = {}
    deltas: dict[str, int] = {}
    for program in _programs(job, terms, watch_list(job.strategy, checks)):
        simulated = simulate_program(job, program, view)
        values.update(program.values(simulated.registers))
        deltas = {bound.symbol: delta for bound, delta in zip(program.bounds, simulated.deltas, strict=True)}
    return Quoted(
        block_number=block.number,
        loans=loans,
        values=values,
        deltas=deltas,
        measured={
            key: {check.label: values[guard_output(key, check.label)] for check in placed}
            for key, placed in checks.items()
        },
    )


def quote_deltas(job: Assignment, loans: Mapping[str, Loan], view: StateView) -> dict[str, int]:
    """Return only the balance changes, by symbol, in one simulation: what a size search asks.

    Raises as ``run_quote`` does.
    """
    deadline_s = view.block().timestamp + job.strategy.deadline_s
    program = compile_quote(job.strategy, job.book, job.blinds, Quote(loans, deadline_s), ())
    simulated = simulate_program(job, program, view)
    return {bound.symbol: delta for bound, delta in zip(program.bounds, simulated.deltas, strict=True)}


def simulate_program(job: Assignment, program: QuoteProgram, view: StateView) -> Simulated:
    """Run a program by the executor's ``simulate`` from the operator, changing nothing.

    Raises
    ------
    Denied
        With the failing step and why.
    Halted
        If the executor is paused.
    Divergence
        If ``simulate`` returns instead of reverting: that is not our executor.
    """
    try:
        view.call(job.executor, encode_simulate(program.raw), sender=job.operator)
    except WorldReverted as error:
        simulated = decode_simulated(error.data)
        if simulated is not None:
            return simulated
        raise _refusal(error.data, program, job) from error
    raise Divergence(
        "simulate returned", found="no revert", allowed="Simulated", fix="check the executor's code hash"
    )


def watch_list(
    strategy: syntax.Strategy, checks: Mapping[GuardKey, tuple[OnChainCheck, ...]]
) -> tuple[OutputKey, ...]:
    """Return what a quote must report: both sides of each limited step, each loan, each guard's reading."""
    keys: list[OutputKey] = []
    for step in syntax.walk(strategy.steps):
        if isinstance(step, syntax.FlashStep):
            keys.append((step.id, "amount"))
        elif isinstance(step, syntax.ActionStep) and (spec := catalogue().get(step.use)) and spec.limit:
            keys += [(step.id, spec.limit.of), (step.id, f"in.{spec.amount_input}")]
    keys += [guard_output(key, check.label) for key, placed in checks.items() for check in placed]
    return tuple(keys)


def _programs(job: Assignment, terms: Quote, watch: tuple[OutputKey, ...]) -> Iterable[QuoteProgram]:
    try:
        return (compile_quote(job.strategy, job.book, job.blinds, terms, watch),)
    except ConfigError as error:
        if error.code != "ATM115" or len(watch) < 2:
            raise
    half = len(watch) // 2
    return (*_programs(job, terms, watch[:half]), *_programs(job, terms, watch[half:]))


def _refusal(data: bytes, program: QuoteProgram, job: Assignment) -> Denied | Halted:
    error = decode_error(data, program.steps, glossary=glossary_of(job.book))
    root = error.root
    if root.meaning == "atomic: paused":
        return Halted("the executor is paused", code="paused", fix="a person unpauses it by the owner Safe")
    if root.rule is not None:
        reason, fix = Reason.POLICY_MISSING, how_to_allow(job)
    elif root.meaning == "atomic: role":
        reason, fix = Reason.ROLE_MISSING, how_to_allow(job)
    elif root.revert.name == "LossTooHigh":
        return DoesNotPay(
            Reason.SIMULATION_REVERTED,
            f"the run reverts at the head: it loses more than the executor may ({_loss(root, job)})",
            fix="wait for a market in which the run pays",
        )
    elif _is_of_a_lender(error, program):
        return DoesNotPay(
            Reason.SIMULATION_REVERTED,
            f"the run reverts at the head: a lender is not paid back ({error})",
            found=str(root.revert),
            fix="wait for a market in which the run pays, or give the executor funds of its own",
        )
    else:
        reason, fix = Reason.SIMULATION_REVERTED, "see the step and the reason"
    return Denied(reason, f"the run reverts at the head: {error}", found=str(root.revert), fix=fix)


def _loss(error: ExecutorError, job: Assignment) -> str:
    """Return in whole tokens what a run would lose, and the day with it; a token unknown here stays raw."""
    values: dict[str, Any] = dict(error.revert.arguments)
    for symbol, token in job.book.tokens.items():
        if token.address == values["token"]:
            run, day = (format_units(values[key], token.decimals, 6) for key in ("run", "day"))
            return f"{symbol} would lose {run} in this run and {day} today"
    return error.meaning


def _is_of_a_lender(error: ExecutorError, program: QuoteProgram) -> bool:
    """Say whether a lender reverted: the executor tags what fails in a step, and names what it refuses."""
    is_own = error.revert.kind == "custom" or error.meaning.startswith("atomic: ")
    return error.tag is None and not is_own and any(isinstance(op, Flash) for op in walk(program.program.ops))
