"""The records that one intent leaves on its walk down the street, in the pipeline's order."""

from __future__ import annotations

from tidegate.ledger import (
    AuthorisationBody,
    Body,
    BookingBody,
    BreakerBody,
    Counted,
    CursorBody,
    DecisionBody,
    Delta,
    EndpointBody,
    HaltBody,
    IntentBody,
    Journal,
    LeaseBody,
    LimitsBody,
    NonceBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    ReconciliationBody,
    ResumeBody,
    SentBody,
    SignatureBody,
    SimulationBody,
    StopBody,
    Used,
)
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    Bound,
    Intent,
    OutcomeKind,
    Plan,
    Reason,
    Stage,
)

WETH = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")


def an_intent(number: int = 1, *, desk: str = "atomic", subject: str = "arb") -> Intent:
    return Intent(
        id=f"{number:064x}",
        desk=desk,
        chain_id=31337,
        subject=subject,
        reason="gap",
        deadline_s=1_700_000_000,
        notional_usd_e6=3_000_000_000 + number,
        body={"size": 2**200 + number},
    )


def a_plan(intent: Intent) -> Plan:
    return Plan(
        intent_id=intent.id,
        desk=intent.desk,
        chain_id=intent.chain_id,
        to=ZERO_ADDRESS,
        data=b"\x01\x02",
        value_wei=0,
        gas_limit=500_000,
        max_fee_wei=30_000_000_000,
        max_priority_fee_wei=1,
        deadline_s=intent.deadline_s,
        bounds=(Bound(token=WETH, symbol="WETH", decimals=18, floor=-(2**90)),),
        steps=(),
        program_hash="ab" * 32,
        at_risk_usd_e6=1,
        flow_usd_e6=2,
        prices_usd_e8={},
    )


def decision(intent: Intent, *, acted: bool = True) -> DecisionBody:
    return DecisionBody(
        desk=intent.desk,
        subject=intent.subject,
        block=7,
        acted=acted,
        reason=None if acted else Reason.NO_OPPORTUNITY,
        intent_id=intent.id if acted else "",
    )


def landed(intent: Intent, *, nonce: int = 0, profit: int = 10**16, gas_used: int = 300_000) -> list[Body]:
    """Return the bodies of a run that landed, from the intent to the booking."""
    hash_ = "0x" + f"{nonce:064x}"
    return [
        IntentBody(intent=intent, stage=Stage.PAPER),
        LimitsBody(checked=(Used("open_intents", 0, 8),)),
        PlanBody.of(a_plan(intent)),
        SimulationBody(
            plan_digest=a_plan(intent).digest,
            block_number=7,
            succeeded=True,
            gas_used=gas_used,
            deltas=(str(profit),),
        ),
        AuthorisationBody(stage=Stage.PAPER, signs_with="throw-away key", signer=ZERO_ADDRESS),
        NonceBody(nonce=nonce, account=ZERO_ADDRESS),
        SignatureBody(nonce=nonce, hash=hash_, raw="0x02", sender=ZERO_ADDRESS),
        SentBody(hash=hash_),
        ReceiptBody(
            hash=hash_, status=1, block_number=8, gas_used=gas_used, effective_gas_price_wei=2_000_000_000
        ),
        OutcomeBody(kind=OutcomeKind.LANDED),
        BookingBody(
            deltas=(Delta(WETH, "WETH", 18, profit),),
            gas_cost_wei=gas_used * 2_000_000_000,
            value_usd_e6=31_000_000,
        ),
    ]


def denied(intent: Intent, reason: Reason = Reason.UNPROFITABLE) -> list[Body]:
    """Return the bodies of a run that our own rules refused."""
    return [
        IntentBody(intent=intent, stage=Stage.PAPER),
        OutcomeBody(kind=OutcomeKind.DENIED, reason=reason, detail="profit after costs is -3"),
    ]


def write(journal: Journal, intent: Intent, bodies: list[Body]) -> None:
    for body in bodies:
        journal.append(body.KIND, body, actor="street", correlation_id=intent.id)


def write_runs(journal: Journal, count: int) -> None:
    """Append a decision and a landed run ``count`` times: 12 records each."""
    for number in range(count):
        intent = an_intent(number)
        journal.append(decision(intent).KIND, decision(intent), actor=intent.desk)
        write(journal, intent, landed(intent, nonce=number))


def what_stands(name: str = "one", *, is_over: bool = False) -> list[Body]:
    """Return a body of each kind that stands under a name; ``is_over``: those that end them."""
    account = ZERO_ADDRESS
    ended: list[Body] = [
        LeaseBody(chain_id=10, account=account, holder=name, released=is_over),
        HaltBody(scope=f"desk:{name}", who="sender", detail="a foreign nonce", lifted=is_over),
        EndpointBody(
            chain="base",
            chain_id=8453,
            endpoint=name,
            state="cooling" if is_over else EndpointBody.QUARANTINED,
            cause="released" if is_over else "wrong_chain_id",
            detail="was 1",
        ),
    ]
    if is_over:
        resume = ResumeBody(
            scope="global", who=("ada",), reason="calm", evidence="", at_ms=2, stop_id=f"stop {name}"
        )
        return [*ended, resume]
    return [
        *ended,
        StopBody(
            id=f"stop {name}", name=name, scope="global", reason="r", who=("ada",), set_by="person", at_ms=1
        ),
        CursorBody(chain_id=10, stream=name, first=1, number=7, hash="ab" * 32, parent_hash="cd" * 32),
        BreakerBody(
            breaker=name,
            scope="global",
            code="tripped",
            level=1,
            previous=0,
            value="7",
            value_at_ms=1,
            since_ms=1,
            quiet_since_ms=None,
            blind_since_ms=None,
            is_latched=False,
            left_ms=(0,),
            evaluated_ms=1,
        ),
        ReconciliationBody(
            stage=Stage.PAPER,
            desk="atomic",
            chain_id=31337,
            block_number=5,
            block_hash="0x" + "ab" * 32,
            verdict="opened",
            counted=(Counted(account, WETH, "WETH", 18, booked=0, found=2**100),),
        ),
    ]
