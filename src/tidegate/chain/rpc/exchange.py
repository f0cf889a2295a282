"""One HTTP exchange with one endpoint, and what it means when there is none."""

from __future__ import annotations

import asyncio
import socket
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import aiohttp
from yarl import URL

from tidegate.chain.rpc.endpoint import Endpoint
from tidegate.model import Clock

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.InvalidURL)
_REFUSED_UNREAD = frozenset({401, 403, 404, 429})
_AUTH = frozenset({401, 403})
_NOT_JSON_RPC = frozenset({408, 429, *_AUTH})
_HEADERS = {"Content-Type": "application/json"}
ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""A longer answer is none: whoever sends it would fill our memory."""
_KEEP_ALIVE_S = 30.0


class Trouble(StrEnum):
    """What kept an answer away."""

    TRANSPORT = "transport"
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    REFUSED = "refused"  # an HTTP 4xx: what was asked was wrong, not the line
    WRONG_CHAIN = "wrong_chain_id"


class NoAnswer(Exception):
    """There is no answer to read. ``may_have_arrived`` is for requests that change something."""

    def __init__(
        self,
        detail: str,
        *,
        trouble: Trouble = Trouble.TRANSPORT,
        may_have_arrived: bool = True,
        retry_after_s: float | None = None,
        status: int = 0,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.trouble = trouble
        self.may_have_arrived = may_have_arrived
        self.retry_after_s = retry_after_s
        self.status = status


class Exchange:
    """HTTP to one endpoint over kept-alive connections. Knows nothing of JSON-RPC.

    ``connections_opened`` counts: whoever must know that another machine may answer now compares it.
    """

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self.connections_opened = 0
        self._url = URL(endpoint.url, encoded=True)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """End the connections; the next request opens others."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def post(self, body: bytes, timeout_s: float) -> bytes:
        """Return the body of the answer. Raises ``NoAnswer``; what it says shows no URL."""
        session = self._session or self._opened()
        limit = _Limit(timeout_s)
        try:
            response = await session.post(self._url, data=body, allow_redirects=False)
            try:
                content = await whole_content(response)
            except BaseException:
                response.close()
                raise
        except _NEVER_SENT as error:
            raise NoAnswer(type(error).__name__, may_have_arrived=False) from None
        except asyncio.CancelledError:
            if not limit.is_over:
                raise
            raise NoAnswer(f"no answer in {timeout_s:.3g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(type(error).__name__) from None
        finally:
            limit.lift()
        if response.status >= 300:
            self._refuse(response.status, response.headers, content)
        return content

    def _refuse(self, status: int, headers: Any, content: bytes) -> None:
        """Raise for a status that stands for no answer; a refusal in JSON-RPC is an answer."""
        detail = f"HTTP {status}"
        arrived = status not in _REFUSED_UNREAD
        if status == 429:
            raise NoAnswer(
                detail,
                trouble=Trouble.RATE_LIMITED,
                may_have_arrived=arrived,
                retry_after_s=self._retry_after_s(headers.get("Retry-After")),
                status=status,
            )
        if status in _AUTH:
            raise NoAnswer(detail, trouble=Trouble.AUTH, may_have_arrived=arrived, status=status)
        if status < 400 or status >= 500 or status in _NOT_JSON_RPC:
            raise NoAnswer(detail, may_have_arrived=arrived, status=status)
        if not content.lstrip().startswith((b"{", b"[")):
            raise NoAnswer(detail, trouble=Trouble.REFUSED, may_have_arrived=arrived, status=status)

    def _retry_after_s(self, text: str | None) -> float | None:
        return retry_after_s(text, self._clock.now_ms())

    def _opened(self) -> aiohttp.ClientSession:
        # No cookies, no environment, no redirects: an endpoint gets our bytes and nothing else.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEEP_ALIVE_S, socket_factory=self._socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            skip_auto_headers=("User-Agent", "Accept"),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        return self._session

    def _socket(self, info: Any) -> socket.socket:
        self.connections_opened += 1
        family, kind, protocol, _, _ = info
        return socket.socket(family, kind, protocol)


class _Limit:
    """``asyncio.timeout`` for the hottest path, at a sixth of its cost.

    Cancels the task that makes it after a time. A cancel that comes from outside at the same moment is
    not swallowed: it counts in ``Task.cancelling``.
    """

    __slots__ = ("_before", "_handle", "_has_rung", "_task")

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._before = task.cancelling()
        self._has_rung = False
        self._handle = asyncio.get_running_loop().call_later(seconds, self._ring)

    @property
    def is_over(self) -> bool:
        """Say whether the time was over and nobody else cancels the task; asked once, on its cancel."""
        return self._has_rung and self._task.uncancel() <= self._before

    def lift(self) -> None:
        """End the limit."""
        self._handle.cancel()

    def _ring(self) -> None:
        self._has_rung = True
        self._task.cancel()


async def whole_content(response: aiohttp.ClientResponse) -> bytes:
    """Return the whole body, but never more than a machine can hold."""
    length = response.content_length
    if length is not None and length <= ANSWER_BYTES_MAX:
        return await response.read()
    parts: list[bytes] = []
    total = 0
    async for part in response.content.iter_any():
        total += len(part)
        if total > ANSWER_BYTES_MAX:
            raise aiohttp.ClientPayloadError
        parts.append(part)
    return b"".join(parts)


def retry_after_s(text: str | None, now_ms: int) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for: a number, or a date (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    try:
        return max(float(int(text)), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(text).timestamp() - now_ms / 1000, 0.0)
    except (TypeError, ValueError):
        return None
