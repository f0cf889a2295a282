"""What the demo has seen so far: the figures of the live view and of the summary, in one place."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from tidegate.app.demo.market import Prices
from tidegate.model import Outcome, OutcomeKind, Reason


@dataclass(slots=True)
class Line:
    """A strategy's account."""

    decisions: int = 0
    intents: int = 0
    outcomes: Counter[OutcomeKind] = field(default_factory=Counter)
    value_usd_e6: int = 0
    gas_used: int = 0


@dataclass(slots=True)
class Progress:
    """Counts what happened, block by block."""

    first_block: int
    block: int = 0
    base_fee_wei: int = 0
    prices: Prices | None = None
    gaps_bps: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    lines: dict[str, Line] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=10))

    def saw_block(self, block: int, base_fee_wei: int, prices: Prices) -> None:
        """Take in a new block."""
        self.block, self.base_fee_wei, self.prices = block, base_fee_wei, prices
        self.gaps_bps.append(prices.gap_bps)

    def decided(self, subject: str, reason: Reason | None) -> None:
        """Take in a decision; ``reason`` None means that the desk acted."""
        line = self.line(subject)
        line.decisions += 1
        if reason is None:
            line.intents += 1
        else:
            self.reasons[reason.value] += 1

    def ended(self, subject: str, outcome: Outcome, value_usd_e6: int) -> None:
        """Take in an outcome."""
        line = self.line(subject)
        line.outcomes[outcome.kind] += 1
        line.value_usd_e6 += value_usd_e6
        line.gas_used += outcome.gas_used
        if outcome.reason is not None:
            self.reasons[outcome.reason.value] += 1
        worth = f"{value_usd_e6 / 1e6:+.2f} USD" if outcome.block_number is not None else ""
        why = outcome.reason.value if outcome.reason is not None else outcome.detail
        self.recent.appendleft(
            f"{outcome.block_number or self.block:>5}  {subject:<16} {outcome.kind.value:<9} {worth} {why}"
        )

    def line(self, subject: str) -> Line:
        """Return a strategy's account, opened at its first mention."""
        return self.lines.setdefault(subject, Line())

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain data: integers and text, the same for the same run."""
        return {
            "blocks": self.block - self.first_block,
            "strategies": {
                subject: {
                    "decisions": line.decisions,
                    "intents": line.intents,
                    **{kind.value: line.outcomes[kind] for kind in OutcomeKind if kind.is_final},
                    "profit_after_gas_usd_e6": line.value_usd_e6,
                    "gas_used": line.gas_used,
                }
                for subject, line in sorted(self.lines.items())
            },
            "reasons": dict(sorted(self.reasons.items())),
            "profit_after_gas_usd_e6": sum(line.value_usd_e6 for line in self.lines.values()),
        }
