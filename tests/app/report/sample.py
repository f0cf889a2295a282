"""A seeded journal of a made-up run, in the form in which the demo writes it."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tidegate.ledger import (
    BookingBody,
    DecisionBody,
    Delta,
    IntentBody,
    Journal,
    MarketBody,
    OutcomeBody,
    ReceiptBody,
    SentBody,
    SignatureBody,
)
from tidegate.model import (
    ZERO_ADDRESS,
    Intent,
    ManualClock,
    OutcomeKind,
    Reason,
    RecordKind,
    Stage,
    digest,
)

PAIR, POOL, FEED, OUTSIDE = "v2 pair", "v3 pool", "price feed", "outside"
THRESHOLD_BPS = 35
SUBJECTS = ("flash-arbitrage", "leverage-loop")
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"


def write_sample(path: Path, *, blocks: int = 200, seed: int = 7) -> None:
    """Write a run of ``blocks``: prices that wander, a desk that acts when the gap pays."""
    rng = Random(seed)
    outside, pair, feed = 3_000.0, 3_000.0, 3_000.0
    clock = ManualClock(1_790_000_000_000)
    with Journal.open(path, clock=clock) as journal:
        journal.append(RecordKind.SESSION, {"version": "0.1.0", "stage": "paper"}, actor="runtime")
        for block in range(12, 12 + blocks):
            clock.set_ms(clock.now_ms() + 12_000)
            outside *= 1 + rng.gauss(0, 9e-4)
            pair += (outside - pair) * 0.08 + rng.gauss(0, 5.5)
            feed = outside if abs(outside / feed - 1) > 5e-3 or block % 20 == 0 else feed
            pool = outside * (1 + rng.gauss(0, 1e-4))
            prices = {PAIR: pair, POOL: pool, FEED: feed, OUTSIDE: outside}
            market = MarketBody(
                block=block,
                prices={name: f"{price:.8f}" for name, price in prices.items()},
                base_fee_wei=int(10**9 * (1 + rng.random())),
                thresholds_bps={f"{PAIR} | {POOL}": THRESHOLD_BPS},
            )
            journal.append(market.KIND, market, actor="demo")
            gap_bps = (pair - pool) / pool * 1e4
            if abs(gap_bps) > THRESHOLD_BPS + 8:
                pair = pool * (1 + THRESHOLD_BPS / 1e4 * (1 if gap_bps > 0 else -1))
                _run(journal, rng, SUBJECTS[0], block, gap_bps)
            else:
                _hold(journal, SUBJECTS[0], block, Reason.NO_OPPORTUNITY)
            if block % 50 == 30:
                _run(journal, rng, SUBJECTS[1], block, 12.0)
            else:
                _hold(journal, SUBJECTS[1], block, Reason.TRIGGER_QUIET)


def _hold(journal: Journal, subject: str, block: int, reason: Reason) -> None:
    body = DecisionBody(desk="atomic", subject=subject, block=block, acted=False, reason=reason)
    journal.append(body.KIND, body, actor="atomic")


def _run(journal: Journal, rng: Random, subject: str, block: int, gap_bps: float) -> None:
    intent = Intent(digest([subject, block]), "atomic", 31337, subject, "gap", 0, 3 * 10**9, {})
    decided = DecisionBody(desk="atomic", subject=subject, block=block, acted=True, intent_id=intent.id)
    journal.append(decided.KIND, decided, actor="atomic")
    fate = rng.random()
    bodies = [IntentBody(intent=intent, stage=Stage.PAPER)]
    if fate < 0.2:
        reason = rng.choice([Reason.UNPROFITABLE, Reason.GUARD_FAILED, Reason.SIMULATION_REVERTED])
        bodies.append(
            OutcomeBody(kind=OutcomeKind.DENIED, reason=reason, detail="expected 3 WETH, needs <5> & more")
        )
    else:
        hash_, lands = "0x" + digest(intent.id), fate > 0.32
        gas_used, price = rng.randint(318_000, 441_000), 1_400_000_000
        value = int((abs(gap_bps) * 0.9 if lands else 0) * 1e6) - gas_used * price * 3 // 10**9
        bodies += [
            SignatureBody(nonce=block, hash=hash_, raw="0x02", sender=ZERO_ADDRESS),
            SentBody(hash=hash_),
            ReceiptBody(
                hash=hash_,
                status=int(lands),
                block_number=block + 1,
                gas_used=gas_used,
                effective_gas_price_wei=price,
            ),
            OutcomeBody(
                kind=OutcomeKind.LANDED if lands else OutcomeKind.REVERTED,
                detail="" if lands else "step swap: ExecutorBound(WETH)",
            ),
            BookingBody(
                deltas=(Delta(WETH, "WETH", 18, value * 10**9 if lands else 0),),
                gas_cost_wei=gas_used * price,
                value_usd_e6=value,
            ),
        ]
    for body in bodies:
        journal.append(body.KIND, body, actor="street", correlation_id=intent.id)
