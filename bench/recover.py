"""``tidegate bench recover``: from ``kill -9`` to every open transaction reconciled.

A worker sends 100 transactions to a node that mines none of them. The node then includes half of them, and
the worker is killed by SIGKILL: the clock starts there. A new Python process starts, imports, opens the
ledger, takes up every run, compares nonces, and asks the chain about each; it ends when all are reconciled,
and the clock stops when it says so. The same process also says how long it took without its own start. The
peer is one round trip to the same node for each open nonce, one after the other: what there is to ask at the
least.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Return the seconds from a kill to reconciled, and what a round trip takes beside it.

    ``seconds`` is what the aim is about: with the start of the new process. ``reconciled_s`` is the part from
    where that process opens the ledger.
    """
    seconds, without_start, trips = [], [], []
    for _ in range(rounds):
        with (
            tempfile.TemporaryDirectory(prefix="tidegate-bench-", dir=Path.cwd()) as folder,
            ExactWorld(chain_id=CHAIN, mining="manual") as world,
        ):
            world.set_code(COUNTER, COUNTS)
            world.set_balance(key_of("bench").address, 10**21)
            ledger = Path(folder) / "ledger.sqlite"
            with _worker("send", world, ledger, open_transactions) as worker:
                _answer(worker, "open")
                _include_half(world)
                killed_s = time.perf_counter()
                worker.send_signal(signal.SIGKILL)
            with _worker("reconcile", world, ledger, open_transactions) as successor:
                without_start.append(float(_answer(successor, "reconciled")))
                seconds.append(time.perf_counter() - killed_s)
            trips.append(asyncio.run(_round_trip_s(world, open_transactions)))
    taken, trip = statistics.median(seconds), statistics.median(trips)
    return {
        "name": "recover",
        "peer": f"{open_transactions} round trips to the same node, one after the other",
        "ratio": round(open_transactions * trip / taken, 3),
        "seconds": round(taken, 3),
        "reconciled_s": round(statistics.median(without_start), 3),
        "round_trip_ms": round(1_000 * trip, 2),
        "aim_seconds": round(2 + open_transactions * trip, 3),
        "open_transactions": open_transactions,
        "rounds": rounds,
    }


@contextmanager
def _worker(what: str, world: ExactWorld, ledger: Path, count: int) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "bench.recover", what, world.url, str(ledger), str(count)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            yield process
        finally:
            process.kill()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _answer(process: subprocess.Popen[str], expected: str) -> str:
    """Return what a process says after the word that is expected of it."""
    assert process.stdout is not None
    word, _, figure = process.stdout.readline().strip().partition(" ")
    if word != expected:
        raise RuntimeError(f"the process ended with {process.wait()} before it was {expected}")
    return figure


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


async def _send(url: str, ledger: Path, count: int) -> None:
    """Leave transactions open, say so, and wait to be killed."""
    async with pool_of(url) as pool:
        journal = Journal.open(ledger, clock=SystemClock())
        street = _street(pool, journal, count)
        await asyncio.gather(*(street.submit(intent_of(number)) for number in range(count)))
        if len(street.open_runs) != count:
            raise RuntimeError(f"{len(street.open_runs)} of {count} are open")
        _say("open")
        await asyncio.Event().wait()


def _include_half(world: ExactWorld) -> None:
    """Mine one block that has room for half of what waits."""
    waiting = world.waiting(key_of("bench").address)
    raws = list(waiting.values())
    for known in list(waiting)[len(raws) // 2 :]:
        world.forget(known)
    world.mine()
    for raw in raws[len(raws) // 2 :]:
        world.send_raw(raw)


async def _reconcile(url: str, ledger: Path, count: int) -> None:
    """Go on with what the killed process left, and say how long that took."""
    start_s = time.perf_counter()
    async with pool_of(url) as pool:
        with Journal.open(ledger, clock=SystemClock()) as journal:
            street = _street(pool, journal, count)
            await recover(street, journal, now_ms=SystemClock().now_ms())
            ended = await street.follow()
            if len(ended) + len(street.open_runs) != count or len(ended) != count // 2:
                raise RuntimeError(f"{len(ended)} ended and {len(street.open_runs)} open, of {count}")
            _say(f"reconciled {time.perf_counter() - start_s}")


async def _round_trip_s(world: ExactWorld, count: int) -> float:
    async with pool_of(world.url) as pool:
        reads = pool.reads(keep=Keep.NOTHING)
        start = time.perf_counter()
        for _ in range(count):
            await reads.nonce(key_of("bench").address)
        return (time.perf_counter() - start) / count


if __name__ == "__main__":
    _what, _url, _ledger, _count = sys.argv[1:]
    asyncio.run({"send": _send, "reconcile": _reconcile}[_what](_url, Path(_ledger), int(_count)))
