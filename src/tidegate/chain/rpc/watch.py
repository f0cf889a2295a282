"""Looks after the endpoints: probes, heads, and whether they tell the same history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from tidegate.chain.networks import Network
from tidegate.chain.rpc.attempt import Call
from tidegate.chain.rpc.exchange import NoAnswer, Trouble
from tidegate.chain.rpc.health import Cause, EndpointState
from tidegate.chain.rpc.lane import Lane
from tidegate.chain.rpc.methods import BLOCK_BY_NUMBER
from tidegate.chain.rpc.terms import Priority
from tidegate.chain.wire import integer, quantity

_LATEST = Call(BLOCK_BY_NUMBER, ["latest", False])
_DEGRADED_EVERY_S = 1.0
_EVERY_LEAST_S, _EVERY_MOST_S = 0.25, 4.0
_OPERATORS_TO_OUTVOTE = 3


class Watch:
    """One loop for each endpoint.

    Parameters
    ----------
    on_head
        Told whenever an endpoint names a new block: ``(lane, number, hash)``.
    on_split
        Told that endpoints differ on a settled block and that there is no majority.
    every_s
        How often a healthy endpoint is looked at; by default twice a block, between 0.25 s and 4 s.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        network: Network,
        *,
        on_head: Callable[[Lane, int, str], None],
        on_split: Callable[[int, str], None],
        every_s: float | None = None,
    ) -> None:
        self._lanes = lanes
        self._network = network
        self._on_head = on_head
        self._on_split = on_split
        usual_s = min(max(network.block_time_s / 2, _EVERY_LEAST_S), _EVERY_MOST_S)
        self.every_s = usual_s if every_s is None else every_s
        # Endpoints are looked at one by one; a coarser height lets them be asked for the same block.
        self._stride = max(2 * round(self.every_s / network.block_time_s), 1)
        self._wakes = {lane: asyncio.Event() for lane in lanes}
        self._resorts: set[Lane] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._told_split = -1

    @property
    def head(self) -> int | None:
        """Return the pool's newest block: where three operators or more answer, what two of them have.

        One endpoint that claims a block far ahead would otherwise make all the others laggards. What an
        endpoint had before it fell silent still counts: its silence makes nobody else fresh.
        """
        heads: dict[str, int] = {}
        for lane in self._lanes:
            if lane.head is not None and lane.health.state is not EndpointState.QUARANTINED:
                operator = lane.endpoint.operator
                heads[operator] = max(lane.head, heads.get(operator, 0))
        ordered = sorted(heads.values(), reverse=True)
        if not ordered:
            return None
        return ordered[1] if len(ordered) >= _OPERATORS_TO_OUTVOTE else ordered[0]

    def start(self) -> None:
        """Begin to look."""
        self._loops = [asyncio.create_task(self._follow(lane)) for lane in self._lanes]

    async def stop(self) -> None:
        """End the loops."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []

    def wake(self, lane: Lane) -> None:
        """Look at an endpoint now: its state has changed."""
        self._wakes[lane].set()

    def last_resort(self) -> None:
        """Probe what cools, because no endpoint is left to ask."""
        for lane in self._lanes:
            if lane.health.may_probe(is_last_resort=True):
                self._resorts.add(lane)
                self._wakes[lane].set()

    async def look(self, lane: Lane) -> None:
        """Ask an endpoint for its head, and for a settled block that all are asked for."""
        known = self.head
        settled = self._settled_height(known)
        asks = [lane.ask(_LATEST, Priority.CONFIRM, lane.endpoint.timeout_s)]
        if settled is not None and settled not in lane.hashes:
            asks.append(self._hash_at(lane, settled))
        latest, *hashes = await asyncio.gather(*asks, return_exceptions=True)
        head = _number_and_hash(latest)
        if head is not None:
            self.saw_head(lane, *head, pool_head=known)
        if settled is not None and hashes and isinstance(hashes[0], str):
            lane.saw_hash(settled, hashes[0])
            await self._compare(settled)

    def saw_head(self, lane: Lane, number: int, block_hash: str, *, pool_head: int | None) -> None:
        """Take note of an endpoint's newest block."""
        is_new = (number, block_hash) != (lane.head, lane.head_hash)
        lane.saw_head(number, block_hash, pool_head=pool_head)
        if is_new:
            self._on_head(lane, number, block_hash)

    async def probe(self, lane: Lane) -> None:
        """Make the one probe call of an endpoint that cooled."""
        lane.health.begin_probe()
        problem = NoAnswer("the probe was given up")
        try:
            await lane.identify()
        except NoAnswer as error:
            problem = error
        else:
            lane.health.probe_answered()
            return
        finally:
            if lane.health.state is EndpointState.COOLING:
                lane.last_error = problem.detail
                lane.health.probe_failed(problem.detail)
                if problem.trouble is Trouble.RATE_LIMITED:
                    lane.health.rate_limited(problem.retry_after_s)

    async def _follow(self, lane: Lane) -> None:
        wake = self._wakes[lane]
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s(lane)):
                    await wake.wait()
            wake.clear()
            if lane.health.is_usable:
                await self.look(lane)
            elif lane.health.may_probe(is_last_resort=lane in self._resorts):
                await self.probe(lane)
            self._resorts.discard(lane)

    def _rest_s(self, lane: Lane) -> float | None:
        state = lane.health.state
        if state is EndpointState.QUARANTINED:
            return None
        if state is EndpointState.COOLING:
            # A clock may stand still while the loop's own time goes on.
            return max(lane.health.probe_in_s or 0, _EVERY_LEAST_S / 10)
        return min(self.every_s, _DEGRADED_EVERY_S) if state is EndpointState.DEGRADED else self.every_s

    def _settled_height(self, head: int | None) -> int | None:
        if head is None or head < self._network.confirmations:
            return None
        return (head - self._network.confirmations) // self._stride * self._stride

    async def _hash_at(self, lane: Lane, number: int) -> str | None:
        call = Call(BLOCK_BY_NUMBER, [quantity(number), False])
        found = _number_and_hash(await lane.ask(call, Priority.CONFIRM, lane.endpoint.timeout_s))
        return None if found is None else found[1]

    async def _compare(self, number: int) -> None:
        """Quarantine whoever has another block than the majority at a depth that no reorg reaches."""
        voices = [lane for lane in self._lanes if lane.health.is_usable]
        if len({lane.hashes[number] for lane in voices if number in lane.hashes}) < 2:
            return
        # A reorg may have come between two answers, and not all were asked yet: before anyone is
        # judged, everybody is asked at once.
        again = await asyncio.gather(
            *(self._hash_at(lane, number) for lane in voices), return_exceptions=True
        )
        votes: dict[str, list[Lane]] = {}
        for lane, found in zip(voices, again, strict=True):
            if isinstance(found, str):
                lane.saw_hash(number, found)
                votes.setdefault(found, []).append(lane)
        if len(votes) < 2:
            return
        winner = majority(votes)
        if winner is None:
            if self._told_split != number:
                self._told_split = number
                self._on_split(number, "; ".join(f"{_names(who)}: {found}" for found, who in votes.items()))
            return
        for found, who in votes.items():
            for lane in who if found != winner else ():
                lane.quarantine(
                    Cause.BLOCK_HASH_DIFFERS, f"block {number} is {found}, the majority has {winner}"
                )


def majority(votes: dict[str, list[Lane]]) -> str | None:
    """Return the hash that most operators have; where two sides are even, a trusted endpoint's. Or none."""
    counts = {found: len({lane.endpoint.operator for lane in who}) for found, who in votes.items()}
    best = max(counts.values())
    leaders = [found for found, count in counts.items() if count == best]
    if len(leaders) == 1 and best * 2 > sum(counts.values()):
        return leaders[0]
    trusted = [found for found in leaders if any(lane.endpoint.trusted for lane in votes[found])]
    return trusted[0] if len(trusted) == 1 else None


def _number_and_hash(header: Any) -> tuple[int, str] | None:
    if not isinstance(header, dict):
        return None
    try:
        return integer(header["number"]), str(header["hash"]).lower()
    except (KeyError, TypeError, ValueError):
        return None


def _names(lanes: Sequence[Lane]) -> str:
    return ", ".join(lane.name for lane in lanes)
