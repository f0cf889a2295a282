"""A run: one intent on its way down the street, and what the journal knows of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tidegate.chain import State, Tracked, Work
from tidegate.ledger import (
    AmbiguousBody,
    Body,
    BookingBody,
    ConfirmedBody,
    ExpiringBody,
    FinalisedBody,
    GuardsBody,
    HaltBody,
    IntentBody,
    JudgementBody,
    NonceBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    Record,
    ReplacedBody,
    ReplacementBody,
    SentBody,
    SignatureBody,
    SimulationBody,
    WithdrawnBody,
)
from tidegate.model import Intent, Outcome, OutcomeKind, Placement, Plan, RecordKind

_SENDERS: tuple[type[Body], ...] = (
    NonceBody,
    SignatureBody,
    SentBody,
    AmbiguousBody,
    ReplacementBody,
    ReplacedBody,
    ExpiringBody,
    ReceiptBody,
    WithdrawnBody,
    ConfirmedBody,
    FinalisedBody,
    HaltBody,
    OutcomeBody,
)
_BODIES = {body.KIND: body for body in _SENDERS}
_NEVER_INCLUDED = (OutcomeKind.DENIED, OutcomeKind.REJECTED)


@dataclass(slots=True)
class Run:
    """An intent and how far it came. Everything here can be read back from the journal.

    ``booking`` is what is booked of it now: None before, and again after a reorg was booked back;
    ``booked_after`` how many reorgs had withdrawn it when that was booked, ``booked_at_ms`` when that was.
    """

    intent: Intent
    accepted_at_ms: int = 0
    plan: Plan | None = None
    simulated: SimulationBody | None = None
    tracked: Tracked | None = None
    outcome: Outcome | None = None
    written: set[RecordKind] = field(default_factory=set)
    is_judged_after: bool = False
    booking: BookingBody | None = None
    booked_after: int = 0
    booked_at_ms: int = 0
    seen_withdrawals: int = 0
    judged_block: int | None = None

    @property
    def may_have_left(self) -> bool:
        """Say whether signed bytes exist: from then on only the chain decides the outcome."""
        return self.tracked is not None and bool(self.tracked.versions)

    @property
    def nonce(self) -> int | None:
        """Return the nonce that is reserved for it."""
        return None if self.tracked is None else self.tracked.nonce

    @property
    def booked_value_usd_e6(self) -> int:
        """Return what is booked of it, in millionths of a dollar."""
        return 0 if self.booking is None else self.booking.value_usd_e6

    @property
    def is_booked_wrong(self) -> bool:
        """Say whether what is booked comes from a block that a reorg has taken away since."""
        return self.booking is not None and self.booked_after != self.withdrawals

    @property
    def has_nothing_new(self) -> bool:
        """Say whether it is booked as the chain has it, and waits only to be final: most of those watched."""
        return (
            self.outcome is not None
            and self.tracked is not None
            and self.tracked.included is not None
            and self.tracked.state is not State.FINALISED
            and self.booking is not None
            and self.booked_after == self.seen_withdrawals == self.withdrawals
        )

    @property
    def withdrawals(self) -> int:
        """Return how many reorgs have withdrawn it."""
        return 0 if self.tracked is None else self.tracked.withdrawals

    def track(self, plan: Plan) -> Tracked:
        """Return its transaction, made from the plan if there is none yet."""
        if self.tracked is None:
            self.tracked = Tracked(Work.of(self.intent, plan))
        return self.tracked

    def withdraw(self) -> None:
        """Open it again: a reorg took away the block that decided it."""
        self.seen_withdrawals = self.withdrawals
        self.is_judged_after = False
        self.written -= {RecordKind.RECEIPT}
        if self.outcome is not None and self.outcome.kind not in _NEVER_INCLUDED:
            self.outcome = None


def read_run(records: Iterable[Record]) -> Run | None:
    """Return the run that the records of one intent tell, or None if they hold no intent."""
    run: Run | None = None
    for record in records:
        if record.kind is RecordKind.INTENT and run is None:
            run = Run(IntentBody.from_body(record.body).intent, accepted_at_ms=record.at_ms)
        if run is not None:
            run.written.add(record.kind)
            _take(run, record)
    return run


def _take(run: Run, record: Record) -> None:
    if record.kind in _BODIES and run.plan is not None:
        run.track(run.plan).take(record.kind, _BODIES[record.kind].from_body(record.body))
    match record.kind:
        case RecordKind.PLAN:
            run.plan = PlanBody.from_body(record.body).plan()
        case RecordKind.SIMULATION:
            run.simulated = SimulationBody.from_body(record.body)
        case RecordKind.JUDGEMENT:
            run.judged_block = JudgementBody.from_body(record.body).block_number
        case RecordKind.GUARDS:
            placement = GuardsBody.from_body(record.body).placement
            run.is_judged_after = run.is_judged_after or placement is Placement.POST
        case RecordKind.WITHDRAWN:
            run.withdraw()
        case RecordKind.BOOKING:
            run.booking = None if run.booking is not None else BookingBody.from_body(record.body)
            run.booked_after, run.booked_at_ms = run.withdrawals, record.at_ms
        case RecordKind.OUTCOME:
            run.outcome = _outcome(run, OutcomeBody.from_body(record.body))
        case _:
            pass


def _outcome(run: Run, body: OutcomeBody) -> Outcome:
    included = None if run.tracked is None else run.tracked.included
    if included is not None:
        transaction_hash = bytes.fromhex(included.hash[2:])
    else:
        transaction_hash = run.tracked.newest.hash if run.tracked and run.tracked.versions else b""
    return Outcome(
        intent_id=run.intent.id,
        kind=body.kind,
        reason=body.reason,
        detail=body.detail,
        transaction_hash=transaction_hash,
        block_number=None if included is None else included.block_number,
        gas_used=0 if included is None else included.gas_used,
        gas_cost_wei=0 if included is None else included.gas_cost_wei,
    )
