"""``tidegate bench pipeline``: intents through the whole street in paper, from decision to booked outcome.

A real node of ours mines each transaction as it comes; the journal is on disk, with every record durable
that must be. The plan is a single call, so that what is measured is the street and not a strategy. Intents
name venues of their own, so that they walk beside each other. Latency is measured with a few in flight,
throughput with many. The peer is the node alone: the same calls, signed beforehand, sent and waited for.
What an intent costs us is counted beside it, because a busy machine says little about our own share: the
processor time of this process, and what it asked of the node.
"""
# ruff: noqa: ARG002  the desk of a bench looks at nothing

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.chain import Sender, SenderSettings, address, devnet_network
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.custody import ThrowAwayKey
from tidegate.ledger import Journal
from tidegate.model import (
    Address,
    Bound,
    GuardResult,
    Intent,
    Metric,
    NullRecorder,
    Outcome,
    OutcomeKind,
    Plan,
    Probe,
    Receipt,
    Recorder,
    Revert,
    Stage,
    SystemClock,
    UnsignedTransaction,
    digest,
)
from tidegate.pipeline import NodeChain, Street, StreetSettings
from tidegate.risk import LimitBook, LimitTable, RunLimits
from tidegate.sim import ExactWorld

CHAIN = 31337
_GWEI = 10**9
COUNTER = address(0xC0C0)
COUNTS = bytes.fromhex("5f546001015f5500")  # slot 0 += 1
_TOKEN = address(0xAA)
_INTENTS = 400
_WARM = 20
_AT_ONCE = 16
_LATENCY_AT_ONCE = 2
_FOLLOW_EVERY_S = 0.002
MANY = 10**15
COUNTED = ("open_intents", "open_transactions", "orders_per_minute", "gas_per_day_gwei")


@dataclass(frozen=True, slots=True)
class Found:
    """What one run gave: latencies with a few in flight; with many, all that is counted of a round."""

    latencies_s: list[float]
    seconds: float
    cpu_s: float
    requests: int
    exchanges: int


class Asked(NullRecorder):
    """Counts what is asked of the node: each request, and each exchange that carried some of them."""

    def __init__(self) -> None:
        self._counts: Counter[Metric] = Counter()

    @property
    def counts(self) -> tuple[int, int]:
        """Return how many requests and exchanges there were."""
        return self._counts[Metric.RPC_REQUESTS], self._counts[Metric.RPC_SECONDS]

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Count a request. A send is an exchange of its own."""
        self._counts[metric] += 1
        if labels.get("method") == "eth_sendRawTransaction":
            self._counts[Metric.RPC_SECONDS] += 1

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Count an exchange."""
        self._counts[metric] += 1


class Reader:
    """Reads the bench's plans back: there is nothing in them."""

    def probe_data(self, plan: Plan) -> bytes:
        """Return what is called instead: the same."""
        return plan.data

    def read_probe(self, plan: Plan, revert_data: bytes) -> Probe | None:
        """Return that nothing changed."""
        return Probe((0,), ())

    def explain(self, plan: Plan, revert_data: bytes) -> tuple[Revert, str | None]:
        """Return what the bytes say."""
        return Revert("unknown", revert_data.hex()), None

    def deltas(self, plan: Plan, receipt: Receipt) -> tuple[int, ...]:
        """Return that nothing changed."""
        return (0,)

    def holders(self, plan: Plan, deltas: tuple[int, ...]) -> tuple[Address, ...]:
        """Return whom the plan calls."""
        return tuple(plan.to for _ in deltas)


class Desk:
    """Plans one call to a counter."""

    name = "bench"
    reader = Reader()

    async def plan(self, intent: Intent) -> Plan:
        """Return the call."""
        return Plan(
            intent_id=intent.id,
            desk=self.name,
            chain_id=CHAIN,
            to=COUNTER,
            data=bytes.fromhex(intent.id),
            value_wei=0,
            gas_limit=100_000,
            max_fee_wei=20 * _GWEI,
            max_priority_fee_wei=_GWEI,
            deadline_s=intent.deadline_s,
            bounds=(Bound(_TOKEN, "TOK", 6, 0),),
            steps=(),
            program_hash="00" * 32,
            at_risk_usd_e6=1,
            flow_usd_e6=1,
            prices_usd_e8={"TOK": 10**8, "native": 3_000 * 10**8},
        )

    async def guards_before(self, plan: Plan) -> Sequence[GuardResult]:
        """Return none."""
        return ()

    async def guards_after(self, plan: Plan, receipt: Receipt) -> Sequence[GuardResult]:
        """Return none."""
        return ()


def intent_of(number: int) -> Intent:
    """Return the intent with this number; each has a venue of its own."""
    return Intent(
        digest(number),
        "bench",
        CHAIN,
        "bench",
        "bench",
        2**40,
        1,
        {},
        venues=(f"venue-{number}",),
    )


def run(intents: int = _INTENTS) -> dict[str, Any]:
    """Return intents a second and how long one takes, from its decision to its booking."""
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-bench-", dir=Path.cwd()) as folder,
        ExactWorld(chain_id=CHAIN) as world,
    ):
        world.set_code(COUNTER, COUNTS)
        for name in ("bench", "peer"):
            world.set_balance(key_of(name).address, 10**21)
        found = asyncio.run(_measure(world, Path(folder), intents))
        peer_seconds = asyncio.run(_peer(world, intents))
    latencies = sorted(found.latencies_s)
    rate, peer_rate = intents / found.seconds, intents / peer_seconds
    return {
        "name": "pipeline",
        "peer": "the node alone: the same calls, signed beforehand, sent and their receipts waited for",
        "ratio": round(rate / peer_rate, 3),
        "intents_s": round(rate, 1),
        "p50_ms": round(1_000 * statistics.median(latencies), 1),
        "p99_ms": round(1_000 * latencies[int(0.99 * (len(latencies) - 1))], 1),
        "peer_intents_s": round(peer_rate, 1),
        "cpu_ms": round(1_000 * found.cpu_s / intents, 2),
        "requests": round(found.requests / intents, 2),
        "exchanges": round(found.exchanges / intents, 2),
        "intents": intents,
        "at_once": _AT_ONCE,
        "latency_at_once": _LATENCY_AT_ONCE,
        "mining": "each transaction as it comes",
        "follow_every_ms": round(1_000 * _FOLLOW_EVERY_S),
    }


def pool_of(url: str, recorder: Recorder | None = None) -> RpcPool:
    """Return a pool of the one node, not started yet."""
    return RpcPool(devnet_network(CHAIN), [Endpoint("node", url)], recorder=recorder)


def key_of(name: str) -> ThrowAwayKey:
    """Return a key of the bench's own."""
    return ThrowAwayKey(f"bench {name}", stage=Stage.PAPER, chain_ids=frozenset({CHAIN}))


async def _measure(world: ExactWorld, folder: Path, intents: int) -> Found:
    network = devnet_network(CHAIN)
    asked = Asked()
    async with pool_of(world.url, asked) as pool:
        chain = NodeChain(pool.reads(keep=Keep.NOTHING), pool.send_raw, network)
        with Journal.open(folder / "ledger.sqlite", clock=SystemClock()) as journal:
            sender = Sender(
                signer=key_of("bench"),
                chain=chain,
                journal=journal,
                network=network,
                settings=SenderSettings(open_max=4 * _AT_ONCE),
            )
            street = Street(
                stage=Stage.PAPER,
                desk=Desk(),
                chain=chain,
                sender=sender,
                journal=journal,
                limits={"bench": RunLimits(MANY, MANY, MANY)},
                book=LimitBook(LimitTable(stage=Stage.PAPER, allowed=dict.fromkeys(COUNTED, MANY))),
                settings=StreetSettings(walking_max=_AT_ONCE, waiting_max=intents),
            )
            first = 0
            await _walk(street, range(first, first + _WARM), _AT_ONCE)
            first += _WARM
            latencies = await _walk(street, range(first, first + intents), _LATENCY_AT_ONCE)
            first += intents
            before, cpu_start, start = asked.counts, time.process_time(), time.perf_counter()
            await _walk(street, range(first, first + intents), _AT_ONCE)
            seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
            requests, exchanges = (now - then for now, then in zip(asked.counts, before, strict=True))
            return Found(latencies, seconds, cpu_s, requests, exchanges)


async def _walk(street: Street, numbers: range, at_once: int) -> list[float]:
    """Walk each intent to its outcome, ``at_once`` of them beside each other; return how long each took."""
    waiting: dict[str, asyncio.Future[Outcome]] = {}
    left = iter(numbers)
    latencies: list[float] = []

    async def worker() -> None:
        for number in left:
            intent, start = intent_of(number), time.perf_counter()
            waiting[intent.id] = asyncio.get_running_loop().create_future()
            outcome = await street.submit(intent) or await waiting[intent.id]
            if outcome.kind is not OutcomeKind.LANDED:
                raise RuntimeError(f"intent {number} ended as {outcome.kind}: {outcome.detail}")
            latencies.append(time.perf_counter() - start)

    async def follower() -> None:
        while True:
            for outcome in await street.follow() if street.open_runs else ():
                waiting.pop(outcome.intent_id).set_result(outcome)
            await asyncio.sleep(_FOLLOW_EVERY_S)

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follower())
        await asyncio.gather(*(tasks.create_task(worker()) for _ in range(at_once)))
        following.cancel()
    return latencies


async def _peer(world: ExactWorld, intents: int) -> float:
    key = key_of("peer")
    raws = []
    for number in range(intents):
        unsigned = UnsignedTransaction(
            CHAIN, number, COUNTER, bytes.fromhex(digest(number)), 0, 100_000, 20 * _GWEI, _GWEI
        )
        raws.append(key.sign_now(unsigned, intent_id="peer", plan_digest=unsigned.content_digest).raw)
    async with pool_of(world.url) as pool:
        reads = pool.reads(keep=Keep.NOTHING)
        start = time.perf_counter()
        left = iter(raws)

        async def worker() -> None:
            for raw in left:
                known = await pool.send_raw(raw)
                while await reads.receipt(known) is None:  # noqa: ASYNC110  what else is there to wait for
                    await asyncio.sleep(0)

        await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))
        return time.perf_counter() - start
