"""``tidegate bench recover``: from the start of a process to every open transaction reconciled.

A worker sends 100 transactions to a node that mines none of them, and is killed by SIGKILL. The clock runs
from the kill: a new process opens the ledger, takes up every run, compares nonces, and asks the chain about
each. Half of them were included meanwhile, and half are still waiting. The peer is one round trip to the same
node for each open nonce, one after the other: what there is to ask at the least.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.pipeline import CHAIN, COUNTED, COUNTER, COUNTS, MANY, Desk, intent_of, key_of, pool_of
from tidegate.chain import Sender, SenderSettings, devnet_network
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.ledger import Journal
from tidegate.model import Stage, SystemClock
from tidegate.pipeline import NodeChain, Street, StreetSettings, recover
from tidegate.risk import LimitBook, LimitTable, RunLimits
from tidegate.sim import ExactWorld

_OPEN = 100
_ROUNDS = 3


def run(open_transactions: int = _OPEN, rounds: int = _ROUNDS) -> dict[str, Any]:
    """Return the seconds from a kill to reconciled, and what a round trip takes beside it."""
    seconds, trips = [], []
    for _ in range(rounds):
        with (
            tempfile.TemporaryDirectory(prefix="tidegate-bench-", dir=Path.cwd()) as folder,
            ExactWorld(chain_id=CHAIN, mining="manual") as world,
        ):
            world.set_code(COUNTER, COUNTS)
            world.set_balance(key_of("bench").address, 10**21)
            ledger = Path(folder) / "ledger.sqlite"
            _kill_a_worker(world, ledger, open_transactions)
            _include_half(world)
            start = time.perf_counter()
            asyncio.run(_reconcile(world, ledger, open_transactions))
            seconds.append(time.perf_counter() - start)
            trips.append(asyncio.run(_round_trip_s(world, open_transactions)))
    taken, trip = statistics.median(seconds), statistics.median(trips)
    return {
        "name": "recover",
        "peer": f"{open_transactions} round trips to the same node, one after the other",
        "ratio": round(open_transactions * trip / taken, 3),
        "seconds": round(taken, 3),
        "round_trip_ms": round(1_000 * trip, 2),
        "aim_seconds": round(2 + open_transactions * trip, 3),
        "open_transactions": open_transactions,
        "rounds": rounds,
    }


def _street(pool: RpcPool, journal: Journal, open_max: int) -> Street:
    network = devnet_network(CHAIN)
    chain = NodeChain(pool.reads(keep=Keep.NOTHING), pool.send_raw, network)
    return Street(
        stage=Stage.PAPER,
        desk=Desk(),
        chain=chain,
        sender=Sender(
            signer=key_of("bench"),
            chain=chain,
            journal=journal,
            network=network,
            settings=SenderSettings(open_max=open_max),
        ),
        journal=journal,
        limits={"bench": RunLimits(MANY, MANY, MANY)},
        book=LimitBook(LimitTable(stage=Stage.PAPER, allowed=dict.fromkeys(COUNTED, MANY))),
        settings=StreetSettings(walking_max=16, waiting_max=open_max),
    )


def _kill_a_worker(world: ExactWorld, ledger: Path, count: int) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(_send_and_die(world.url, ledger, count))
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError("the worker failed before it could be killed")


async def _send_and_die(url: str, ledger: Path, count: int) -> None:
    async with pool_of(url) as pool:
        journal = Journal.open(ledger, clock=SystemClock())
        street = _street(pool, journal, count)
        await asyncio.gather(*(street.submit(intent_of(number)) for number in range(count)))
        if len(street.open_runs) != count:
            raise RuntimeError(f"{len(street.open_runs)} of {count} are open")
        os.kill(os.getpid(), signal.SIGKILL)


def _include_half(world: ExactWorld) -> None:
    """Mine one block that has room for half of what waits."""
    waiting = world.waiting(key_of("bench").address)
    raws = list(waiting.values())
    for known in list(waiting)[len(raws) // 2 :]:
        world.forget(known)
    world.mine()
    for raw in raws[len(raws) // 2 :]:
        world.send_raw(raw)


async def _reconcile(world: ExactWorld, ledger: Path, count: int) -> None:
    async with pool_of(world.url) as pool:
        with Journal.open(ledger, clock=SystemClock()) as journal:
            street = _street(pool, journal, count)
            await recover(street, journal, now_ms=SystemClock().now_ms())
            ended = await street.follow()
            if len(ended) + len(street.open_runs) != count or len(ended) != count // 2:
                raise RuntimeError(f"{len(ended)} ended and {len(street.open_runs)} open, of {count}")


async def _round_trip_s(world: ExactWorld, count: int) -> float:
    async with pool_of(world.url) as pool:
        reads = pool.reads(keep=Keep.NOTHING)
        start = time.perf_counter()
        for _ in range(count):
            await reads.nonce(key_of("bench").address)
        return (time.perf_counter() - start) / count
