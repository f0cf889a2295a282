"""What the tests of the pool share: a node, bad nodes in front of it, and a pool over them."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

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
PATIENT_S = 60.0
"""How long what is well is waited for: a busy machine makes no honest node a bad one."""
PATIENT = {"timeout_s": PATIENT_S, "send_timeout_s": PATIENT_S}
BRIEF_S = 0.3
"""How long what never answers is waited for."""
SILENT = (Fault.HANG, Fault.SWALLOW)


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

    def break_down(self, index: int, fault: Fault) -> None:
        """Let an endpoint go bad; one that never answers is waited for briefly."""
        self.proxies[index].fault = fault
        if fault in SILENT:
            self.hurry(index)

    def hurry(self, index: int, timeout_s: float = BRIEF_S) -> None:
        """Wait for this endpoint so long from now on."""
        lane = self.pool._lanes[index]
        lane.endpoint = replace(lane.endpoint, timeout_s=timeout_s, send_timeout_s=timeout_s)
        lane._courier._timeout_s = timeout_s

    def forget_counts(self) -> None:
        for proxy in self.proxies:
            proxy.requests = 0
            proxy.methods.clear()
            proxy.batches.clear()


def endpoint(proxy: FaultProxy, name: str, **options: Any) -> Endpoint:
    return Endpoint(name, proxy.url, **{**PATIENT, **options})


@contextlib.asynccontextmanager
async def stand(
    url: str,
    count: int = 2,
    *,
    faults: Sequence[Fault] = (),
    options: Sequence[dict[str, Any]] = (),
    network: Any = NETWORK,
    watch_every_s: float = QUIET_S,
    deadline_s: float = PATIENT_S,
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
            deadline_s=deadline_s,
            **pool_options,
        )
        await stack.enter_async_context(pool)
        made = Stand(pool, proxies, events)
        for index, fault in enumerate(faults):
            made.break_down(index, fault)
        made.forget_counts()
        yield made


def run(conversation: Any) -> Any:
    return asyncio.run(conversation)


async def unanswered(ask: Callable[[float], Awaitable[object]], *says: str) -> Unavailable:
    """Return the error of a read that nobody can answer, given more time until it ``says`` all of it."""
    for timeout_s in (BRIEF_S, 10 * BRIEF_S, PATIENT_S):
        with pytest.raises(Unavailable) as caught:
            await ask(timeout_s)
        if all(word in f"{caught.value.message} {caught.value.found}" for word in says):
            break
    return caught.value


async def eventually(holds: Callable[[], bool], *, within_s: float = PATIENT_S) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  what is waited for happens in another process, too
            await asyncio.sleep(0.01)


def whole_text(error: BaseException) -> str:
    """Return all that a log or a terminal could show of an error: message, causes, traceback."""
    return "".join(traceback.format_exception(error)) + repr(error)
