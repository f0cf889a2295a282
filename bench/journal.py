"""``tidegate bench journal``: durable records a second beside raw sqlite3 in the same grouping.

Both write the same rows, those of runs in the pipeline's order, to files in one folder: WAL,
``synchronous=FULL``, the same checkpoints, prepared statements, and a COMMIT that waits for the disk at
the same places: at each intent, plan, nonce and signature. The peer is as fair as it is bare: one table
without an index, rows that were made ready before the clock runs, and nothing else. Ours, in the same
time, also checks and encodes the bodies, hashes the chain, keeps two indexes, four projections, the head
and the note beside the file. So the ratio is what the journal costs over the disk alone.

The two take turns every few runs, in turns also who is first: a disk is not steady, and what
disturbs it then disturbs both. The middle one of the rounds counts.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
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
_AT_MS = 1_700_000_000_000
_TURN = 5
"""Runs that one writes before the other's turn."""
_WETH = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")

_Walk = tuple[Intent, list[Body]]


def run(runs: int = _RUNS, rounds: int = _ROUNDS) -> dict[str, Any]:
    """Return records a second, ours and the peer's, and how fast a journal is verified."""
    walks = [_walk(number) for number in range(runs)]
    ours, raw, verified = [], [], []
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-", dir=Path.cwd()) as folder:
        records = _rehearsed(Path(folder) / "rehearsal.sqlite", walks)
        for number in range(rounds):
            path = Path(folder) / f"ours{number}.sqlite"
            ours_s, raw_s = _side_by_side(path, path.with_name(f"raw{number}.sqlite"), walks, records)
            ours.append(len(records) / ours_s)
            raw.append(len(records) / raw_s)
            with JournalReader.open(path) as reader:
                verified.append(len(records) / _taken_s(reader.verify))
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


def _taken_s(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _rehearsed(path: Path, walks: list[_Walk]) -> list[Record]:
    """Return the records that ours will write in each round: the clock stands still."""
    with Journal.open(path, clock=ManualClock(_AT_MS)) as journal:
        _append(journal, walks)
        return list(journal.records())


def _append(journal: Journal, walks: list[_Walk]) -> None:
    for intent, bodies in walks:
        for body in bodies:
            journal.append(body.KIND, body, actor="street", correlation_id=intent.id)


def _side_by_side(
    path: Path, peer_path: Path, walks: list[_Walk], records: list[Record]
) -> tuple[float, float]:
    """Write it all to both, in turns; return the seconds that each took."""
    rows = [_row(record) for record in records]
    size = len(rows) // len(walks)
    taken = {"ours": 0.0, "raw": 0.0}
    with Journal.open(path, clock=ManualClock(_AT_MS)) as journal, closing(_Raw(peer_path)) as peer:
        for turn, first in enumerate(range(0, len(walks), _TURN)):
            is_last = first + _TURN >= len(walks)
            ours = partial(_ours_once, journal, walks[first : first + _TURN], is_last)
            raw = partial(peer.write, rows[first * size : (first + _TURN) * size], is_last)
            both = [("ours", ours), ("raw", raw)]
            for who, work in both if turn % 2 else reversed(both):
                taken[who] += _taken_s(work)
    return taken["ours"], taken["raw"]


def _ours_once(journal: Journal, walks: list[_Walk], is_last: bool) -> None:
    _append(journal, walks)
    if is_last:
        journal.flush()


class _Raw:
    """The peer: rows that wait for the next commit, as ours do."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.group: list[tuple[Any, ...]] = []
        for pragma in ("journal_mode=WAL", "wal_autocheckpoint=4000", "synchronous=FULL"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.execute(
            "CREATE TABLE records (seq INTEGER PRIMARY KEY, at_ms INTEGER, actor TEXT, kind TEXT,"
            " correlation_id TEXT, causation_id TEXT, body TEXT, prev_hash TEXT, hash TEXT)"
        )

    def write(self, rows: list[tuple[Any, ...]], is_last: bool) -> None:
        for row in rows:
            self.group.append(row)
            if row[3] in DURABLE_KINDS or (is_last and row is rows[-1]):
                self.connection.execute("BEGIN IMMEDIATE")
                self.connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?)", self.group)
                self.connection.execute("COMMIT")
                self.group.clear()

    def close(self) -> None:
        self.connection.close()


def _row(record: Record) -> tuple[Any, ...]:
    return (
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
