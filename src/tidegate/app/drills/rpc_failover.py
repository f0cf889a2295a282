"""The rpc-failover drill: three endpoints, two die one after the other, and no read may be lost."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import count

from tidegate.app.devnet import devnet_address, start_devnet
from tidegate.chain import ChainReads, devnet_network
from tidegate.chain.rpc import ANY, Endpoint, Keep, Priority, RpcPool
from tidegate.ledger import DrillBody
from tidegate.model import TidegateError
from tidegate.sim import FaultProxy

_MS = 1_000_000
_READERS = 20


async def drill_rpc_failover(*, seconds: float = 3.0) -> DrillBody:
    """Read from three endpoints for so long; at a third and at two thirds of it one more of them dies.

    Raises
    ------
    Unavailable
        If the world can not be started.
    """
    world, devnet = start_devnet()
    started_ms, started = time.time_ns() // _MS, time.monotonic()
    steps: list[tuple[str, int]] = []
    reads_ms: list[int] = []
    lost: list[str] = []

    def note(what: str) -> None:
        steps.append((what, round((time.monotonic() - started) * 1000)))

    with world:
        async with AsyncExitStack() as stack:
            proxies = [await stack.enter_async_context(FaultProxy(world.url)) for _ in range(3)]
            endpoints = tuple(
                Endpoint(name=f"drill-{number}", url=proxy.url, operator=f"operator {number}")
                for number, proxy in enumerate(proxies, start=1)
            )
            network = devnet_network(devnet.chain_id)
            pool = await stack.enter_async_context(RpcPool(network, endpoints))
            reads = pool.reads(ANY, Priority.DECIDE, Keep.NOTHING)
            over, numbers = asyncio.Event(), count()
            readers = [
                asyncio.create_task(_read(reads, over, numbers, reads_ms, lost)) for _ in range(_READERS)
            ]
            note("three endpoints answer")
            for number, proxy in enumerate(proxies[:2], start=1):
                await asyncio.sleep(seconds / 3)
                await proxy.die()
                note(f"drill-{number} died")
            await asyncio.sleep(seconds / 3)
            over.set()
            await asyncio.gather(*readers)
            note("the last read")
    ordered = sorted(reads_ms)
    return DrillBody(
        drill="rpc-failover",
        world="devnet",
        passed=not lost and len(ordered) > _READERS,
        started_ms=started_ms,
        steps=tuple(steps),
        figures={
            "endpoints": 3,
            "died": 2,
            "reads": len(ordered),
            "lost": len(lost),
            "p99_ms": ordered[len(ordered) * 99 // 100] if ordered else -1,
            "slowest_ms": ordered[-1] if ordered else -1,
        },
        detail="; ".join(lost[:3]),
    )


async def _read(
    reads: ChainReads, over: asyncio.Event, numbers: count[int], done_ms: list[int], lost: list[str]
) -> None:
    """Read one account after another until it is over: another each time, so that no answer is shared."""
    while not over.is_set():
        began = time.monotonic_ns()
        try:
            await reads.balance(devnet_address(f"reader {next(numbers) % 200}"))
        except TidegateError as error:
            lost.append(str(error))
        else:
            done_ms.append((time.monotonic_ns() - began) // _MS)
