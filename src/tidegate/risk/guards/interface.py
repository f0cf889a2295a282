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
from tidegate.venues import AddressBook, LimitKind
from tidegate.venues.executor import Comparison

PASSED = "ok"
"""The code of a guard that passed."""


class ParameterKind(StrEnum):
    """What an author writes for a parameter, and the unit of its integer."""

    BPS = "bps"
    SECONDS = "seconds"
    RATIO_E18 = "ratio_e18"  # 1.2 is 12 · 10¹⁷
    GAS = "gas"
    WEI = "wei"
    PAIR = "pair"  # two token symbols, WETH/USDC
    NAME = "name"  # a word, such as a protocol


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a guard. Without ``default`` (None) and with ``is_required`` it must be given.

    ``low`` and ``high`` are inclusive and apply to integers; ``choices`` to words.
    """

    kind: ParameterKind
    default: int | str | None = None
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A call whose answer a guard needs."""

    target: Address
    data: bytes


class Position(StrEnum):
    """Where an on-chain check stands: right before what it protects, or last in its scope."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class OnChainCheck:
    """Read word 0 of ``read`` inside the transaction and compare it with ``bound``.

    ``bps`` belongs to ``Comparison.NEAR``. ``label`` tells people what is compared.
    """

    label: str
    read: Read
    comparison: Comparison
    bound: int
    position: Position
    bps: int = 0


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A swap as it was quoted. Amounts in base units; ``limit`` bounds ``quote`` on chain.

    ``quote`` is what comes out for a minimum output, what goes in for a maximum input.
    """

    step_id: str
    limit_kind: LimitKind
    token_in: str
    token_out: str
    amount_in: int
    amount_out: int
    limit: int
    slippage_bps: int

    @property
    def quote(self) -> int:
        """Return the amount that the limit bounds."""
        return self.amount_out if self.limit_kind is LimitKind.MINIMUM_OUT else self.amount_in


@dataclass(frozen=True, slots=True)
class LoanFacts:
    """A flash loan as it was planned, in base units of its asset.

    ``liquidity`` answers in its first word what the lender has; ``lent_around`` is what the loans around
    this one have borrowed of that by then.
    """

    step_id: str
    lender: str
    amount: int
    lent_around: int
    liquidity: Read


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The plan as a whole. Gas in units of gas, fees in wei, times in seconds of chain time."""

    gas_limit: int
    max_gas: int
    max_base_fee_wei: int
    deadline_s: int
    quoted_at_block: int


@dataclass(frozen=True, slots=True)
class GuardContext:
    """Everything that a guard may look at.

    Attributes
    ----------
    parameters
        As given, defaults filled in; see ``Guard.parameters`` for units.
    steps, loans
        The quoted swaps and the loans that the guard protects: of its step, its group, or all.
    block
        Before sending: the pinned head. After inclusion: the block of inclusion.
    answers
        Answers to ``Guard.reads`` at ``block``; a read that reverted is not in it.
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
    answers: Mapping[Read, bytes] = field(default_factory=dict)
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

    def reads(self, context: GuardContext) -> tuple[Read, ...]:
        """Return the reads that ``pre``, ``ops`` and ``post`` need; ``context.answers`` is empty."""
        ...

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the plan before it is sent."""
        ...

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:
        """Return the checks of placement *in*.

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
