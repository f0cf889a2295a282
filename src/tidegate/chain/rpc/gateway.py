"""Reads of a pool for programs that want a URL: a loopback JSON-RPC server that never sends.

``anvil --fork-url`` and the fast worlds read from one URL. Given the gateway's they read through the
pool, survive bad nodes as we do, and never see an endpoint's own URL.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
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


class RpcGateway:
    """Serves a pool's reads on loopback, under a path that nobody guesses. Same loop as the pool.

    A reader that blocks this loop, or holds the interpreter while it waits as a fast world does, must be
    in another process than the gateway.

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
        identity, method, params = call.get("id"), call["method"], call.get("params", [])
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
