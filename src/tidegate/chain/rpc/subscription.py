"""New blocks and logs as they are announced. A hint, never the truth: what it names is read and checked."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Any, Self

import aiohttp
import msgspec

from tidegate.chain.networks import Network
from tidegate.chain.reads import ChainReads
from tidegate.chain.rpc.lane import Lane
from tidegate.chain.rpc.methods import BLOCK_BY_NUMBER
from tidegate.chain.wire import hex_data, integer, octets
from tidegate.model import Address, Clock, TidegateError, Unavailable

PING_S = 10.0
CONNECT_S = 5.0
_CONNECT_LEAST_S = 1.0
SILENCE_BLOCKS = 3
_POLL_LEAST_S, _POLL_MOST_S = 0.25, 4.0
_PAUSE_FIRST_S, _PAUSE_LONGEST_S = 0.5, 30.0
_HINTS_KEPT = 1_024
_FAREWELL_S = 0.5
"""How long a silent peer has to confirm that the connection ends."""
_HEADS, _LOGS, _CHAIN_ID = 1, 2, 3
_ENDED = frozenset(
    {
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSING,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    }
)


class LogsFilter(msgspec.Struct, frozen=True):
    """Which logs are announced: of these accounts (all if none), with these topics by position."""

    accounts: tuple[Address, ...] = ()
    topics: tuple[bytes | None, ...] = ()


class HeadHint(msgspec.Struct, frozen=True):
    """Somebody says that this is the newest block. ``source`` is an endpoint, or ``poll``."""

    number: int
    block_hash: bytes
    source: str


class LogHint(msgspec.Struct, frozen=True):
    """Somebody says that this block has, or after a reorg no longer has, a log that matches."""

    block_number: int
    block_hash: bytes
    index: int
    is_removed: bool
    source: str


Hint = HeadHint | LogHint


class Subscription:
    """Hints as an async iterator: ``async with pool.subscribe() as hints: async for hint in hints``.

    One WebSocket at a time. A connection counts once it has named its chain and confirmed the
    subscription, not when it was opened; on silence or an end the next endpoint that has a WebSocket is
    tried, and until one delivers, the head is polled over the pool. If hints are not taken, the oldest
    go: the newest says all.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        reads: ChainReads,
        network: Network,
        clock: Clock,
        logs: LogsFilter | None = None,
    ) -> None:
        self._lanes = [lane for lane in lanes if lane.endpoint.ws is not None]
        self._reads = reads
        self._network = network
        self._clock = clock
        self._logs = logs
        self._silence_s = SILENCE_BLOCKS * network.block_time_s
        self._connect_s = min(CONNECT_S, max(self._silence_s, _CONNECT_LEAST_S))
        # Two silences in a quick chain's time are no reason to wait for half a minute.
        self._pause_longest_s = min(_PAUSE_LONGEST_S, max(self._silence_s, _PAUSE_FIRST_S))
        self._poll_s = min(max(network.block_time_s / 2, _POLL_LEAST_S), _POLL_MOST_S)
        self._hints: asyncio.Queue[Hint] = asyncio.Queue(_HINTS_KEPT)
        self._next = 0
        self._failures = 0
        self._polled: tuple[int, str] | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._tasks: list[asyncio.Task[None]] = []
        self.source = "poll"

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._poll())]
        if self._lanes:
            self._tasks.append(asyncio.create_task(self._listen()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Hint:
        """Return the next hint; waits for it without an end, as blocks do."""
        return await self._hints.get()

    @property
    def is_live(self) -> bool:
        """Say whether a WebSocket delivers just now."""
        return not self._quiet.is_set()

    async def _listen(self) -> None:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session:
            while True:
                lane = self._lanes[self._next % len(self._lanes)]
                self._next += 1
                try:
                    await self._talk(session, lane)
                except (aiohttp.ClientError, OSError, TimeoutError, TidegateError, ValueError) as error:
                    shown = str(error) if isinstance(error, TidegateError) else type(error).__name__
                    lane.last_error = f"WebSocket: {shown}"
                finally:
                    self._quiet.set()
                    self.source = "poll"
                longest_s = min(_PAUSE_FIRST_S * 2 ** min(self._failures, 10), self._pause_longest_s)
                self._failures += 1
                await asyncio.sleep(longest_s * random.random())  # noqa: S311

    async def _talk(self, session: aiohttp.ClientSession, lane: Lane) -> None:
        """Subscribe at one endpoint and pass on what it announces, until it ends or falls silent."""
        async with asyncio.timeout(self._connect_s):
            socket = await session.ws_connect(
                str(lane.endpoint.ws), heartbeat=PING_S, timeout=aiohttp.ClientWSTimeout(ws_close=_FAREWELL_S)
            )
        try:
            async with asyncio.timeout(self._connect_s):
                names = await self._subscribe(socket)
            self._failures = 0
            self._quiet.clear()
            self.source = lane.name
            loop = asyncio.get_running_loop()
            silent_at = loop.time() + self._silence_s
            while True:
                async with asyncio.timeout_at(silent_at):
                    message = await _received(socket)
                if self._pass_on(message, names, lane.name):
                    silent_at = loop.time() + self._silence_s
        finally:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await socket.close()

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse) -> dict[str, int]:
        """Return which subscription is which, once the endpoint has named its chain and confirmed."""
        await _ask(socket, _CHAIN_ID, "eth_chainId", [])
        await _ask(socket, _HEADS, "eth_subscribe", ["newHeads"])
        wanted = {_CHAIN_ID, _HEADS}
        if self._logs is not None:
            parts: dict[str, Any] = {"topics": [topic and hex_data(topic) for topic in self._logs.topics]}
            if self._logs.accounts:
                parts["address"] = list(self._logs.accounts)
            await _ask(socket, _LOGS, "eth_subscribe", ["logs", parts])
            wanted.add(_LOGS)
        names: dict[str, int] = {}
        while wanted:
            message = await _received(socket)
            identity = message.get("id")
            if identity not in wanted:
                continue
            wanted.discard(identity)
            result = message.get("result")
            if not isinstance(result, str):
                raise Unavailable("the subscription is refused", found=str(message.get("error"))[:200])
            if identity != _CHAIN_ID:
                names[result] = identity
            elif integer(result) != self._network.chain_id:
                raise Unavailable(
                    f"wrong_chain_id: expected {self._network.chain_id}, was {integer(result)}",
                    code="wrong_chain_id",
                )
        return names

    def _pass_on(self, message: dict[str, Any], names: dict[str, int], source: str) -> bool:
        """Pass on an announcement; say whether it was a new head."""
        announced = message.get("params")
        if not isinstance(announced, dict) or not isinstance(announced.get("result"), dict):
            return False
        kind, parts = names.get(str(announced.get("subscription"))), announced["result"]
        try:
            if kind == _HEADS:
                self._put(HeadHint(integer(parts["number"]), octets(parts["hash"]), source))
            elif kind == _LOGS:
                self._put(
                    LogHint(
                        block_number=integer(parts["blockNumber"]),
                        block_hash=octets(parts["blockHash"]),
                        index=integer(parts["logIndex"]),
                        is_removed=bool(parts.get("removed")),
                        source=source,
                    )
                )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("the announcement is not one") from error
        return kind == _HEADS

    async def _poll(self) -> None:
        """Ask for the head while no WebSocket delivers."""
        while True:
            await self._quiet.wait()
            with contextlib.suppress(TidegateError, KeyError, TypeError, ValueError):
                head = await self._reads.request(BLOCK_BY_NUMBER, "latest", False)
                seen = (integer(head["number"]), str(head["hash"]))
                if seen != self._polled and not self.is_live:
                    self._polled = seen
                    self._put(HeadHint(seen[0], octets(seen[1]), "poll"))
            await asyncio.sleep(self._poll_s)

    def _put(self, hint: Hint) -> None:
        if self._hints.full():
            self._hints.get_nowait()
        self._hints.put_nowait(hint)


async def _ask(
    socket: aiohttp.ClientWebSocketResponse, identity: int, method: str, params: Sequence[Any]
) -> None:
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
    await socket.send_str(body.decode())


async def _received(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    message = await socket.receive()
    if message.type in _ENDED:
        raise Unavailable("the WebSocket ended", code="transport")
    try:
        found = msgspec.json.decode(message.data)
    except (msgspec.DecodeError, TypeError) as error:
        raise Unavailable("the WebSocket says what is no JSON", code="transport") from error
    return found if isinstance(found, dict) else {}
