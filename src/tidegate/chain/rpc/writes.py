"""Signed bytes to every endpoint of a route, and what their answers together mean.

The bytes are never signed anew and no endpoint is tried after another one refused: all get them at
once. One acceptance is enough; none and a silence is ambiguous; nothing but refusals is a rejection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from tidegate.chain.codecs import keccak256
from tidegate.chain.rpc.endpoint import Tier
from tidegate.chain.rpc.health import EndpointState
from tidegate.chain.rpc.lane import Lane
from tidegate.model import Ambiguous, Divergence, Rejected, Route, TidegateError, Unavailable


class Writes:
    """Sends over the routes of one pool. What is still under way after an answer goes on."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        self._under_way: set[asyncio.Task[None]] = set()

    def takers(self, route: Route) -> Sequence[Lane]:
        """Return who gets the bytes on a route: the healthy, else the degraded. Never one that cools."""
        if route is Route.BUNDLE:
            return ()  # no node takes one: relays do (``chain.relays``)
        is_private = route is Route.PRIVATE
        lanes = [lane for lane in self._lanes if (lane.endpoint.tier is Tier.PRIVATE) is is_private]
        for state in (EndpointState.HEALTHY, EndpointState.DEGRADED):
            found = [lane for lane in lanes if lane.health.state is state]
            if found:
                return found
        return ()

    async def send(self, raw: bytes, route: Route) -> bytes:
        """Return the transaction's hash once somebody has it.

        Raises
        ------
        Rejected
            If all refused for good.
        Ambiguous
            If nobody accepted and somebody may have.
        Unavailable
            If it certainly reached nobody.
        Divergence
            If nobody accepted and a node took it for another transaction.
        """
        expected = keccak256(raw)
        takers = self.takers(route)
        if not takers:
            raise Unavailable(
                f"nobody can take a send on route {route.value}",
                code="not_sent",
                found="; ".join(lane.complaint for lane in self._lanes),
                fix="wait for an endpoint to recover, or configure one for this route",
            )
        pending = {self._started(taker.send_raw(raw, expected)) for taker in takers}
        errors: list[TidegateError] = []
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    return expected
                if not isinstance(error, TidegateError):
                    raise error
                errors.append(error)
        raise verdict(errors)

    async def close(self) -> None:
        """End what is still under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _started(self, sending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(sending)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # heard here, so that a late refusal is not reported as forgotten


def verdict(errors: Sequence[TidegateError]) -> TidegateError:
    """Return what refusals and silences mean together when nobody accepted."""
    for kind in (Divergence, Ambiguous, Rejected):
        of_kind = [error for error in errors if isinstance(error, kind)]
        if of_kind:
            # A divergence or a silence outweighs a refusal: the bytes may be on their way.
            first = of_kind[0]
            if len(errors) > 1:
                first.found = "; ".join(f"{error.code}: {error.found or error.message}" for error in errors)
            return first
    return Unavailable(
        "the bytes reached nobody",
        code="not_sent",
        found="; ".join(f"{error.message}: {error.found or error.code}" for error in errors),
    )
