"""Reads over the endpoints of a pool: remembered, merged, raced or voted on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias

from tidegate.chain.jsonrpc import RangeTooWide
from tidegate.chain.networks import Network
from tidegate.chain.rpc.attempt import Call
from tidegate.chain.rpc.cache import ReadCache
from tidegate.chain.rpc.endpoint import Feature, Tier
from tidegate.chain.rpc.health import EndpointState
from tidegate.chain.rpc.lane import Lane
from tidegate.chain.rpc.methods import (
    BLOCK_BY_NUMBER,
    BLOCK_POSITIONS,
    LOGS,
    block_parameter_of,
    logs_span,
    needs_trace,
    pinned_hash,
    with_block,
)
from tidegate.chain.rpc.quorum import agreed
from tidegate.chain.rpc.race import Race, out_of_time
from tidegate.chain.rpc.terms import ANY, Fresh, Keep, Policy, Priority, Quorum
from tidegate.chain.rpc.watch import Watch
from tidegate.chain.wire import integer, quantity
from tidegate.model import Clock, TidegateError, Unavailable

_HEADS = ("latest", "safe", "finalized", "earliest")
_HEAD_METHODS = frozenset({BLOCK_BY_NUMBER, "eth_blockNumber"})
_NEVER_BY_HEAD = frozenset({"eth_blockNumber", "eth_getTransactionReceipt", "eth_getTransactionByHash"})
_Key: TypeAlias = tuple[Policy, str, bytes]
_Outcome: TypeAlias = tuple[Any, TidegateError | None]
_Shared: TypeAlias = "asyncio.Future[_Outcome]"


class Reading:
    """What ``RpcPool.read`` does.

    Parameters
    ----------
    deadline_s
        How long a read may take over all endpoints together.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        watch: Watch,
        cache: ReadCache,
        network: Network,
        clock: Clock,
        deadline_s: float,
    ) -> None:
        self._watch = watch
        self._cache = cache
        self._network = network
        self._clock = clock
        self._deadline_s = deadline_s
        self._under_way: dict[tuple[Policy, str, bytes], _Shared] = {}
        self.readable = [lane for lane in lanes if lane.endpoint.tier is not Tier.PRIVATE]
        self._only = self.readable[0] if len(self.readable) == 1 else None

    async def read(
        self, call: Call, *, policy: Policy, priority: Priority, keep: Keep, timeout_s: float | None
    ) -> Any:
        """Return the result of one read: from memory, from a twin under way, or from the endpoints."""
        limit_s = self._deadline_s if timeout_s is None else timeout_s
        if keep is Keep.NOTHING:
            return await self._asked(call, policy, priority, limit_s)
        scope = _scope(call, keep)
        key = (policy, call.method, call.encoded)
        if scope is None:
            twin = self._under_way.get(key)
            return await (
                self._first(key, call, policy, priority, limit_s)
                if twin is None
                else self._joined(twin, key, call, policy, priority, limit_s)
            )
        operators = policy.operators if isinstance(policy, Quorum) else 1
        kept = self._cache.get(scope, (call.method, call.encoded), operators=operators)
        if kept is not None:
            return kept[0]
        mark = self._cache.head_mark
        twin = self._under_way.get(key)
        if twin is None:
            answer = await self._first(key, call, policy, priority, limit_s)
        else:
            answer = await self._joined(twin, key, call, policy, priority, limit_s)
        self._cache.put(scope, (call.method, call.encoded), answer, operators=operators, head_mark=mark)
        return answer

    async def _first(self, key: _Key, call: Call, policy: Policy, priority: Priority, limit_s: float) -> Any:
        """Ask, and let twins that come meanwhile join: identical reads in flight are one request."""
        shared: _Shared = asyncio.get_running_loop().create_future()
        self._under_way[key] = shared
        outcome: _Outcome | None = None
        try:
            answer = await self._asked(call, policy, priority, limit_s)
            outcome = (answer, None)
            return answer
        except TidegateError as error:
            outcome = (None, error)
            raise
        finally:
            del self._under_way[key]
            shared.set_result(outcome or (None, _given_up(call)))

    async def _joined(
        self, twin: _Shared, key: _Key, call: Call, policy: Policy, priority: Priority, limit_s: float
    ) -> Any:
        ends_ns = self._clock.monotonic_ns() + round(limit_s * 1e9)
        joined: _Shared | None = twin
        while joined is not None:
            try:
                async with asyncio.timeout(limit_s):
                    answer, error = await asyncio.shield(joined)
            except TimeoutError:
                raise out_of_time(self._network.name, call.method, {}, self.readable) from None
            if error is None:
                return answer
            limit_s = (ends_ns - self._clock.monotonic_ns()) / 1e9
            # Its deadline was its own, and its caller may have gone; a refusal is everyone's.
            if limit_s <= 0 or not isinstance(error, Unavailable):
                raise error
            joined = self._under_way.get(key)
        return await self._first(key, call, policy, priority, limit_s)

    async def _asked(self, call: Call, policy: Policy, priority: Priority, limit_s: float) -> Any:
        if policy is ANY and self._only is not None and self._only.health.is_usable and call.method != LOGS:
            began_ns = self._clock.monotonic_ns()
            found = await self._only.ask_alone(call, priority, limit_s)
            if found is not None:
                if call.method in _HEAD_METHODS:
                    self._saw_head(self._only, call, found[0])
                return found[0]
            limit_s -= (self._clock.monotonic_ns() - began_ns) / 1e9
        if isinstance(policy, Quorum):
            return await self._agreed(call, policy.operators, priority, limit_s)
        course = _Course(self, call, policy)
        race = Race(call, course, priority=priority, timeout_s=max(limit_s, 0.001), clock=self._clock)
        answer = await race.run()
        if race.winner is not None and call.method in _HEAD_METHODS:
            self._saw_head(race.winner, call, answer)
        return answer

    async def _agreed(self, call: Call, operators: int, priority: Priority, limit_s: float) -> Any:
        """Agree on the block first, then on what it holds: a quorum is for one block's hash."""
        ends_ns = self._clock.monotonic_ns() + round(limit_s * 1e9)

        def left_s() -> float:
            return max((ends_ns - self._clock.monotonic_ns()) / 1e9, 0.001)

        async def vote(one: Call) -> Any:
            course = _Course(self, one, Quorum(operators))
            return await agreed(
                one, operators, course, priority=priority, timeout_s=left_s(), clock=self._clock
            )

        async def number_of(block: Any) -> str:
            return await self._common_height(block, operators, priority, left_s())

        if call.method == "eth_blockNumber":
            height = await number_of("latest")
            await vote(Call(BLOCK_BY_NUMBER, [height, False]))
            return height
        block = block_parameter_of(call.method, call.params)
        if call.method == BLOCK_BY_NUMBER and block in _HEADS:
            return await vote(Call(BLOCK_BY_NUMBER, [await number_of(block), *call.params[1:]]))
        if call.method == LOGS and call.params and isinstance(call.params[0], dict):
            span = dict(call.params[0])
            for end in ("fromBlock", "toBlock"):
                if span.get(end) in _HEADS:
                    span[end] = await number_of(span[end])
            return await vote(Call(LOGS, [span]))
        if call.method in BLOCK_POSITIONS and isinstance(block, str) and block != "pending":
            header = await vote(Call(BLOCK_BY_NUMBER, [await number_of(block), False]))
            if header is None:
                raise Unavailable("two operators do not have this block", code="block_missing", found=block)
            return await vote(
                Call(call.method, with_block(call.method, call.params, {"blockHash": header["hash"]}))
            )
        return await vote(call)

    async def _common_height(self, block: Any, operators: int, priority: Priority, limit_s: float) -> str:
        """Return the height of ``block`` that so many operators have reached, as a quantity."""
        if block not in _HEADS:
            return str(block)
        ask = Call(BLOCK_BY_NUMBER, [block, False])
        by_operator: dict[str, Lane] = {}
        for lane in _Course(self, ask, Quorum(operators)).candidates():
            by_operator.setdefault(lane.endpoint.operator, lane)
        waiting = [asyncio.ensure_future(lane.ask(ask, priority, limit_s)) for lane in by_operator.values()]
        heights: list[int] = []
        try:
            for answer in asyncio.as_completed(waiting):
                try:
                    heights.append(integer((await answer)["number"]))
                except (TidegateError, KeyError, TypeError, ValueError):
                    continue
                if len(heights) >= operators:
                    return quantity(min(heights))
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        raise Unavailable(
            f"only {len(heights)} of {operators} operators name their {block} block",
            found="; ".join(lane.complaint for lane in self.readable),
        )

    def _saw_head(self, lane: Lane, call: Call, answer: Any) -> None:
        """Take note of a head that a read brought along."""
        try:
            if call.method == "eth_blockNumber":
                number, block_hash = integer(answer), ""
            elif call.params and call.params[0] == "latest":
                number, block_hash = integer(answer["number"]), str(answer["hash"]).lower()
            else:
                return
        except (KeyError, TypeError, ValueError):
            return
        if lane.head is None or number >= lane.head:
            self._watch.saw_head(lane, number, block_hash, pool_head=None)

    def ordered(self, lanes: Sequence[Lane]) -> list[Lane]:
        """Return endpoints in the order in which they are asked.

        The healthy before the degraded, primaries before backups, and among equals whoever's turn it
        is by weight (a smooth round robin, so that the same calls always go the same ways).
        """
        if len(lanes) < 2:
            return list(lanes)
        ranked = sorted(lanes, key=_rank)
        first = _rank(ranked[0])
        peers = [lane for lane in ranked if _rank(lane) == first]
        total = sum(lane.endpoint.weight for lane in peers)
        for lane in peers:
            lane.turn += lane.endpoint.weight
        peers.sort(key=lambda lane: -lane.turn)
        peers[0].turn -= total
        return [*peers, *ranked[len(peers) :]]

    @property
    def watch(self) -> Watch:
        """Return who looks after the endpoints."""
        return self._watch

    @property
    def network_name(self) -> str:
        """Return what errors call the chain."""
        return self._network.name


class _Course:
    """Which endpoints may be asked for one read, and in which order."""

    def __init__(self, reading: Reading, call: Call, policy: Policy) -> None:
        self._reading = reading
        self._policy = policy
        self._span = logs_span(call.method, call.params)
        self._needs_trace = needs_trace(call.method)
        if self._span is not None:
            self._check_span(self._span)

    def candidates(self) -> list[Lane]:
        """Return the endpoints that may be asked now, the best first."""
        lanes = [lane for lane in self._reading.readable if lane.health.is_usable]
        if self._span is not None:
            lanes = [lane for lane in lanes if lane.logs_span_max >= self._span]
        if self._needs_trace:
            lanes = [lane for lane in lanes if Feature.TRACE in lane.endpoint.features] or lanes
        if isinstance(self._policy, Fresh):
            head = self._reading.watch.head
            oldest = None if head is None else head - self._policy.max_lag_blocks
            lanes = [
                lane for lane in lanes if oldest is not None and lane.head is not None and lane.head >= oldest
            ]
        return self._reading.ordered(lanes)

    @property
    def how_many(self) -> int:
        """Return how many endpoints there are, those in quarantine left out: they do not come back."""
        state = EndpointState.QUARANTINED
        return sum(lane.health.state is not state for lane in self._reading.readable)

    def none_left(self) -> None:
        """Have whatever can be probed probed now."""
        self._reading.watch.last_resort()

    def given_up(self, call: Call, errors: dict[str, TidegateError]) -> TidegateError:
        """Return the error that carries each endpoint's last one."""
        return out_of_time(self._reading.network_name, call.method, errors, self._reading.readable)

    def _check_span(self, span: int) -> None:
        """Refuse a span that no endpoint serves before anyone is asked."""
        served = [lane.logs_span_max for lane in self._reading.readable if lane.health.is_usable]
        if served and max(served) < span:
            raise RangeTooWide(
                "the range is too wide for every endpoint",
                found=f"{span} blocks",
                allowed=f"{max(served)} blocks",
            )


def _rank(lane: Lane) -> tuple[int, bool]:
    return lane.health.state, lane.endpoint.tier is Tier.BACKUP


def _scope(call: Call, keep: Keep) -> Keep | None:
    """Return for how long the answer may be kept, None for not at all."""
    if pinned_hash(call.method, call.params) is not None:
        return Keep.PINNED
    if keep is Keep.PINNED:
        return None
    is_of_head = call.method == BLOCK_BY_NUMBER or call.method in _NEVER_BY_HEAD
    is_waiting = block_parameter_of(call.method, call.params) == "pending"
    return None if is_of_head or is_waiting else keep


def _given_up(call: Call) -> Unavailable:
    return Unavailable(f"{call.method} was given up by who asked first")
