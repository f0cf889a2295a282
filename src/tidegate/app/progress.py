"""What a run has seen so far, folded from its journal: the figures of live view and summary."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tidegate.ledger import (
    BookingBody,
    DecisionBody,
    IntentBody,
    JudgementBody,
    MarketBody,
    OutcomeBody,
    ReceiptBody,
    Record,
)
from tidegate.model import BPS, OutcomeKind, Reason, RecordKind, format_usd

V2, V3, FEED, OUTSIDE = "uniswap_v2", "uniswap_v3", "feed", "outside"
"""The names under which a market event lists its prices of one WETH in dollars."""

MARKET = "market"

FOR_A_PERSON = frozenset(
    {
        Reason.LIMIT,
        Reason.NOT_RECONCILED,
        Reason.STOPPED,
        Reason.BREAKER,
        Reason.HALTED,
        Reason.CAPABILITY,
        Reason.CAPABILITY_EXPIRED,
        Reason.CAPABILITY_INVALID,
        Reason.CAPABILITY_REVOKED,
        Reason.CAPABILITY_UNKNOWN,
        Reason.CODE_CHANGED,
        Reason.FROZEN,
        Reason.FUNDS_MISSING,
        Reason.STORE_LOST,
        Reason.UNAVAILABLE,
        Reason.WITNESS_MISSING,
        Reason.NOTIONAL_LIMIT,
        Reason.AT_RISK_LIMIT,
        Reason.COUNT_LIMIT,
        Reason.ROLE_MISSING,
        Reason.POLICY_MISSING,
    }
)
"""What no better market ends: somebody has to do something, so a run says what, once for each cause."""

_FIGURES = "; found: "
_CAUSES_MAX = 20


@dataclass(slots=True)
class Account:
    """What became of a strategy's decisions.

    ``would_usd_e6`` is what its plans in shadow would have earned after gas, each in the first block that
    could have held it; None while none was judged.
    """

    decisions: int = 0
    intents: int = 0
    outcomes: Counter[OutcomeKind] = field(default_factory=Counter)
    value_usd_e6: int = 0
    gas_used: int = 0
    would_usd_e6: int | None = None


@dataclass(slots=True)
class _Run:
    subject: str
    block: int = 0
    value_usd_e6: int = 0
    would_usd_e6: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, in a line's worth of words; ``worth`` is empty where nothing was booked."""

    block: int
    subject: str
    kind: OutcomeKind
    worth: str
    why: str


@dataclass(slots=True)
class Progress:
    """A fold over the journal. Nothing in it is known from anywhere else.

    ``reasons`` counts decisions that did not act, ``refusals`` intents that the street denied. ``causes``
    has, for each cause that a person must end, the words of its first refusal: what, figures, what to do.
    """

    first_block: int | None = None
    block: int = 0
    base_fee_wei: int = 0
    prices: dict[str, Decimal] = field(default_factory=dict)
    gaps_bps: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    accounts: dict[str, Account] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    causes: dict[str, str] = field(default_factory=dict)
    recent: deque[Ended] = field(default_factory=lambda: deque(maxlen=10))
    seq: int = 0
    _runs: dict[str, _Run] = field(default_factory=dict)

    @property
    def blocks(self) -> int:
        """Return how many blocks were looked at after the first."""
        return 0 if self.first_block is None else self.block - self.first_block

    def take(self, records: Iterable[Record]) -> None:
        """Fold in records that follow those taken before."""
        for record in records:
            self.seq = record.seq
            match record.kind:
                case RecordKind.EVENT if record.body.get("kind") == MARKET:
                    self._market(MarketBody.from_body(record.body))
                case RecordKind.DECISION:
                    self._decision(DecisionBody.from_body(record.body))
                case RecordKind.INTENT:
                    self.expect(record.correlation_id, IntentBody.from_body(record.body).intent.subject)
                case RecordKind.RECEIPT:
                    receipt = ReceiptBody.from_body(record.body)
                    run = self._runs[record.correlation_id]
                    run.block = receipt.block_number
                    self.account(run.subject).gas_used += receipt.gas_used
                case RecordKind.BOOKING:
                    value = BookingBody.from_body(record.body).value_usd_e6
                    run = self._runs[record.correlation_id]
                    run.value_usd_e6 = value
                    self.account(run.subject).value_usd_e6 += value
                case RecordKind.JUDGEMENT:
                    self._judgement(record.correlation_id, JudgementBody.from_body(record.body))
                case RecordKind.OUTCOME:
                    self._outcome(self._runs[record.correlation_id], OutcomeBody.from_body(record.body))
                case _:
                    pass

    def expect(self, intent_id: str, subject: str) -> None:
        """Know a run by its intent, also one that began before the records that are taken here."""
        self._runs[intent_id] = _Run(subject, self.block)

    def account(self, subject: str) -> Account:
        """Return a strategy's account, opened at its first mention."""
        return self.accounts.setdefault(subject, Account())

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain data: integers and text, the same for the same run.

        ``would_have_earned_usd_e6`` is there once a plan in shadow was judged; nothing of it was earned.
        """
        judged = [one.would_usd_e6 for one in self.accounts.values() if one.would_usd_e6 is not None]
        return {
            "blocks": self.blocks,
            "strategies": {
                subject: {
                    "decisions": account.decisions,
                    "intents": account.intents,
                    **{kind.value: account.outcomes[kind] for kind in OutcomeKind if kind.is_final},
                    "value_after_gas_usd_e6": account.value_usd_e6,
                    "gas_used": account.gas_used,
                    **_would(account.would_usd_e6),
                }
                for subject, account in sorted(self.accounts.items())
            },
            "reasons": dict(sorted(self.reasons.items())),
            "refusals": dict(sorted(self.refusals.items())),
            "value_after_gas_usd_e6": sum(account.value_usd_e6 for account in self.accounts.values()),
            **_would(sum(judged) if judged else None),
        }

    def _market(self, market: MarketBody) -> None:
        self._reach(market.block)
        self.base_fee_wei = market.base_fee_wei
        self.prices = {name: Decimal(price) for name, price in market.prices.items()}
        self.gaps_bps.append(int((self.prices[V2] - self.prices[V3]) * BPS / self.prices[V3]))

    def _reach(self, block: int) -> None:
        self.block = block
        if self.first_block is None:
            self.first_block = block

    def _decision(self, decision: DecisionBody) -> None:
        self._reach(decision.block)
        account = self.account(decision.subject)
        account.decisions += 1
        account.intents += decision.acted
        if decision.reason is not None:
            self.reasons[decision.reason.value] += 1
            self._cause(decision.reason, str(decision.result.get("detail", "")))

    def _judgement(self, intent_id: str, judged: JudgementBody) -> None:
        """Take the verdict: the first block that could have held the plan. Later ones decide nothing."""
        run = self._runs.get(intent_id)
        if run is None or run.would_usd_e6 is not None or judged.value_usd_e6 is None:
            return
        run.block, run.would_usd_e6 = judged.block_number, judged.value_usd_e6
        account = self.account(run.subject)
        account.would_usd_e6 = (account.would_usd_e6 or 0) + judged.value_usd_e6

    def _outcome(self, run: _Run, outcome: OutcomeBody) -> None:
        self.account(run.subject).outcomes[outcome.kind] += 1
        if outcome.kind is OutcomeKind.DENIED and outcome.reason is not None:
            self.refusals[outcome.reason.value] += 1
            self._cause(outcome.reason, outcome.detail)
        settled = outcome.kind in {OutcomeKind.LANDED, OutcomeKind.REVERTED}
        worth = format_usd(run.value_usd_e6) if settled else ""
        if run.would_usd_e6 is not None:
            worth = f"would have earned {format_usd(run.would_usd_e6)} after gas"
        why = outcome.reason.value if outcome.reason is not None else outcome.detail
        self.recent.appendleft(Ended(run.block, run.subject, outcome.kind, worth, why))

    def _cause(self, reason: Reason, detail: str) -> None:
        """Keep the first words of a cause; figures differ from time to time, the cause does not."""
        if reason in FOR_A_PERSON and len(self.causes) < _CAUSES_MAX:
            what = f"{reason.value}: {detail.partition(_FIGURES)[0]}"
            self.causes.setdefault(what, f"{reason.value}: {detail}")


def _would(value_usd_e6: int | None) -> dict[str, int]:
    return {} if value_usd_e6 is None else {"would_have_earned_usd_e6": value_usd_e6}
