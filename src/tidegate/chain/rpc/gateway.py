"""Reads of a pool for programs that want a URL: a loopback JSON-RPC server that never sends.

``anvil --fork-url`` and the fast worlds read from one URL. Given the gateway's they read through the
pool, survive bad nodes as we do, and never see an endpoint's own URL.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

import msgspec
from aiohttp import web

from tidegate.chain.jsonrpc import CallReverted, RangeTooWide
from tidegate.chain.rpc.methods import READ_METHODS
from tidegate.chain.rpc.pool import RpcPool
from tidegate.chain.rpc.terms import ANY, Keep, Policy, Priority
from tidegate.model import TidegateError, Unavailable

_BODY_BYTES_MAX = 2**24
_INVALID, _NO_METHOD, _BAD_PARAMS, _INTERNAL, _SERVER, _REVERTED = -32600, -32601, -32602, -32603, -32000, 3
_MISSING = {
    "state_missing": "header not found",
    "block_missing": "header not found",
    "state_pruned": "missing trie node: the state is pruned on every endpoint",
}
_START_S = 30.0


class RpcGateway:
    """Serves a pool's reads on loopback, under a path that nobody guesses. Same loop as the pool.

    Parameters
    ----------
    policy
        With which policy its readers read.
    """

    def __init__(self, pool: RpcPool, *, policy: Policy = ANY) -> None:
        self._pool = pool
        self._policy = policy
        self._token = secrets.token_urlsafe(24)
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_BODY_BYTES_MAX)
        app.router.add_post(f"/{self._token}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Return where it listens, with the path that admits a reader."""
        return f"http://127.0.0.1:{self._port}/{self._token}"

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read())
        except msgspec.DecodeError:
            return _response(_error(None, -32700, "the request is no JSON"))
        if isinstance(asked, list):
            return _response(await asyncio.gather(*(self._answer(call) for call in asked)))
        return _response(await self._answer(asked))

    async def _answer(self, call: Any) -> dict[str, Any]:
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return _error(None, _INVALID, "the request is no call")
        identity, method, params = call.get("id"), call["method"], call.get("params") or []
        if method not in READ_METHODS:
            return _error(identity, _NO_METHOD, f"the gateway serves reads alone, not {method}")
        if not isinstance(params, list):
            return _error(identity, _BAD_PARAMS, "params must be a list")
        try:
            found = await self._pool.read(
                method, params, policy=self._policy, priority=Priority.DECIDE, keep=Keep.PINNED
            )
        except TidegateError as error:
            return {"jsonrpc": "2.0", "id": identity, "error": _as_json_rpc(error)}
        return {"jsonrpc": "2.0", "id": identity, "result": found}


class GatewayThread:
    """A gateway over a pool of its own, in a thread of its own, for readers that block.

    A fast world reads while the caller's loop stands still: were the gateway in the same loop, the two
    would wait for each other for ever. Used as ``with GatewayThread(make_pool) as url``.

    Parameters
    ----------
    make_pool
        Makes the pool; called in the thread.
    policy
        With which policy its readers read.

    Raises
    ------
    Unavailable
        On entering, if no endpoint answers.
    """

    def __init__(self, make_pool: Callable[[], RpcPool], *, policy: Policy = ANY) -> None:
        self._make_pool = make_pool
        self._policy = policy
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._ready = threading.Event()
        self._url = ""
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="rpc-gateway", daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise Unavailable("the gateway did not start", found=f"nothing in {_START_S:.0f} s")
        if self._error is not None:
            raise self._error
        return self._url

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._ended is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  the edge of a thread: told to whoever started it
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with self._make_pool() as pool, RpcGateway(pool, policy=self._policy) as gateway:
            self._url = gateway.url
            self._ready.set()
            await self._ended.wait()


def _as_json_rpc(error: TidegateError) -> Mapping[str, Any]:
    """Return the error as a node would give it, so that our own clients read the same meaning."""
    if isinstance(error, CallReverted):
        if error.halt:
            return {"code": _INTERNAL, "message": error.halt}
        return {"code": _REVERTED, "message": "execution reverted", "data": "0x" + error.data.hex()}
    if isinstance(error, RangeTooWide):
        return {"code": -32005, "message": f"block range too large: {error.found}"}
    if error.code in _MISSING:
        return {"code": _SERVER, "message": _MISSING[error.code]}
    codes = {"method_not_found": _NO_METHOD, "invalid_params": _BAD_PARAMS}
    internal = _INTERNAL if isinstance(error, Unavailable) else _SERVER
    return {"code": codes.get(error.code, internal), "message": error.found or error.message}


def _error(identity: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}}


def _response(answer: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
