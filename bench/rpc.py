"""``tidegate bench rpc``: reads a second through the pool, beside raw aiohttp and web3.py on one node.

All ask the same anvil node for balances of accounts that differ, so that nothing is answered from
memory; callers ask again as soon as they are answered. Raw aiohttp sends each read as a request of its
own, as web3.py does; the pool lets reads that are made together travel together, checks who answers,
and is ready to ask elsewhere. Rounds alternate and the middle one counts. Then two of three nodes are
killed under load, and every read must still be answered.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import aiohttp
import uvloop
from web3 import AsyncHTTPProvider, AsyncWeb3

from tidegate.chain import devnet_network
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.model import TidegateError
from tidegate.sim import ExactWorld

_IN_FLIGHT = (1, 20, 100)
_READS = {1: 500, 20: 2_000, 100: 4_000}
_WEB3_READS = 300
_WEB3_IN_FLIGHT = 20
_ROUNDS = 7
_FAILOVER_READS = 4_000
_NETWORK = devnet_network(31_337, block_time_s=1)

Ask = Callable[[str], Awaitable[Any]]


def run(rounds: int = _ROUNDS, share: float = 1.0) -> dict[str, Any]:
    """Return reads a second at 1, 20 and 100 in flight, ours and the peers', and what failover lost."""
    with ExactWorld() as node:
        figures = uvloop.run(_speeds(node.url, rounds, share))
    failover_reads = round(share * _FAILOVER_READS)
    with ExitStack() as stack:
        worlds = [stack.enter_context(ExactWorld()) for _ in range(3)]
        lost = uvloop.run(_failover(worlds, failover_reads))
    return {
        "name": "rpc",
        "peer": "raw aiohttp, one request a read, on the same anvil node; web3.py (AsyncWeb3) beside it",
        "ratio": figures["ratio_at"]["20"],
        **figures,
        "failover_lost": lost,
        "failover_reads": failover_reads,
        "rounds": rounds,
    }


async def _speeds(url: str, rounds: int, share: float) -> dict[str, Any]:
    counts = {count: round(share * reads) for count, reads in _READS.items()}
    web3 = AsyncWeb3(AsyncHTTPProvider(url))
    try:
        async with (
            aiohttp.ClientSession() as session,
            RpcPool(_NETWORK, [Endpoint("node", url)]) as pool,
        ):
            reads = pool.reads(keep=Keep.PINNED)
            raw = _raw(session, url)

            async def ours(account: str) -> Any:
                return await reads.request("eth_getBalance", account, "latest")

            async def theirs(account: str) -> Any:
                return await web3.eth.get_balance(AsyncWeb3.to_checksum_address(account), "latest")

            for ask in (raw, ours, theirs):
                await _load(ask, 200, 20)
            found: dict[int, list[tuple[float, float, float]]] = {count: [] for count in _IN_FLIGHT}
            beside: list[tuple[float, float]] = []
            for _ in range(rounds):
                for count, rows in found.items():
                    peer_s, _ = await _load(raw, counts[count], count)
                    rows.append((*await _load(ours, counts[count], count), peer_s))
                web3_s, _ = await _load(theirs, round(share * _WEB3_READS), _WEB3_IN_FLIGHT)
                beside.append((found[_WEB3_IN_FLIGHT][-1][0], web3_s))
    finally:
        await web3.provider.disconnect()
    return {
        "requests_s": _middle(found, lambda row: row[0]),
        "p99_ms": _middle(found, lambda row: row[1], digits=2),
        "peer_requests_s": _middle(found, lambda row: row[2]),
        "ratio_at": _middle(found, lambda row: row[0] / row[2], digits=2),
        "web3_requests_s": round(statistics.median(row[1] for row in beside)),
        "ratio_web3": round(statistics.median(row[0] / row[1] for row in beside), 2),
    }


def _middle(
    found: dict[int, list[tuple[float, float, float]]],
    pick: Callable[[tuple[float, float, float]], float],
    *,
    digits: int | None = None,
) -> dict[str, float]:
    return {
        str(count): round(statistics.median(pick(row) for row in rows), digits)
        for count, rows in found.items()
    }


def _raw(session: aiohttp.ClientSession, url: str) -> Ask:
    async def ask(account: str) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": [account, "latest"]}
        async with session.post(url, json=body) as response:
            return (await response.json())["result"]

    return ask


async def _load(ask: Ask, reads: int, in_flight: int) -> tuple[float, float]:
    """Return reads a second and the 99th percentile in ms of ``in_flight`` callers that never rest."""
    numbers = iter(range(reads))
    seconds: list[float] = []

    async def caller() -> None:
        for number in numbers:
            began = time.perf_counter()
            await ask(f"0x{number + 1:040x}")
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    whole = time.perf_counter() - began
    seconds.sort()
    return reads / whole, 1000 * seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)]


async def _failover(worlds: list[ExactWorld], count: int) -> int:
    """Kill two of three nodes under load; return how many reads were not answered."""
    endpoints = [Endpoint(name, world.url) for name, world in zip("abc", worlds, strict=True)]
    lost = answered = 0
    async with RpcPool(_NETWORK, endpoints) as pool:
        reads = pool.reads(keep=Keep.NOTHING)

        async def ask(account: str) -> None:
            nonlocal lost, answered
            try:
                await reads.request("eth_getBalance", account, "latest")
                answered += 1
            except TidegateError:
                lost += 1

        await asyncio.gather(_load(ask, count, 20), _kill(worlds[:2], count // 4, lambda: answered + lost))
    return lost


async def _kill(worlds: list[ExactWorld], every: int, done: Callable[[], int]) -> None:
    """Kill the nodes one after the other, each after ``every`` more reads."""
    for number, world in enumerate(worlds, start=1):
        while done() < number * every:  # noqa: ASYNC110  each look lets the load go on
            await asyncio.sleep(0.001)
        await asyncio.to_thread(world.close)
