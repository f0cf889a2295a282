"""After a start: what the journal says was counted is counted again, by the time of each event.

Only as far back as the longest window reaches, or the oldest mark, is read: what is older has rolled off.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.ledger import (
    BookingBody,
    IntentBody,
    Journal,
    JournalReader,
    MarkBody,
    OutcomeBody,
    PlanBody,
    Record,
    ResumeBody,
)
from tidegate.model import Intent, OutcomeKind, Plan, RecordKind, Stage
from tidegate.risk.limits.book import LimitBook
from tidegate.risk.limits.rows import WEEK_S
from tidegate.risk.scope import Scope

ACTOR = "limits"
FAILURE_BREAKERS = frozenset({"failed_share", "consecutive_failures"})
"""Breakers whose release by a person also begins the count of failures anew."""


@dataclass(slots=True)
class _Run:
    intent: Intent
    at_s: int
    plan: Plan | None = None
    has_place: bool = False
    ended: OutcomeKind | None = None
    value_usd_e6: int = 0
    gas_cost_wei: int = 0


def restore_limits(book: LimitBook, journal: JournalReader, *, stage: Stage, now_s: int) -> None:
    """Count in ``book`` what the journal holds of ``stage``: ended intents, open ones, marks, releases.

    Where the journal can be written, the book keeps its marks in it from then on; old ones are written
    anew, so that the next start need not read back as far.

    Raises
    ------
    ValueError
        If a record has not the form of its kind: who can not count does not act.
    """
    fold = _Fold(book, journal, stage)
    start = _first_of_interest(journal, now_s)
    for attempt in journal.attempts(open_only=True):
        if attempt.first_seq < start:
            fold.take_all(attempt.intent_id, before=start)
    for record in journal.records(after=start - 1):
        fold.take(record)
    fold.open()
    if isinstance(journal, Journal):
        book.keep_marks(
            lambda mark: journal.append(mark.KIND, mark, actor=ACTOR),
            stage=stage,
            anew=start < _first_since(journal, (now_s - WEEK_S) * 1000),
        )


def release_failures(book: LimitBook, body: ResumeBody) -> None:
    """Begin a count of failures anew, if that is what was released."""
    if body.breaker in FAILURE_BREAKERS:
        book.forgive(str(Scope.parse(body.scope)))


class _Fold:
    def __init__(self, book: LimitBook, journal: JournalReader, stage: Stage) -> None:
        self._book, self._journal, self._stage = book, journal, stage
        self._runs: dict[str, _Run | None] = {}

    def take(self, record: Record) -> None:
        match record.kind:
            case RecordKind.MARK:
                mark = MarkBody.from_body(record.body)
                if mark.stage is self._stage:
                    self._book.mark(mark)
            case RecordKind.RESUME:
                release_failures(self._book, ResumeBody.from_body(record.body))
            case RecordKind.INTENT:
                self._runs.setdefault(record.correlation_id, self._begun(record))
            case RecordKind.FINALISED:
                self._book.finalise(record.correlation_id)
            case (
                RecordKind.LIMITS
                | RecordKind.PLAN
                | RecordKind.BOOKING
                | RecordKind.OUTCOME
                | RecordKind.WITHDRAWN
            ):
                if record.correlation_id not in self._runs:
                    self.take_all(record.correlation_id, before=record.seq)
                run = self._runs.get(record.correlation_id)
                if run is not None:
                    self._step(run, record)
            case _:
                pass

    def take_all(self, intent_id: str, *, before: int) -> None:
        """Take the records of an intent that began earlier than where the reading starts."""
        self._runs[intent_id] = None
        for record in self._journal.records(correlation_id=intent_id):
            if record.seq >= before:
                break
            if record.kind is RecordKind.INTENT:
                self._runs[intent_id] = self._begun(record)
            elif (run := self._runs[intent_id]) is not None:
                self._step(run, record)

    def open(self) -> None:
        """Count what has no outcome."""
        for run in self._runs.values():
            if run is not None and run.has_place:
                self._book.restore(run.intent, run.plan, at_s=run.at_s)

    def _begun(self, record: Record) -> _Run | None:
        body = IntentBody.from_body(record.body)
        return _Run(body.intent, record.at_ms // 1000) if body.stage is self._stage else None

    def _step(self, run: _Run, record: Record) -> None:
        match record.kind:
            case RecordKind.LIMITS:
                run.has_place = True
            case RecordKind.PLAN:
                run.plan = PlanBody.from_body(record.body).plan()
            case RecordKind.BOOKING:
                booking = BookingBody.from_body(record.body)
                run.value_usd_e6 += booking.value_usd_e6
                run.gas_cost_wei += booking.gas_cost_wei
                if run.ended is not None:  # the cancel of what had been denied or rejected
                    self._book.charge(
                        run.intent,
                        value_usd_e6=booking.value_usd_e6,
                        gas_cost_wei=booking.gas_cost_wei,
                        now_s=record.at_ms // 1000,
                    )
            case RecordKind.WITHDRAWN:
                self._withdraw(run)
            case RecordKind.OUTCOME:
                outcome = OutcomeBody.from_body(record.body)
                if not run.has_place or not outcome.kind.is_final:
                    return  # it was refused a place, so it never had one
                self._book.restore(run.intent, run.plan, at_s=run.at_s)
                self._book.close(
                    run.intent,
                    kind=outcome.kind,
                    value_usd_e6=run.value_usd_e6,
                    gas_cost_wei=run.gas_cost_wei,
                    now_s=record.at_ms // 1000,
                )
                run.has_place, run.ended = False, outcome.kind
            case _:
                pass

    def _withdraw(self, run: _Run) -> None:
        if run.ended in (OutcomeKind.DENIED, OutcomeKind.REJECTED):
            self._book.uncharge(run.intent.id)
        elif run.ended is not None:
            self._book.reopen(run.intent, run.plan, at_s=run.at_s)
            run.has_place, run.ended = True, None


def _first_of_interest(journal: JournalReader, now_s: int) -> int:
    """Return the seq of the oldest record that still counts."""
    marks = [standing.seq for standing in journal.standing(MarkBody.TOPIC)]
    return min([_first_since(journal, (now_s - WEEK_S) * 1000), *marks])


def _first_since(journal: JournalReader, at_ms: int) -> int:
    """Return the seq of the first record at or after ``at_ms``, by halving; the journal's time only grows."""
    low, high = 1, journal.head()[0] + 1
    while low < high:
        middle = (low + high) // 2
        record = next(journal.records(after=middle - 1, limit=1), None)
        if record is not None and record.at_ms < at_ms:
            low = middle + 1
        else:
            high = middle
    return low
