"""What the tests of the pool share: a node, bad nodes in front of it, and a pool over them."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.chain import devnet_network
from tidegate.chain.rpc import Endpoint, EndpointState, PoolEvent, RpcPool
from tidegate.model import Unavailable
from tidegate.sim import Fault, FaultProxy

CHAIN_ID = 31_337
NETWORK = devnet_network(CHAIN_ID, block_time_s=1)
SEEN = "0x" + "00" * 18 + "beef"
"""An account that has a balance on the shared node."""
QUIET_S = 3_600.0
"""The watch does not look again during a test that counts requests."""


@dataclass
class Stand:
    """A pool, the proxies it reads from, and what it told of them."""

    pool: RpcPool
    proxies: list[FaultProxy]
    events: list[PoolEvent]

    def state(self, name: str) -> EndpointState:
        return next(report.state for report in self.pool.report if report.name == name)

    def sizes(self, index: int) -> list[int]:
        """Return how many calls each exchange held, but for those that asked who answers."""
        proxy = self.proxies[index]
        found = list(proxy.batches)
        for _ in range(proxy.methods["eth_chainId"]):
            found.remove(1)
        return sorted(found)

    def forget_counts(self) -> None:
        for proxy in self.proxies:
            proxy.requests = 0
            proxy.methods.clear()
            proxy.batches.clear()


def endpoint(proxy: FaultProxy, name: str, **options: Any) -> Endpoint:
    return Endpoint(name, proxy.url, **{"timeout_s": 0.5, "send_timeout_s": 0.5, **options})


@contextlib.asynccontextmanager
async def stand(
    url: str,
    count: int = 2,
    *,
    faults: Sequence[Fault] = (),
    options: Sequence[dict[str, Any]] = (),
    network: Any = NETWORK,
    watch_every_s: float = QUIET_S,
    **pool_options: Any,
) -> AsyncIterator[Stand]:
    """Give a pool over ``count`` proxies named a, b, c …; the faults begin once it has started."""
    async with contextlib.AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(FaultProxy(url)) for _ in range(count)]
        events: list[PoolEvent] = []
        pool = RpcPool(
            network,
            [
                endpoint(proxy, "abcdefgh"[index], **(options[index] if index < len(options) else {}))
                for index, proxy in enumerate(proxies)
            ],
            on_event=events.append,
            watch_every_s=watch_every_s,
            **pool_options,
        )
        try:
            await stack.enter_async_context(pool)
        except Unavailable:  # short timeouts on a machine at its limit; no node is broken yet
            await stack.enter_async_context(pool)
        for proxy, fault in zip(proxies, faults, strict=False):
            proxy.fault = fault
        made = Stand(pool, proxies, events)
        made.forget_counts()
        yield made


def run(conversation: Any) -> Any:
    return asyncio.run(conversation)


async def eventually(holds: Callable[[], bool], *, within_s: float = 15.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  what is waited for happens in another process, too
            await asyncio.sleep(0.01)


def whole_text(error: BaseException) -> str:
    """Return all that a log or a terminal could show of an error: message, causes, traceback."""
    return "".join(traceback.format_exception(error)) + repr(error)
