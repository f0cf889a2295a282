"""Bodies carried over HTTP within a deadline, and what it means when they are not."""

from __future__ import annotations

import asyncio

import aiohttp

from tidegate.model import Ambiguous, Unavailable

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.InvalidURL)
_REFUSED_UNREAD = frozenset({401, 403, 404, 429})
_HEADERS = {"Content-Type": "application/json"}


class Transport:
    """HTTP to one endpoint. Opens its session at the first request; knows nothing of JSON-RPC."""

    def __init__(self, url: str, *, name: str, read_timeout_s: float, send_timeout_s: float) -> None:
        self._url = url
        self._name = name
        self._read_timeout_s = read_timeout_s
        self._send_timeout_s = send_timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the session; the next request opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def read(self, body: bytes, method: str, timeout_s: float | None = None) -> bytes:
        """Return the answer to a request that changes nothing. Raises ``Unavailable``."""
        limit = self._read_timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit):
                status, content = await self._post(body)
        except TimeoutError as error:
            raise self.unavailable(f"{method}: no answer in {limit} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self.unavailable(f"{method}: {type(error).__name__}") from error
        if status >= 400 and not _is_json(content):
            raise self.unavailable(f"{method}: HTTP {status}")
        return content

    async def send(self, body: bytes) -> bytes:
        """Return the answer to a request that may change something.

        Raises
        ------
        Unavailable
            With code ``not_sent``, if it certainly did not arrive.
        Ambiguous
            If it may have.
        """
        try:
            async with asyncio.timeout(self._send_timeout_s):
                status, content = await self._post(body)
        except _NEVER_SENT as error:
            raise self.unavailable(type(error).__name__, code="not_sent") from error
        except TimeoutError as error:
            raise self.ambiguous(f"no answer in {self._send_timeout_s} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self.ambiguous(type(error).__name__) from error
        if status in _REFUSED_UNREAD:
            raise self.unavailable(f"HTTP {status}", code="not_sent")
        if status >= 400 and not _is_json(content):
            raise self.ambiguous(f"HTTP {status}")
        return content

    def unavailable(self, found: str, *, code: str = "transport") -> Unavailable:
        """Return the error of an endpoint that does not answer."""
        return Unavailable(f"{self._name} does not answer", code=code, found=found)

    def ambiguous(self, found: str) -> Ambiguous:
        """Return the error of bytes that may have arrived."""
        return Ambiguous(
            f"{self._name} did not confirm; the transaction may have arrived",
            found=found,
            fix="ask for its receipt and the account's nonce, then send the same bytes again",
        )

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=_HEADERS, trust_env=False)
        async with self._session.post(self._url, data=body, allow_redirects=False) as response:
            return response.status, await response.read()


def _is_json(content: bytes) -> bool:
    return content.lstrip().startswith((b"{", b"["))
