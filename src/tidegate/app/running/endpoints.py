"""The pools of a run: what befalls an endpoint that a person must know of is a record of the journal.

A quarantine stands in the journal until a person ends it, so it holds over restarts: neither a crash nor a
supervisor is an operator's command. An endpoint is known by its chain's name and its own; who corrects its
URL says so by ``tidegate resume --endpoint``. The gateway of the fast worlds is told of what stood when it
began. Pools that hold no ledger (the signer's witness, ``doctor``) ask every endpoint anew when they start.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from tidegate.app.stopping.letting_go import let_go, quarantined
from tidegate.chain import Network
from tidegate.chain.rpc import Endpoint, PoolEvent, RpcPool
from tidegate.ledger import EndpointBody, Journal
from tidegate.model import Clock, Recorder, TidegateError
from tidegate.risk import StopFolder

ACTOR = "pool"
_PROBE_S = 0.5
"""How long a release waits for the probe; a slower endpoint is probed by its pool meanwhile."""


class Pools:
    """Opens the pools of the process that owns the ledger, and keeps its endpoints' quarantines.

    Parameters
    ----------
    told
        Told of every event of every pool.
    """

    def __init__(
        self, journal: Journal, clock: Clock, recorder: Recorder, told: Callable[[PoolEvent], None]
    ) -> None:
        self._journal, self._clock, self._recorder, self._told = journal, clock, recorder, told
        self._pools: dict[str, RpcPool] = {}
        self._unwritten: deque[EndpointBody] = deque()

    def open(self, network: Network, endpoints: Sequence[Endpoint]) -> RpcPool:
        """Return a pool, not started yet, in which the quarantines of earlier processes stand."""

        def on_event(event: PoolEvent) -> None:
            self._told(event)
            if event.is_alert:
                self._unwritten.append(_body_of(event, network))
                with suppress(TidegateError):  # the pool goes on; the next beat writes it, or says why not
                    self.write()

        pool = RpcPool(
            network,
            endpoints,
            clock=self._clock,
            recorder=self._recorder,
            on_event=on_event,
            quarantined=self.quarantined(network),
        )
        self._pools[network.name] = pool
        return pool

    def quarantined(self, network: Network) -> dict[str, str]:
        """Return the names of the chain's endpoints that stand in quarantine, and why."""
        standing = (body for body in quarantined(self._journal) if body.chain == network.name)
        return {body.endpoint: body.detail for body in standing}

    def write(self) -> None:
        """Write what could not be written when it happened. Raises ``Unavailable`` if it still can not."""
        while self._unwritten:
            self._journal.append(EndpointBody.KIND, self._unwritten[0], actor=ACTOR)
            self._unwritten.popleft()

    async def take_notes(self, folder: StopFolder) -> None:
        """Let go of the endpoints that people's notes name: on disk first, then asked anew.

        Raises
        ------
        Unavailable
            If the journal can not be written; then the endpoint stays where it is, and its note waits.
        """
        self.write()
        for path, note in folder.notes():
            if not note.endpoint:
                continue
            body = let_go(self._journal, note)
            pool = None if body is None else self._pools.get(body.chain)
            if body is not None and pool is not None and body.endpoint in pool.names:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PROBE_S):
                        await pool.release(body.endpoint)
            self.write()
            folder.discard_note(path)


def _body_of(event: PoolEvent, network: Network) -> EndpointBody:
    return EndpointBody(
        chain=network.name,
        chain_id=network.chain_id,
        endpoint=event.endpoint,
        state=event.after.name.lower(),
        cause=event.cause.value,
        detail=event.detail,
    )
