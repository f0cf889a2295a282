"""What a report shows, read from the journal alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.ledger import Attempt, DecisionBody, JournalReader, MarketBody, VerifyReport
from tidegate.model import BPS, OutcomeKind, Reason, RecordKind


@dataclass(slots=True)
class Run:
    """An intent that was walked, with what it was worth after gas.

    ``decided_at`` is the block that the desk saw, ``block`` the one that included the
    transaction, or the same where none was.
    """

    attempt: Attempt
    decided_at: int
    value_usd_e6: int = 0

    @property
    def block(self) -> int:
        """Return the block to show the run at."""
        return self.decided_at if self.attempt.block_number is None else self.attempt.block_number


@dataclass(slots=True)
class Gap:
    """How far one price stands above another, in basis points, by block; and what acting costs."""

    name: str
    threshold_bps: int
    points: list[tuple[int, float]] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """The figures of one journal. ``prices`` and ``gaps`` are by name and block."""

    verified: VerifyReport
    first_ms: int = 0
    last_ms: int = 0
    prices: dict[str, list[tuple[int, Decimal]]] = field(default_factory=dict)
    traded: set[str] = field(default_factory=set)
    gaps: dict[str, Gap] = field(default_factory=dict)
    base_fee_wei: list[tuple[int, int]] = field(default_factory=list)
    blocks: set[int] = field(default_factory=set)
    subjects: list[str] = field(default_factory=list)
    decisions: int = 0
    acted: int = 0
    held_back: Counter[Reason] = field(default_factory=Counter)
    refused: Counter[Reason] = field(default_factory=Counter)
    runs: list[Run] = field(default_factory=list)

    @property
    def block_range(self) -> tuple[int, int] | None:
        """Return the first and the last block of the report, or None if there is none."""
        blocks = self.blocks | {run.block for run in self.runs}
        return (min(blocks), max(blocks)) if blocks else None

    @property
    def blocks_looked_at(self) -> int:
        """Return how many blocks were looked at: with a market, those after its first, as a run counts."""
        if not self.base_fee_wei:
            return len(self.blocks)
        return self.base_fee_wei[-1][0] - self.base_fee_wei[0][0]

    def count(self, *kinds: OutcomeKind) -> int:
        """Return how many runs ended so."""
        return sum(run.attempt.outcome in kinds for run in self.runs)

    @property
    def sent(self) -> int:
        """Return how many runs left the house."""
        return sum(run.attempt.sent_at_ms is not None for run in self.runs)

    @property
    def value_usd_e6(self) -> int:
        """Return profit after gas, in millionths of a dollar."""
        return sum(run.value_usd_e6 for run in self.runs)

    @property
    def gas_used(self) -> int:
        """Return all gas that was paid for."""
        return sum(run.attempt.gas_used for run in self.runs)

    @property
    def gas_cost_wei(self) -> int:
        """Return what it cost."""
        return sum(run.attempt.gas_cost_wei for run in self.runs)


def read(reader: JournalReader) -> Reading:
    """Verify the journal and read every figure of the report from it.

    Raises
    ------
    Tampered
        If the journal is not whole: a report of a changed journal is worth nothing.
    """
    reading = Reading(reader.verify())
    intents = _read_records(reader, reading)
    values: Counter[str] = Counter()
    for line in reader.profit_and_loss():
        if line.entry == "value":
            values[line.intent_id] += line.amount
    for attempt in reader.attempts():
        decided_at = intents.get(attempt.intent_id, attempt.block_number or 0)
        reading.runs.append(Run(attempt, decided_at, values[attempt.intent_id]))
        if attempt.outcome is OutcomeKind.DENIED and attempt.reason is not None:
            reading.refused[attempt.reason] += 1
        _note_subject(reading, attempt.subject)
    return reading


def _read_records(reader: JournalReader, reading: Reading) -> dict[str, int]:
    """Take in every record in order; return the block at which each intent was decided."""
    decided_at: dict[str, int] = {}
    for record in reader.records():
        reading.first_ms = reading.first_ms or record.at_ms
        reading.last_ms = record.at_ms
        if record.kind is RecordKind.EVENT and record.body.get("kind") == "market":
            _read_market(MarketBody.from_body(record.body), reading)
        elif record.kind is RecordKind.DECISION:
            decision = DecisionBody.from_body(record.body)
            reading.blocks.add(decision.block)
            reading.decisions += 1
            reading.acted += decision.acted
            if decision.acted:
                decided_at[decision.intent_id] = decision.block
            elif decision.reason is not None:
                reading.held_back[decision.reason] += 1
            _note_subject(reading, decision.subject)
    return decided_at


def _read_market(market: MarketBody, reading: Reading) -> None:
    reading.blocks.add(market.block)
    reading.base_fee_wei.append((market.block, market.base_fee_wei))
    prices = {name: Decimal(text) for name, text in market.prices.items()}
    for name, price in prices.items():
        reading.prices.setdefault(name, []).append((market.block, price))
    for pair, threshold_bps in market.thresholds_bps.items():
        one, _, other = (part.strip() for part in pair.partition("|"))
        if one not in prices or other not in prices:
            continue
        reading.traded |= {one, other}
        gap = reading.gaps.setdefault(pair, Gap(f"{one} over {other}", threshold_bps))
        gap.points.append((market.block, float((prices[one] - prices[other]) * BPS / prices[other])))


def _note_subject(reading: Reading, subject: str) -> None:
    if subject not in reading.subjects:
        reading.subjects.append(subject)
