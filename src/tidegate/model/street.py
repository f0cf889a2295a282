"""The nouns of the street: stage, intent, plan, simulation, outcome.

Money on chain is integers in base units; dollars are integers in millionths (``usd_e6``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from tidegate.model.evm import Address, Log, Revert, content_digest
from tidegate.model.reasons import Reason


class Stage(StrEnum):
    """The rungs of the ladder, lowest first."""

    BACKTEST = "backtest"
    PAPER = "paper"
    FORK = "fork"
    SHADOW = "shadow"
    CANARY = "canary"
    PRODUCTION = "production"


class Placement(StrEnum):
    """Where a guard stands: before sending, inside the transaction, after inclusion."""

    PRE = "pre"
    IN = "in"
    POST = "post"


class Operation(StrEnum):
    """What an intent does to the desk's risk: the classes that breakers mask and stops cover."""

    OPEN = "open"
    INCREASE = "increase"
    REDUCE = "reduce"
    CLOSE = "close"
    REFUND = "refund"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"

    @property
    def is_exit(self) -> bool:
        """Say whether it only ever lessens what is at risk: no limit, breaker or plain stop blocks it."""
        return self not in (Operation.OPEN, Operation.INCREASE)


class OutcomeKind(StrEnum):
    """How an intent can end. Ambiguous is not an end: it stays open until the chain answers."""

    DENIED = "denied"
    REJECTED = "rejected"
    AMBIGUOUS = "ambiguous"
    LANDED = "landed"
    REVERTED = "reverted"
    DROPPED = "dropped"

    @property
    def is_final(self) -> bool:
        """Say whether nothing more can happen to the intent."""
        return self is not OutcomeKind.AMBIGUOUS


class Route(StrEnum):
    """Where signed bytes go: to all public endpoints, to private ones alone, or to relays as a bundle."""

    PUBLIC = "public"
    PRIVATE = "private"
    BUNDLE = "bundle"


class Sending(msgspec.Struct, frozen=True):
    """By which routes a plan's bytes may leave: the first of ``order`` that takes them has them.

    ``blocks`` is for how many blocks after the head a bundle is offered, ``builders`` to which of the
    configured relays; none named is all. The public mempool is a route only with ``allow_public``.
    """

    order: tuple[Route, ...]
    blocks: int = 3
    builders: tuple[str, ...] = ()
    allow_public: bool = False


class Exposure(msgspec.Struct, frozen=True):
    """What a desk holds of a token at a venue once an intent has landed, more or less than before.

    ``change_usd_e6`` is negative where the intent lessens it.
    """

    venue: str
    token: str
    change_usd_e6: int


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a desk wants. ``id`` is a hash of its inputs: the same inputs, the same intent.

    ``deadline_s`` is chain time; ``flow_usd_e6`` is what the run moves (notional) and
    ``min_profit`` the base units of the desk's own measure that make it worth acting.
    ``body`` holds what the desk's ``plan`` needs, in canonical form. ``venues``, ``tokens`` and ``market``
    say what it touches: limits, stops and breakers of these scopes bind it.
    """

    id: str
    desk: str
    chain_id: int
    subject: str
    reason: str
    deadline_s: int
    notional_usd_e6: int
    body: dict[str, Any]
    operation: Operation = Operation.OPEN
    venues: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    market: str = ""
    exposures: tuple[Exposure, ...] = ()


class Bound(msgspec.Struct, frozen=True):
    """A balance that may not fall short: final minus start must be at least ``floor``.

    ``token`` zero means ETH. A negative floor is the most that may be spent.
    """

    token: Address
    symbol: str
    decimals: int
    floor: int
    payout: bool = False


class Step(msgspec.Struct, frozen=True):
    """What a tag inside the bytes stands for, in the words of the file that was compiled."""

    tag: int
    step_id: str
    label: str
    target: Address


class GuardResult(msgspec.Struct, frozen=True):
    """What a guard found. ``measured`` and ``bound`` are integers in ``unit``."""

    guard: str
    placement: Placement
    passed: bool
    code: str
    measured: int | None
    bound: int | None
    unit: str
    at_block: int
    note: str = ""
    on_failure: str = "revert"


class Plan(msgspec.Struct, frozen=True):
    """An intent compiled to bytes: one transaction on one chain, with its bounds.

    The signer recomputes ``digest`` from the transaction that it is asked to sign: bytes that
    changed between plan and signature are refused. Nonce and fees stay out of it, because a
    replacement changes them; fees are bounded by ``max_fee_wei``.

    ``gas_budget_wei`` is the most that all its gas may cost at any price, replacements included: the bounds
    were made for it. 0 means the gas limit at ``max_fee_wei``, so that nothing is left to raise.

    ``prices_usd_e8`` is the price of one whole token by symbol for every bound, and of the
    chain's own coin under ``native``, as the plan saw them: what a run earned is valued by them.

    ``sending`` is by which routes its bytes may leave; None where the chain is a node of ours.
    """

    intent_id: str
    desk: str
    chain_id: int
    to: Address
    data: bytes
    value_wei: int
    gas_limit: int
    max_fee_wei: int
    max_priority_fee_wei: int
    deadline_s: int
    bounds: tuple[Bound, ...]
    steps: tuple[Step, ...]
    program_hash: str
    at_risk_usd_e6: int
    flow_usd_e6: int
    prices_usd_e8: dict[str, int]
    notes: dict[str, Any] = {}
    gas_budget_wei: int = 0
    sending: Sending | None = None

    @property
    def gas_at_worst_wei(self) -> int:
        """Return the most that its gas may cost."""
        return self.gas_budget_wei or self.gas_limit * self.max_fee_wei

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what is signed except nonce and fees."""
        return content_digest(self.chain_id, self.to, self.data, self.value_wei, self.gas_limit)


class Probe(msgspec.Struct, frozen=True):
    """What a desk's own on-chain simulation reports: balance changes and gas by step.

    ``deltas`` stand in the order of the plan's bounds. ``gas_by_step`` holds step ids.
    """

    deltas: tuple[int, ...]
    gas_by_step: tuple[tuple[str, int], ...]


class Simulation(msgspec.Struct, frozen=True):
    """The plan's own bytes, from the plan's own sender, run against a pinned state.

    ``deltas`` are base units by token in the order of the plan's bounds, from the sender's
    desk account (the executor) and before payout. ``gas_by_step`` is by step id.
    """

    plan_digest: str
    block_number: int
    succeeded: bool
    gas_used: int
    deltas: tuple[int, ...]
    logs: tuple[Log, ...]
    gas_by_step: tuple[tuple[str, int], ...] = ()
    revert: Revert | None = None
    failing_step: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """How an intent ended, with what it cost and earned.

    ``deltas`` are realised base units in the order of the plan's bounds, ``gas_cost_wei`` is
    gas used times the price paid.
    """

    intent_id: str
    kind: OutcomeKind
    reason: Reason | None = None
    detail: str = ""
    transaction_hash: bytes = b""
    block_number: int | None = None
    gas_used: int = 0
    gas_cost_wei: int = 0
    deltas: tuple[int, ...] = ()
