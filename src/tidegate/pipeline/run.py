"""A run: one intent on its way down the street, and what the journal knows of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tidegate.ledger import (
    BookingBody,
    GuardsBody,
    IntentBody,
    NonceBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    Record,
    SignatureBody,
    SimulationBody,
)
from tidegate.ledger.judgements import JudgementBody
from tidegate.model import Intent, Outcome, Placement, Plan, RecordKind, SignedTransaction


@dataclass(slots=True)
class Run:
    """An intent and how far it came. Everything here can be read back from the journal."""

    intent: Intent
    accepted_at_ms: int = 0
    plan: Plan | None = None
    simulated: SimulationBody | None = None
    nonce: int | None = None
    signed: SignedTransaction | None = None
    outcome: Outcome | None = None
    written: set[RecordKind] = field(default_factory=set)
    is_judged_after: bool = False
    booked_value_usd_e6: int = 0
    judged_block: int | None = None

    @property
    def may_have_left(self) -> bool:
        """Say whether signed bytes exist: from then on only the chain decides the outcome."""
        return self.signed is not None


def read_run(records: Iterable[Record]) -> Run | None:
    """Return the run that the records of one intent tell, or None if they hold no intent."""
    run: Run | None = None
    receipt: ReceiptBody | None = None
    for record in records:
        if record.kind is RecordKind.INTENT and run is None:
            run = Run(IntentBody.from_body(record.body).intent, accepted_at_ms=record.at_ms)
        if run is None:
            continue
        run.written.add(record.kind)
        match record.kind:
            case RecordKind.PLAN:
                run.plan = PlanBody.from_body(record.body).plan()
            case RecordKind.SIMULATION:
                run.simulated = SimulationBody.from_body(record.body)
            case RecordKind.JUDGEMENT:
                run.judged_block = JudgementBody.from_body(record.body).block_number
            case RecordKind.NONCE:
                run.nonce = NonceBody.from_body(record.body).nonce
            case RecordKind.SIGNATURE:
                signature = SignatureBody.from_body(record.body)
                run.signed = SignedTransaction(
                    hash=bytes.fromhex(signature.hash[2:]),
                    raw=bytes.fromhex(signature.raw[2:]),
                    sender=signature.sender,
                )
            case RecordKind.GUARDS:
                placement = GuardsBody.from_body(record.body).placement
                run.is_judged_after = run.is_judged_after or placement is Placement.POST
            case RecordKind.RECEIPT:
                receipt = ReceiptBody.from_body(record.body)
            case RecordKind.BOOKING:
                run.booked_value_usd_e6 = BookingBody.from_body(record.body).value_usd_e6
            case RecordKind.OUTCOME:
                body = OutcomeBody.from_body(record.body)
                run.outcome = Outcome(
                    intent_id=run.intent.id,
                    kind=body.kind,
                    reason=body.reason,
                    detail=body.detail,
                    transaction_hash=b"" if run.signed is None else run.signed.hash,
                    block_number=None if receipt is None else receipt.block_number,
                    gas_used=0 if receipt is None else receipt.gas_used,
                    gas_cost_wei=0 if receipt is None else receipt.gas_used * receipt.effective_gas_price_wei,
                )
            case _:
                pass
    return run
