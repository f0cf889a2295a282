"""One pool of endpoints for one chain: reads that survive bad nodes, writes that happen once."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgspec

from tidegate.chain.codecs import keccak256
from tidegate.chain.networks import Network
from tidegate.chain.reads import ChainReads
from tidegate.chain.rpc.attempt import Call
from tidegate.chain.rpc.cache import ReadCache
from tidegate.chain.rpc.endpoint import Endpoint, Tier
from tidegate.chain.rpc.exchange import NoAnswer
from tidegate.chain.rpc.health import Cause, Change, EndpointState
from tidegate.chain.rpc.lane import Lane
from tidegate.chain.rpc.reading import Reading
from tidegate.chain.rpc.subscription import LogsFilter, Subscription
from tidegate.chain.rpc.terms import ANY, Keep, Policy, Priority, Quorum
from tidegate.chain.rpc.watch import Watch
from tidegate.chain.rpc.writes import Writes
from tidegate.model import (
    Clock,
    ConfigError,
    NullRecorder,
    Recorder,
    Rejected,
    Route,
    SystemClock,
    TidegateError,
    Unavailable,
)

DEADLINE_S = 6.0
_STALE_BLOCKS = 3


class PoolEvent(msgspec.Struct, frozen=True):
    """Something that happened to an endpoint. ``detail`` has figures, never a URL."""

    chain_id: int
    endpoint: str
    before: EndpointState
    after: EndpointState
    cause: Cause
    detail: str

    @property
    def is_alert(self) -> bool:
        """Say whether a person must look: a quarantine, a refused key, or a split of history."""
        return self.cause in (Cause.WRONG_CHAIN_ID, Cause.BLOCK_HASH_DIFFERS, Cause.AUTH)


class EndpointReport(msgspec.Struct, frozen=True):
    """How an endpoint stands."""

    name: str
    tier: Tier
    operator: str
    state: EndpointState
    head: int | None
    lag_blocks: int
    p95_ms: int | None
    last_error: str


class RpcPool:
    """The endpoints of one chain as one. Used as ``async with RpcPool(network, endpoints) as pool``.

    Parameters
    ----------
    network
        The chain, with its block time, confirmations and the lag that degrades an endpoint.
    endpoints
        At least one, with different names.
    clock, recorder
        Where time comes from, and where metrics go.
    on_event
        Told of every change of an endpoint's state and of every split of history.
    quarantined
        Names of endpoints that an earlier process put into quarantine, and why: they are not asked until
        a person releases them. Names that the pool does not have are passed over.
    deadline_s
        How long a read may take over all endpoints together.
    watch_every_s
        How often a healthy endpoint is looked at; by default twice a block, between 0.25 s and 4 s.
    """

    def __init__(
        self,
        network: Network,
        endpoints: Sequence[Endpoint],
        *,
        clock: Clock | None = None,
        recorder: Recorder | None = None,
        on_event: Callable[[PoolEvent], None] = lambda _: None,
        quarantined: Mapping[str, str] | None = None,
        deadline_s: float = DEADLINE_S,
        watch_every_s: float | None = None,
    ) -> None:
        names = [endpoint.name for endpoint in endpoints]
        if not names or len(set(names)) != len(names):
            raise ConfigError(
                f"the pool of {network.name} needs endpoints with different names",
                found=", ".join(names) or "none",
                fix=f"name each endpoint of chain {network.chain_id} once",
            )
        self.network = network
        self.endpoints = tuple(endpoints)
        self._clock = clock or SystemClock()
        self._on_event = on_event
        self._lanes = [
            Lane(
                endpoint,
                chain_id=network.chain_id,
                lag_max_blocks=network.lag_max_blocks,
                clock=self._clock,
                recorder=recorder or NullRecorder(),
                pool_median_s=self._median_s,
                on_change=self._changed,
            )
            for endpoint in endpoints
        ]
        for lane in self._lanes:
            if quarantined is not None and lane.name in quarantined:
                lane.hold(quarantined[lane.name])
        self._cache = ReadCache(self._clock, head_age_max_s=_STALE_BLOCKS * network.block_time_s)
        self._watch = Watch(
            self._lanes,
            network,
            on_head=lambda *_: self._cache.new_head(),
            on_split=self._split,
            every_s=watch_every_s,
        )
        self._reading = Reading(self._lanes, self._watch, self._cache, network, self._clock, deadline_s)
        self._writes = Writes(self._lanes)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Check each endpoint's chain id, and begin to watch them.

        Raises
        ------
        Unavailable
            If no endpoint of the chain answers, with each one's last error.
        """
        try:
            asked = (lane for lane in self._lanes if lane.health.state is not EndpointState.QUARANTINED)
            await asyncio.gather(*(self._connect(lane) for lane in asked))
            if not any(lane.is_identified for lane in self._lanes):
                raise Unavailable(
                    f"no endpoint of {self.network.name} answers",
                    found="; ".join(lane.complaint for lane in self._lanes),
                    fix=f"correct the URLs of chain {self.network.chain_id}, or its chain id; "
                    "a person ends a quarantine: tidegate resume --endpoint CHAIN.NAME",
                )
            await asyncio.gather(*(self._watch.look(lane) for lane in self._lanes if lane.is_identified))
        except BaseException:
            await self.close()
            raise
        self._watch.start()

    async def close(self) -> None:
        """End all calls and connections."""
        await self._watch.stop()
        await self._writes.close()
        await asyncio.gather(*(lane.close() for lane in self._lanes))

    def reads(
        self, policy: Policy = ANY, priority: Priority = Priority.DECIDE, keep: Keep = Keep.PINNED
    ) -> ChainReads:
        """Return typed reads that are made like this. Whoever signs reads with ``Keep.NOTHING``."""
        return PoolReads(self, self._reading, policy, priority, keep)

    @property
    def policy_for_value(self) -> Policy:
        """Return the policy of reads on which value depends: two operators where two exist."""
        operators = {endpoint.operator for endpoint in self.endpoints if endpoint.tier is not Tier.PRIVATE}
        return Quorum(2) if len(operators) > 1 else ANY

    async def read(
        self,
        method: str,
        params: Sequence[Any],
        *,
        policy: Policy = ANY,
        priority: Priority = Priority.DECIDE,
        keep: Keep = Keep.PINNED,
        timeout_s: float | None = None,
    ) -> Any:
        """Return the raw result of one read. Raises as ``ChainReads`` does."""
        return await self._reading.read(
            Call(method, params), policy=policy, priority=priority, keep=keep, timeout_s=timeout_s
        )

    async def send_raw(self, raw: bytes, *, route: Route = Route.PUBLIC) -> bytes:
        """Hand signed bytes to every endpoint of ``route``; return the transaction's hash.

        Bytes that a node has already, or that are in a block, are a success: sending again is safe.

        Raises
        ------
        Rejected
            If all refused for good; they can not land.
        Ambiguous
            If it is unknown whether they arrived: ask for the receipt and the nonce, send the same bytes.
        Unavailable
            With code ``not_sent``, if they certainly reached nobody.
        """
        try:
            return await self._writes.send(raw, route)
        except Rejected as error:
            expected = await self._landed(raw) if error.code == "nonce_too_low" else None
            if expected is None:
                raise
            return expected
        finally:
            self._cache.new_head()

    def subscribe(self, logs: LogsFilter | None = None) -> Subscription:
        """Return hints of new blocks, and of logs that match, as they are announced.

        A hint is never the truth: whatever it names is read and checked like anything else.
        """
        return Subscription(self._lanes, self.reads(), self.network, self._clock, logs)

    async def release(self, name: str) -> EndpointState:
        """Let a quarantined endpoint be probed again, by a person's order; return where it stands then.

        Raises
        ------
        ConfigError
            If no endpoint has this name.
        """
        lane = next((one for one in self._lanes if one.name == name), None)
        if lane is None:
            raise ConfigError(
                f"no endpoint of {self.network.name} is named {name!r}",
                allowed=", ".join(one.name for one in self._lanes),
            )
        if lane.health.state is EndpointState.QUARANTINED:
            lane.release()
            await self._watch.probe(lane)
        return lane.health.state

    @property
    def names(self) -> frozenset[str]:
        """Return the names of the endpoints."""
        return frozenset(lane.name for lane in self._lanes)

    @property
    def head(self) -> int | None:
        """Return the newest block that the pool believes in, None before the first look."""
        return self._watch.head

    @property
    def report(self) -> tuple[EndpointReport, ...]:
        """Return how each endpoint stands."""
        return tuple(
            EndpointReport(
                name=lane.name,
                tier=lane.endpoint.tier,
                operator=lane.endpoint.operator,
                state=lane.health.state,
                head=lane.head,
                lag_blocks=lane.health.lag_blocks,
                p95_ms=None if lane.health.p95_s is None else round(1000 * lane.health.p95_s),
                last_error=lane.last_error,
            )
            for lane in self._lanes
        )

    @property
    def logs_span(self) -> int:
        """Return how many blocks one ``eth_getLogs`` may ask for: what some usable endpoint serves."""
        spans = [lane.logs_span_max for lane in self._lanes if lane.health.is_usable]
        return max(spans or [lane.logs_span_max for lane in self._lanes])

    async def _connect(self, lane: Lane) -> None:
        try:
            await lane.identify()
        except NoAnswer as problem:
            lane.troubled(problem, 1)

    async def _landed(self, raw: bytes) -> bytes | None:
        """Return the hash if a block holds these very bytes: a used nonce was then used by us."""
        expected = keccak256(raw)
        try:
            found = await self.reads(ANY, Priority.SEND, Keep.NOTHING).receipt(expected)
        except TidegateError:
            return None
        return None if found is None else expected

    def _median_s(self) -> float | None:
        """Return what a call takes with the faster half of the endpoints; None where there is no other."""
        medians = [lane.health.median_s for lane in self._lanes if lane.health.median_s is not None]
        return statistics.median_low(medians) if len(medians) > 1 else None

    def _changed(self, lane: Lane, change: Change) -> None:
        if change.after is EndpointState.QUARANTINED:
            self._cache.clear()
        self._watch.wake(lane)
        self._on_event(
            PoolEvent(
                chain_id=self.network.chain_id,
                endpoint=lane.name,
                before=change.before,
                after=change.after,
                cause=change.cause,
                detail=change.detail,
            )
        )

    def _split(self, number: int, detail: str) -> None:
        self._cache.clear()
        for lane in self._lanes:
            if number in lane.hashes:
                state = lane.health.state
                self._on_event(
                    PoolEvent(
                        chain_id=self.network.chain_id,
                        endpoint=lane.name,
                        before=state,
                        after=state,
                        cause=Cause.BLOCK_HASH_DIFFERS,
                        detail=f"block {number}, no majority: {detail}",
                    )
                )


class PoolReads(ChainReads):
    """``ChainReads`` over a pool, made with one policy, priority and memory."""

    def __init__(
        self, pool: RpcPool, reading: Reading, policy: Policy, priority: Priority, keep: Keep
    ) -> None:
        super().__init__(pool.network.chain_id, name=f"the pool of {pool.network.name}")
        self._reading = reading
        self._pool, self._policy, self._priority, self._keep = pool, policy, priority, keep

    async def request(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        """Return the raw result of any read, within its deadline."""
        return await self._reading.read(
            Call(method, params),
            policy=self._policy,
            priority=self._priority,
            keep=self._keep,
            timeout_s=timeout_s,
        )

    @property
    def logs_span(self) -> int:
        """Return how many blocks one ``eth_getLogs`` may ask for just now."""
        return self._pool.logs_span
