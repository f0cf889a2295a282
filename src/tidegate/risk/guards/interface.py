"""What a guard is: pure questions and answers, so that a decision can be replayed from its inputs.

A guard names the reads that it needs; whoever runs it fetches them in one batch pinned to one block
and hands the answers in. Inside a transaction it is data too: a read and a comparison, which the
compiler turns into READ and CHECK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tidegate.model import Address, Block, GuardResult, Placement, Receipt
from tidegate.risk.guards.facts import LendingFacts, LentFacts, LoanFacts, Question, RunFacts, StepFacts
from tidegate.risk.guards.onchain import OnChain
from tidegate.venues import AddressBook

PASSED = "ok"
"""The code of a guard that passed."""


class ParameterKind(StrEnum):
    """What an author writes for a parameter, and the unit of its integer."""

    BPS = "bps"
    SECONDS = "seconds"
    RATIO_E18 = "ratio_e18"  # 1.2 is 12 · 10¹⁷
    GAS = "gas"
    WEI = "wei"
    TICKS = "ticks"  # of a Uniswap v3 pool; one is about one basis point
    AMOUNT = "amount"  # base units of the token that another parameter names
    PRICE = "price"  # base units of a pair's second token for one whole first token
    PAIR = "pair"  # two token symbols, WETH/USDC
    TOKEN = "token"  # a token's symbol  # noqa: S105 - no secret
    NAME = "name"  # a word, such as a protocol


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a guard. Without ``default`` (None) and with ``is_required`` it must be given.

    ``low`` and ``high`` are inclusive and apply to integers; ``choices`` to words. ``of`` names the parameter
    that says the token of an amount, or the pair of a price; ``at_least`` one that it may not be below.
    """

    kind: ParameterKind
    default: int | str | None = None
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    is_required: bool = False
    of: str = ""
    at_least: str = ""


@dataclass(frozen=True, slots=True)
class GuardContext:
    """Everything that a guard may look at.

    Attributes
    ----------
    parameters
        As given, defaults filled in; see ``Guard.parameters`` for units.
    steps, loans, lendings
        The quoted swaps, the loans and the steps on lending markets that the guard protects: of its step,
        its group, or all.
    deltas, paid_out
        What the quoted run changes of the executor's balances, by symbol and before payout, and the tokens
        whose gain leaves for the treasury at the end.
    targets
        The accounts that the plan calls or asks.
    lent
        Whom the desk has borrowed from lately.
    block
        Before sending: the pinned head. After inclusion: the block of inclusion.
    answers
        Answers to ``Guard.reads`` at ``block``; one that reverted is not in it.
    measured
        What the checks of placement *in* read when the plan was quoted, by label.
    receipt, realised
        After inclusion: the receipt, and each swap's real amount by step id (see ``StepFacts.quote``).
    """

    parameters: Mapping[str, int | str]
    book: AddressBook
    executor: Address
    block: Block
    run: RunFacts
    steps: tuple[StepFacts, ...] = ()
    loans: tuple[LoanFacts, ...] = ()
    lendings: tuple[LendingFacts, ...] = ()
    deltas: Mapping[str, int] = field(default_factory=dict)
    paid_out: frozenset[str] = frozenset()
    targets: tuple[Address, ...] = ()
    lent: LentFacts = field(default_factory=LentFacts)
    answers: Mapping[Question, bytes] = field(default_factory=dict)
    measured: Mapping[str, int] = field(default_factory=dict)
    receipt: Receipt | None = None
    realised: Mapping[str, int] = field(default_factory=dict)

    def integer(self, name: str) -> int:
        """Return an integer parameter."""
        value = self.parameters[name]
        assert isinstance(value, int), f"{name} is no integer"
        return value

    def text(self, name: str) -> str:
        """Return a parameter that is a word."""
        value = self.parameters[name]
        assert isinstance(value, str), f"{name} is no text"
        return value


class Guard(Protocol):
    """A condition on a plan. Pure; an exception inside it counts as "did not pass"."""

    @property
    def name(self) -> str:
        """Return the name that strategy files use."""
        ...

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Return what may be set."""
        ...

    @property
    def placements(self) -> frozenset[Placement]:
        """Return where it may stand."""
        ...

    def reads(self, context: GuardContext) -> tuple[Question, ...]:
        """Return the questions that ``pre``, ``ops`` and ``post`` need; ``context.answers`` is empty."""
        ...

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the plan before it is sent."""
        ...

    def ops(self, context: GuardContext) -> tuple[OnChain, ...]:
        """Return what placement *in* asks of the chain.

        None means that the compiler enforces the guard by other means: a minimum-output word, the
        header, the gas limit.
        """
        ...

    def post(self, context: GuardContext) -> GuardResult:
        """Judge what was included; it can alert, not undo."""
        ...


def verdict(
    guard: str,
    placement: Placement,
    *,
    passed: bool,
    code: str,
    measured: int | None,
    bound: int | None,
    unit: str,
    at_block: int,
    note: str = "",
) -> GuardResult:
    """Return a result whose code is ``ok`` if it passed, else ``code``."""
    return GuardResult(
        guard=guard,
        placement=placement,
        passed=passed,
        code=PASSED if passed else code,
        measured=measured,
        bound=bound,
        unit=unit,
        at_block=at_block,
        note=note,
    )
