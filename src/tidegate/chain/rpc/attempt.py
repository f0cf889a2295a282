"""One call, and one call on its way to one endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tidegate.chain.rpc.terms import Priority
from tidegate.model import TidegateError

_encode = msgspec.json.Encoder().encode
Heard = Callable[[Any, TidegateError | None], None]


class Call:
    """What is asked: a method with its parameters, encoded once however many endpoints are asked."""

    __slots__ = ("encoded", "method", "params")

    def __init__(self, method: str, params: Sequence[Any]) -> None:
        self.method = method
        self.params = params
        self.encoded: bytes = _encode(params)

    def body(self, identity: int) -> bytes:
        """Return the request as it travels."""
        return b'{"jsonrpc":"2.0","id":%d,"method":%b,"params":%b}' % (
            identity,
            _encode(self.method),
            self.encoded,
        )


class Attempt:
    """A call that waits for one endpoint's answer. ``heard`` is told once, unless it is abandoned."""

    __slots__ = ("_heard", "call", "ends_ns", "is_abandoned", "priority")

    def __init__(self, call: Call, priority: Priority, ends_ns: int, heard: Heard) -> None:
        self.call = call
        self.priority = priority
        self.ends_ns = ends_ns
        self.is_abandoned = False
        self._heard = heard

    def abandon(self) -> None:
        """Forget the answer, and the call itself if it has not left yet."""
        self.is_abandoned = True

    def settle(self, result: Any) -> None:
        """Hand over what the endpoint answered, or the error that says why it did not."""
        if self.is_abandoned:
            return
        self.is_abandoned = True
        if isinstance(result, TidegateError):
            self._heard(None, result)
        else:
            self._heard(result, None)
