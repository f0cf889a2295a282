"""One persistent connection to one node, for code that waits: worlds, tools, tests."""

from __future__ import annotations

import http.client
import itertools
import ssl
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import urlsplit

from tidegate.chain.jsonrpc import decode_answer, decode_batch, encode_batch, encode_request
from tidegate.model import Ambiguous, ConfigError, TidegateError, Unavailable

_HEADERS = {"Content-Type": "application/json"}
_CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Connection:
    """JSON-RPC over one kept-alive HTTP connection. Not shared between threads.

    Parameters
    ----------
    url
        ``http://`` or ``https://``. It is never shown: URLs may carry keys.
    name
        What errors call this endpoint.
    timeout_s
        How long one request may take.
    """

    def __init__(self, url: str, *, name: str = "node", timeout_s: float = 30.0) -> None:
        self._open: http.client.HTTPConnection | None = None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                "not the URL of a node",
                code="url",
                found=f"scheme {parts.scheme!r}",
                allowed="http(s)://host:port",
            )
        self.name = name
        self._timeout_s = timeout_s
        self._parts = parts
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._identities = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def request(self, method: str, *params: Any) -> Any:
        """Return the result of one call.

        Raises
        ------
        Unavailable
            If nothing answered, or the answer can not be read.
        Ambiguous
            If a request that changes something was sent and no answer came.
        Rejected
            If the node refused; ``CallReverted`` if a call ran and reverted.
        """
        identity = next(self._identities)
        changes = _changes(method)
        body = self._post(encode_request(method, params, identity), method, changes=changes)
        try:
            return decode_answer(body, identity)
        except Unavailable as error:
            if changes and error.code in ("transport", "node_error"):
                raise Ambiguous(
                    f"{self.name} gave no clear answer; what was sent may have arrived", found=str(error)
                ) from error
            raise

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results of many calls in order. Raises the first error among them."""
        if not calls:
            return []
        first = next(self._identities)
        for _ in calls[1:]:
            next(self._identities)
        changes = any(_changes(method) for method, _ in calls)
        body = self._post(encode_batch(calls, first), f"batch of {len(calls)}", changes=changes)
        results = decode_batch(body, first, len(calls))
        for result in results:
            if isinstance(result, TidegateError):
                raise result
        return results

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _post(self, body: bytes, method: str, *, changes: bool) -> bytes:
        reused = self._open is not None
        try:
            return self._exchange(body)
        except _CLOSED as error:
            self.close()
            # The node may close a kept-alive connection at any time; only a read may be asked twice.
            if reused and not changes:
                return self._again(body, method)
            raise self._failure(method, error, changes) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failure(method, error, changes) from error

    def _again(self, body: bytes, method: str) -> bytes:
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failure(method, error, changes=False) from error

    def _exchange(self, body: bytes) -> bytes:
        connection = self._connected()
        connection.request("POST", self._path, body, _HEADERS)
        response = connection.getresponse()
        content = response.read()
        if response.status >= 400 and not content.lstrip().startswith((b"{", b"[")):
            raise http.client.HTTPException(f"HTTP {response.status}")
        return content

    def _connected(self) -> http.client.HTTPConnection:
        if self._open is None:
            host, port = self._parts.hostname or "", self._parts.port
            if self._parts.scheme == "https":
                self._open = http.client.HTTPSConnection(
                    host, port, timeout=self._timeout_s, context=ssl.create_default_context()
                )
            else:
                self._open = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        return self._open

    def _failure(self, method: str, error: Exception, changes: bool) -> TidegateError:
        shown = f"{method}: {type(error).__name__}: {error}"
        if changes and not isinstance(error, ConnectionRefusedError):
            return Ambiguous(f"{self.name} did not answer; what was sent may have arrived", found=shown)
        return Unavailable(f"{self.name} does not answer", code="transport", found=shown)


def _changes(method: str) -> bool:
    return method.startswith(("eth_send", "anvil_", "evm_"))
