"""Several ways out in the plan's own order: relays, private endpoints, the public mempool if allowed.

The same signed bytes on every way, so at most one of them can land. Once a route has taken them no other is
tried: a bundle that was accepted is left to its builders until it expires.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from tidegate.chain.relays.bundle import Bundle, uuid_of
from tidegate.chain.relays.relay import BundleRelay
from tidegate.chain.rpc import RpcPool, Tier
from tidegate.chain.rpc.writes import verdict
from tidegate.chain.ways import Handover, Parcel
from tidegate.model import (
    Ambiguous,
    Denied,
    Reason,
    Rejected,
    Route,
    Sending,
    TidegateError,
    Unavailable,
)

_ABOUT_THE_ROUTE = frozenset({"upstream_refused", "method_not_found", "invalid_params"})
"""Refusals that say nothing against the bytes: another route may take them."""
_OFFERS_KEPT = 256


class Dispatch:
    """``chain.Ways`` over a pool and relays.

    Parameters
    ----------
    pool
        Whose private and public endpoints are the other routes.
    relays
        Who takes bundles. Closed by whoever made them.
    """

    def __init__(self, pool: RpcPool, relays: Sequence[BundleRelay] = ()) -> None:
        self._pool = pool
        self._relays = tuple(relays)
        self._accepted: dict[tuple[str, bytes], dict[str, set[int]]] = {}
        self._under_way: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)

    def demand(self, sending: Sending) -> None:
        """Refuse bytes that nobody could take by a route that their plan allows.

        Raises
        ------
        Denied
            ``public_relay_forbidden``.
        """
        if not any(self._has(route, sending) for route in _allowed(sending)):
            raise Denied(
                Reason.PUBLIC_RELAY_FORBIDDEN,
                f"only the public mempool of {self._pool.network.name} could take the bytes",
                found=f"order: {', '.join(sending.order)}; no relay and no endpoint of tier private for it",
                allowed="a relay, an endpoint of tier private, or public with allow_public: true",
                fix="configure one of them: docs/how-to/send-privately.md",
            )

    async def send(self, parcel: Parcel) -> Handover:
        """Hand the bytes to the first route that takes them. Raises as ``Ways.send``."""
        assert parcel.sending is not None
        order = _allowed(parcel.sending) if parcel.settled is None else (parcel.settled,)
        errors: list[TidegateError] = []
        for route in order:
            try:
                if route is Route.BUNDLE:
                    return await self._offer(parcel, parcel.sending)
                await self._pool.send_raw(parcel.raw, route=route)
                return Handover(route, (route.value,))
            except Rejected as refusal:
                if refusal.code not in _ABOUT_THE_ROUTE:
                    raise
                errors.append(refusal)
            except (Ambiguous, Unavailable) as silence:
                errors.append(silence)
        raise verdict(errors)

    async def withdraw(self, parcel: Parcel) -> None:
        """Cancel every offer of these bytes that a block can still follow, at every relay that lets us."""
        for task in self._under_way.pop(parcel.name, ()):
            task.cancel()
        sending = parcel.sending
        if sending is None or Route.BUNDLE not in sending.order:
            return
        until = parcel.head + sending.blocks if parcel.until_block is None else parcel.until_block
        wanted = [
            relay.cancel(uuid_of(parcel.name, block))
            for relay in self._chosen(sending)
            for block in range(parcel.head + 1, until + 1)
        ]
        for answer in await asyncio.gather(*wanted, return_exceptions=True):
            if isinstance(answer, BaseException) and not isinstance(answer, TidegateError):
                raise answer

    async def close(self) -> None:
        """End what is still under way."""
        tasks = [task for some in self._under_way.values() for task in some]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _offer(self, parcel: Parcel, sending: Sending) -> Handover:
        """Offer the bytes for every block that is left, to whoever has not accepted them for it yet."""
        until = parcel.head + sending.blocks if parcel.until_block is None else parcel.until_block
        blocks = range(parcel.head + 1, until + 1)
        if not blocks:
            return Handover(Route.BUNDLE, (), until)
        chosen = self._chosen(sending)
        if not chosen:
            raise Unavailable("no relay is configured", code="not_sent", found="none for these builders")
        held = self._held(parcel)
        pending = {
            self._started(parcel, relay, wanted)
            for relay in chosen
            if (wanted := [block for block in blocks if block not in held[relay.name]])
        }
        errors: list[TidegateError] = []
        while pending and not _takers(held, blocks):
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if isinstance(error, TidegateError):
                    errors.append(error)
                elif error is not None:
                    raise error
        takers = _takers(held, blocks)
        if not takers:
            raise verdict(errors)
        return Handover(Route.BUNDLE, takers, until)

    def _started(self, parcel: Parcel, relay: BundleRelay, blocks: Sequence[int]) -> asyncio.Task[None]:
        bundles = [
            Bundle(
                (parcel.raw,),
                block,
                uuid_of(parcel.name, block),
                max_timestamp_s=parcel.deadline_s,
                builders=relay.place.builders,
            )
            for block in blocks
        ]
        held = self._held(parcel)[relay.name]

        async def offer() -> None:
            await relay.offer(bundles)
            held.update(blocks)

        task = asyncio.create_task(offer())
        self._under_way[parcel.name].add(task)
        task.add_done_callback(lambda _: self._ended(parcel.name, task))
        return task

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # heard here, so that a late refusal is not reported as forgotten
        self._under_way[name].discard(task)
        if not self._under_way[name]:
            del self._under_way[name]

    def _held(self, parcel: Parcel) -> dict[str, set[int]]:
        """Return the blocks for which each relay is known to hold these very bytes."""
        key = (parcel.name, parcel.hash)
        if key not in self._accepted:
            self._accepted[key] = {relay.name: set() for relay in self._relays}
            if len(self._accepted) > _OFFERS_KEPT:
                del self._accepted[next(iter(self._accepted))]
        return self._accepted[key]

    def _chosen(self, sending: Sending) -> list[BundleRelay]:
        return [relay for relay in self._relays if not sending.builders or relay.name in sending.builders]

    def _has(self, route: Route, sending: Sending) -> bool:
        if route is Route.BUNDLE:
            return bool(self._chosen(sending))
        is_private = route is Route.PRIVATE
        return any((one.tier is Tier.PRIVATE) is is_private for one in self._pool.endpoints)


def _takers(held: Mapping[str, set[int]], blocks: range) -> tuple[str, ...]:
    """Return which relays hold the bytes for any of the blocks."""
    return tuple(sorted(name for name, some in held.items() if not some.isdisjoint(blocks)))


def _allowed(sending: Sending) -> tuple[Route, ...]:
    """Return the routes in order, without the public one where it was not asked for."""
    return tuple(route for route in sending.order if route is not Route.PUBLIC or sending.allow_public)
