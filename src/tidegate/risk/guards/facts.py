"""What guards look at: questions to one block's state, and the plan's swaps, loans and lendings as facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tidegate.model import Address
from tidegate.venues import ActionKind, LimitKind


@dataclass(frozen=True, slots=True)
class Read:
    """A call whose answer a guard needs."""

    target: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class CodeOf:
    """The runtime code of an account. The answer is the code itself, empty where there is none."""

    account: Address


@dataclass(frozen=True, slots=True)
class BalanceOf:
    """What ``holder`` has of a token; the zero address is ETH. The answer is one word."""

    token: Address
    holder: Address


@dataclass(frozen=True, slots=True)
class Before:
    """The same question one block earlier: what a run has changed is the answer less this one.

    After inclusion it is answered at the parent of the block of inclusion, before sending at the head.
    """

    of: Read | BalanceOf


Question: TypeAlias = Read | CodeOf | BalanceOf | Before


def word(answer: bytes, index: int = 0) -> int:
    """Return one word of an answer as an unsigned integer.

    Raises
    ------
    ValueError
        If the answer is too short to hold it: that is no contract of the kind that was asked.
    """
    found = answer[32 * index : 32 * index + 32]
    if len(found) != 32:
        raise ValueError(f"word {index} of an answer of {len(answer)} bytes")
    return int.from_bytes(found)


@dataclass(frozen=True, slots=True)
class Hop:
    """One pool that a swap goes through: ``fee_millionths`` of what goes in stays there."""

    venue: str
    pool: Address
    token_in: Address
    token_out: Address
    fee_millionths: int


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A swap as it was quoted. Amounts in base units; ``limit`` bounds ``quote`` on chain.

    ``quote`` is what comes out for a minimum output, what goes in for a maximum input. ``hops`` are the
    pools in the order of the path, empty if the address book does not know them all.
    """

    step_id: str
    limit_kind: LimitKind
    token_in: str
    token_out: str
    amount_in: int
    amount_out: int
    limit: int
    slippage_bps: int
    hops: tuple[Hop, ...] = ()

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
class LendingFacts:
    """A step on a lending market: what it does there, with which token."""

    step_id: str
    protocol: str
    kind: ActionKind
    asset: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The plan as a whole. Gas in units of gas, fees in wei, times in seconds of chain time."""

    gas_limit: int
    max_gas: int
    max_base_fee_wei: int
    deadline_s: int
    quoted_at_block: int


@dataclass(frozen=True, slots=True)
class LentFacts:
    """What flash lenders lent the desk over the last seven days: dollars by lender, and how many loans."""

    usd_e6: tuple[tuple[str, int], ...] = ()
    loans: int = 0
