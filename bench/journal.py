"""``tidegate bench journal``: durable records a second beside raw sqlite3 in the same grouping.

Both write the records of the same runs in the pipeline's order to files in one folder, with the
same pragmas, and commit at the same places: on disk at each intent, plan, nonce and signature.
The peer only inserts rows; ours also hashes, checks the bodies, keeps two projections and the
head. Rounds alternate and the middle one counts, because a disk is not steady.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tidegate.ledger import (
    AuthorisationBody,
    Body,
    BookingBody,
    BoundsBody,
    DecisionBody,
    Delta,
    GuardsBody,
    IntentBody,
    Journal,
    JournalReader,
    LimitsBody,
    Margin,
    NonceBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    Record,
    SentBody,
    SignatureBody,
    SimulationBody,
    Used,
)
from tidegate.model import (
    DURABLE_KINDS,
    ZERO_ADDRESS,
    Address,
    Bound,
    Clock,
    Intent,
    ManualClock,
    OutcomeKind,
    Placement,
    Plan,
    Stage,
    digest,
)

_RUNS = 150
_ROUNDS = 5
_WETH = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")


def run(runs: int = _RUNS, rounds: int = _ROUNDS) -> dict[str, Any]:
    """Return records a second, ours and the peer's, and how fast a journal is verified."""
    walks = [_walk(number) for number in range(runs)]
    ours, raw, verified = [], [], []
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-", dir=Path.cwd()) as folder:
        for number in range(rounds):
            path = Path(folder) / f"ours{number}.sqlite"
            ours.append(_write(path, walks))
            with JournalReader.open(path) as reader:
                records = list(reader.records())
                verified.append(_rate(len(records), lambda reader=reader: reader.verify()))
            raw.append(_write_raw(Path(folder) / f"raw{number}.sqlite", records))
    ratios = [mine / theirs for mine, theirs in zip(ours, raw, strict=True)]
    return {
        "name": "journal",
        "peer": "raw sqlite3, the same rows in the same grouping with the same pragmas",
        "ratio": round(statistics.median(ratios), 3),
        "records_s": round(statistics.median(ours)),
        "peer_records_s": round(statistics.median(raw)),
        "verify_records_s": round(statistics.median(verified)),
        "records": len(records),
        "durable_commits": sum(record.kind in DURABLE_KINDS for record in records),
        "rounds": rounds,
    }


def _rate(count: int, work: Any) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def _write(path: Path, walks: list[tuple[Intent, list[Body]]]) -> float:
    clock: Clock = ManualClock(1_700_000_000_000)
    count = sum(len(bodies) for _, bodies in walks)
    with Journal.open(path, clock=clock) as journal:

        def work() -> None:
            for intent, bodies in walks:
                for body in bodies:
                    journal.append(body.KIND, body, actor="street", correlation_id=intent.id)
            journal.flush()

        return _rate(count, work)


def _write_raw(path: Path, records: list[Record]) -> float:
    rows = [
        (
            record.seq,
            record.at_ms,
            record.actor,
            record.kind.value,
            record.correlation_id,
            record.causation_id,
            record.body_json,
            record.prev_hash,
            record.hash,
        )
        for record in records
    ]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    connection.execute(
        "CREATE TABLE records (seq INTEGER PRIMARY KEY, at_ms INTEGER, actor TEXT, kind TEXT,"
        " correlation_id TEXT, causation_id TEXT, body TEXT, prev_hash TEXT, hash TEXT)"
    )

    def work() -> None:
        group: list[tuple[Any, ...]] = []
        for row in rows:
            group.append(row)
            if row[3] in DURABLE_KINDS or row is rows[-1]:
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?)", group)
                connection.execute("COMMIT")
                group.clear()

    rate = _rate(len(rows), work)
    connection.close()
    return rate


def _walk(number: int) -> tuple[Intent, list[Body]]:
    """Return an intent and what the street records of it, from the decision to the booking."""
    intent_id = digest(number)
    intent = Intent(intent_id, "atomic", 31337, "arb", "gap", 1_700_000_000, 10**9, {"size": str(10**18)})
    plan = Plan(
        intent_id=intent_id,
        desk="atomic",
        chain_id=31337,
        to=_WETH,
        data=bytes(700),
        value_wei=0,
        gas_limit=600_000,
        max_fee_wei=10**11,
        max_priority_fee_wei=10**9,
        deadline_s=1_700_000_000,
        bounds=(Bound(token=_WETH, symbol="WETH", decimals=18, floor=10**15),),
        steps=(),
        program_hash="ab" * 32,
        at_risk_usd_e6=10**6,
        flow_usd_e6=10**9,
        prices_usd_e8={},
    )
    hash_ = "0x" + digest(str(number))
    return intent, [
        DecisionBody(desk="atomic", subject="arb", block=number, acted=True, intent_id=intent_id),
        IntentBody(intent=intent, stage=Stage.PAPER),
        LimitsBody(checked=(Used("open_intents", 0, 8), Used("notional_tx", 0, 10**12))),
        PlanBody.of(plan),
        GuardsBody(placement=Placement.PRE, results=()),
        SimulationBody(
            plan_digest=plan.digest, block_number=number, succeeded=True, gas_used=400_000, deltas=("1",)
        ),
        BoundsBody(margins=(Margin("WETH", "0", "1", "1"),)),
        AuthorisationBody(stage=Stage.PAPER, signs_with="a throw-away key", signer=ZERO_ADDRESS),
        NonceBody(nonce=number, account=ZERO_ADDRESS),
        SignatureBody(nonce=number, hash=hash_, raw="0x" + "00" * 900, sender=ZERO_ADDRESS),
        SentBody(hash=hash_),
        ReceiptBody(
            hash=hash_, status=1, block_number=number, gas_used=400_000, effective_gas_price_wei=10**9
        ),
        OutcomeBody(kind=OutcomeKind.LANDED),
        GuardsBody(placement=Placement.POST, results=()),
        BookingBody(deltas=(Delta(_WETH, "WETH", 18, 10**16),), gas_cost_wei=4 * 10**14, value_usd_e6=10**7),
    ]
