"""A bad node on demand: a proxy in front of a real one that lags, lies, drops and worse when told to.

For drills and tests of whatever must survive bad nodes. It listens on loopback alone and speaks
JSON-RPC over HTTP and WebSocket at the same address, like the node behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp import web

from tidegate.chain import integer, quantity
from tidegate.model import Unavailable

_HTML = b"<html><body>502 Bad Gateway</body></html>"
_JSON = "application/json"
_TAG_POSITIONS = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getBlockByNumber": 0,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getTransactionCount": 1,
}
_HEAD_TAGS = ("latest", "pending", "safe", "finalized")


class Fault(StrEnum):
    """What the proxy does to what passes through it."""

    NONE = "none"
    LAG = "lag"  # answers from a head that is ``lag_blocks`` older
    LIE_HASH = "lie_hash"  # names another hash for every block
    LIE_BALANCE = "lie_balance"  # adds one wei to every balance
    WRONG_CHAIN = "wrong_chain"  # says that it is chain 1
    DROP = "drop"  # closes the connection without an answer
    TRUNCATE = "truncate"  # promises a whole body and ends after half of it
    NOT_JSON = "not_json"  # half of a JSON document as if it were whole
    HTML = "html"  # an error page with status 200
    SERVER_ERROR = "server_error"  # HTTP 503
    RATE_LIMIT = "rate_limit"  # HTTP 429 with Retry-After
    UNAUTHORISED = "unauthorised"  # HTTP 401
    OTHER_ID = "other_id"  # answers a question that nobody asked
    REORDER = "reorder"  # a batch's answers come the other way round
    OMIT_IDS = "omit_ids"  # every second answer of a batch is missing
    DOUBLE_IDS = "double_ids"  # every second answer of a batch comes twice
    REFUSE_BATCHES = "refuse_batches"  # an error in place of a batch's answers
    REFUSE_PINS = "refuse_pins"  # knows no EIP-1898: a block by hash is an invalid parameter
    PRUNED = "pruned"  # has the state of its head alone
    HANG = "hang"  # never answers
    SWALLOW = "swallow"  # passes the request on and never answers


class FaultProxy:
    """A bad node in front of a good one. Used as ``async with FaultProxy(world.url) as proxy``.

    Parameters
    ----------
    upstream_url
        The node behind it.

    Attributes
    ----------
    fault
        What it does from the next request on.
    lag_blocks, retry_after_s
        By how much it lags; what it asks for with a 429.
    logs_span_max
        How many blocks one ``eth_getLogs`` may ask for; None is no limit.
    requests
        How many HTTP requests came.
    methods
        How many calls of each method came.
    batches
        How many calls each HTTP request held, in order.
    """

    def __init__(self, upstream_url: str) -> None:
        self.fault = Fault.NONE
        self.lag_blocks = 0
        self.retry_after_s = 1
        self.logs_span_max: int | None = None
        self.requests = 0
        self.methods: Counter[str] = Counter()
        self.batches: list[int] = []
        self._upstream_url = upstream_url
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._let_go = asyncio.Event()
        self._sockets: set[web.WebSocketResponse] = set()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(trust_env=False)
        await self.revive()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()
        if self._session is not None:
            await self._session.close()

    @property
    def url(self) -> str:
        """Return where it listens; the same after ``die`` and ``revive``."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        """Return where its WebSocket is."""
        return f"ws://127.0.0.1:{self._port}"

    async def die(self) -> None:
        """Stop listening and cut every connection: from now on there is nobody."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._let_go.set()
            for socket in tuple(self._sockets):
                await socket.close()
            await runner.cleanup()

    async def revive(self) -> None:
        """Listen again at the same address."""
        if self._runner is None:
            self._let_go = asyncio.Event()
            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/", self._serve)
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
            self._port = self._runner.addresses[0][1]

    async def cut_sockets(self) -> None:
        """Close every WebSocket."""
        for socket in tuple(self._sockets):
            await socket.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._relay(request)
        asked = msgspec.json.decode(await request.read())
        calls = asked if isinstance(asked, list) else [asked]
        self.requests += 1
        self.batches.append(len(calls))
        self.methods.update(call["method"] for call in calls)
        fault = self.fault
        early = await self._early(fault, request, is_batch=isinstance(asked, list))
        if early is not None:
            return early
        answers = [await self._answer(call, fault) for call in calls]
        if fault is Fault.SWALLOW:
            await self._let_go.wait()
            return _cut(request)
        if fault is Fault.OTHER_ID:
            answers = [{**answer, "id": 999_999_999} for answer in answers]
        if not isinstance(asked, list):
            body = msgspec.json.encode(answers[0])
        else:
            body = msgspec.json.encode(_shuffled(answers, fault))
        if fault is Fault.NOT_JSON:
            body = body[: len(body) // 2]
        if fault is Fault.TRUNCATE:
            return await _truncated(request, body)
        return web.Response(body=body, content_type=_JSON)

    async def _early(
        self, fault: Fault, request: web.Request, *, is_batch: bool
    ) -> web.StreamResponse | None:
        """Return what is answered without asking the node behind, if that is so."""
        if fault is Fault.HANG:
            await self._let_go.wait()
        if fault in (Fault.HANG, Fault.DROP):
            return _cut(request)
        if fault is Fault.HTML:
            return web.Response(body=_HTML, content_type="text/html")
        if fault is Fault.SERVER_ERROR:
            return web.Response(body=_HTML, status=503, content_type="text/html")
        if fault is Fault.UNAUTHORISED:
            return web.Response(body=b"no such key", status=401)
        if fault is Fault.RATE_LIMIT:
            waits = {"Retry-After": str(self.retry_after_s)}
            return web.Response(body=b"too many requests", status=429, headers=waits)
        if fault is Fault.REFUSE_BATCHES and is_batch:
            return web.json_response(_error(None, -32600, "batch requests are not supported"))
        return None

    async def _answer(self, call: Mapping[str, Any], fault: Fault) -> dict[str, Any]:
        """Return the answer to one call, bent as the fault says."""
        method, params, identity = call["method"], list(call.get("params") or []), call.get("id")
        if fault is Fault.WRONG_CHAIN and method == "eth_chainId":
            return {"jsonrpc": "2.0", "id": identity, "result": "0x1"}
        if fault is Fault.LAG:
            return await self._lagging(method, params, identity)
        if fault is Fault.REFUSE_PINS and any(isinstance(one, dict) and "blockHash" in one for one in params):
            return _error(identity, -32602, "invalid argument 1: hex string without 0x prefix")
        if fault is Fault.PRUNED and _names_a_block(method, params):
            return _error(identity, -32000, "missing trie node 0xabc (path )")
        if method == "eth_getLogs" and self.logs_span_max is not None and _span(params) > self.logs_span_max:
            return _error(identity, -32005, f"block range is too large, at most {self.logs_span_max}")
        answer = await self._passed_on(method, params, identity)
        result = answer.get("result")
        if fault is Fault.LIE_HASH and isinstance(result, dict) and "hash" in result:
            answer["result"] = {**result, "hash": _other(result["hash"])}
        if fault is Fault.LIE_BALANCE and method == "eth_getBalance" and isinstance(result, str):
            answer["result"] = quantity(integer(result) + 1)
        return answer

    async def _lagging(self, method: str, params: list[Any], identity: Any) -> dict[str, Any]:
        newest = await self._passed_on("eth_blockNumber", [], identity)
        head = max(integer(newest["result"]) - self.lag_blocks, 0)
        if method == "eth_blockNumber":
            return {"jsonrpc": "2.0", "id": identity, "result": quantity(head)}
        position = _TAG_POSITIONS.get(method)
        if position is not None and len(params) > position:
            block = params[position]
            if block in _HEAD_TAGS:
                params[position] = quantity(head)
            elif isinstance(block, dict) and "blockHash" in block:
                found = await self._passed_on("eth_getBlockByHash", [block["blockHash"], False], identity)
                if not found.get("result") or integer(found["result"]["number"]) > head:
                    return _error(identity, -32000, "header not found")
            elif isinstance(block, str) and block.startswith("0x") and integer(block) > head:
                if method == "eth_getBlockByNumber":
                    return {"jsonrpc": "2.0", "id": identity, "result": None}
                return _error(identity, -32000, "header not found")
        answer = await self._passed_on(method, params, identity)
        result = answer.get("result")
        height = result.get("number") or result.get("blockNumber") if isinstance(result, dict) else None
        if isinstance(height, str) and integer(height) > head:
            answer["result"] = None
        return answer

    async def _passed_on(self, method: str, params: list[Any], identity: Any) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
        assert self._session is not None
        try:
            async with self._session.post(self._upstream_url, json=body) as response:
                found: dict[str, Any] = msgspec.json.decode(await response.read())
        except (aiohttp.ClientError, msgspec.DecodeError) as error:
            raise Unavailable("the node behind the proxy does not answer", code="transport") from error
        return found

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        """Pass a WebSocket's messages on in both directions; a proxy that hangs passes none back."""
        here = web.WebSocketResponse()
        await here.prepare(request)
        self._sockets.add(here)
        assert self._session is not None
        try:
            async with self._session.ws_connect(self._upstream_url.replace("http", "ws", 1)) as there:
                back = asyncio.create_task(self._back(there, here))
                try:
                    async for message in here:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            await there.send_str(message.data)
                finally:
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
        finally:
            self._sockets.discard(here)
        return here

    async def _back(self, there: aiohttp.ClientWebSocketResponse, here: web.WebSocketResponse) -> None:
        async for message in there:
            if message.type is not aiohttp.WSMsgType.TEXT or self.fault is Fault.HANG:
                continue
            text = message.data
            if self.fault is Fault.WRONG_CHAIN:
                found = msgspec.json.decode(text)
                if isinstance(found, dict) and isinstance(found.get("result"), str):
                    text = msgspec.json.encode({**found, "result": "0x1"}).decode()
            with contextlib.suppress(ConnectionError):
                await here.send_str(text)


def _shuffled(answers: list[dict[str, Any]], fault: Fault) -> list[dict[str, Any]]:
    if fault is Fault.REORDER:
        return answers[::-1]
    if fault is Fault.OMIT_IDS:
        return answers[::2]
    if fault is Fault.DOUBLE_IDS:
        return [*answers, *answers[1::2]]
    return answers


def _names_a_block(method: str, params: list[Any]) -> bool:
    """Say whether a call reads the state of a block that is not simply the head."""
    position = _TAG_POSITIONS.get(method)
    if position is None or method == "eth_getBlockByNumber" or len(params) <= position:
        return False
    return params[position] not in _HEAD_TAGS


def _span(params: list[Any]) -> int:
    """Return how many blocks an ``eth_getLogs`` by numbers asks for."""
    first, last = params[0].get("fromBlock"), params[0].get("toBlock")
    return integer(last) - integer(first) + 1 if first and last else 1


def _error(identity: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}}


def _other(block_hash: str) -> str:
    return block_hash[:-2] + f"{integer('0x' + block_hash[-2:]) ^ 1:02x}"


def _cut(request: web.Request) -> web.StreamResponse:
    """Close the connection at once, with nothing said."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _truncated(request: web.Request, body: bytes) -> web.StreamResponse:
    """Promise the whole body and close after half of it."""
    response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": _JSON})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return _cut(request)
