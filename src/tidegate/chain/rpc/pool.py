"""One pool of endpoints for one chain: reads that survive bad nodes, writes that happen once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from tidegate.chain.client import ChainClient
from tidegate.chain.networks import Network
from tidegate.chain.reads import ChainReads
from tidegate.chain.rpc.endpoint import Endpoint
from tidegate.chain.rpc.terms import ANY, AnyEndpoint, Keep, Policy, Priority, Quorum, Route
from tidegate.model import Clock, ConfigError, NullRecorder, Recorder, SystemClock


class RpcPool:
    """The endpoints of one chain as one.

    Parameters
    ----------
    network
        The chain, with its block time, confirmations and the lag that degrades an endpoint.
    endpoints
        At least one.
    clock, recorder
        Where time comes from, and where metrics go.
    deadline_s
        How long a read may take over all endpoints together.
    """

    def __init__(
        self,
        network: Network,
        endpoints: Sequence[Endpoint],
        *,
        clock: Clock | None = None,
        recorder: Recorder | None = None,
        deadline_s: float = 6.0,
    ) -> None:
        if not endpoints:
            raise ConfigError("a pool needs an endpoint", found="none", fix="name one under endpoints")
        self.network = network
        self.endpoints = tuple(endpoints)
        self._clock = clock or SystemClock()
        self._recorder = recorder or NullRecorder()
        self._deadline_s = deadline_s
        first = self.endpoints[0]
        self._client = ChainClient(first.url, network.chain_id, name=first.name)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Check each endpoint's chain id. Raises ``Unavailable`` if none is left."""
        await self._client.connect()

    async def close(self) -> None:
        """End all connections."""
        await self._client.close()

    def reads(
        self, policy: Policy = ANY, priority: Priority = Priority.DECIDE, keep: Keep = Keep.PINNED
    ) -> ChainReads:
        """Return typed reads that are made like this."""
        return PoolReads(self, policy, priority, keep)

    @property
    def policy_for_value(self) -> Policy:
        """Return the policy of reads on which value depends: two operators where there are two."""
        operators = {endpoint.operator for endpoint in self.endpoints}
        return Quorum(2) if len(operators) > 1 else AnyEndpoint()

    async def send_raw(self, raw: bytes, *, route: Route = Route.PUBLIC) -> bytes:
        """Hand signed bytes to every endpoint of ``route``; return the transaction's hash."""
        return await self._client.send_raw(raw)

    async def read(
        self,
        method: str,
        params: Sequence[Any],
        *,
        policy: Policy,
        priority: Priority,
        keep: Keep,
        timeout_s: float | None,
    ) -> Any:
        """Return the raw result of one read."""
        return await self._client.request(method, *params, timeout_s=timeout_s)


class PoolReads(ChainReads):
    """``ChainReads`` over a pool, made with one policy, priority and memory."""

    def __init__(self, pool: RpcPool, policy: Policy, priority: Priority, keep: Keep) -> None:
        super().__init__(pool.network.chain_id, name=f"the pool of {pool.network.name}")
        self._pool, self._policy, self._priority, self._keep = pool, policy, priority, keep

    async def request(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        """Return the raw result of any read, within its deadline."""
        return await self._pool.read(
            method,
            params,
            policy=self._policy,
            priority=self._priority,
            keep=self._keep,
            timeout_s=timeout_s,
        )
