"""An async client of one endpoint. Every call has a deadline; every error has one meaning."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Self

from tidegate.chain.codecs import keccak256
from tidegate.chain.jsonrpc import (
    AlreadyKnown,
    decode_answer,
    decode_batch,
    encode_batch,
    encode_request,
)
from tidegate.chain.reads import LOGS_SPAN_MAX, ChainReads
from tidegate.chain.transport import Transport
from tidegate.chain.wire import (
    hex_data,
    integer,
    octets,
)
from tidegate.model import (
    Divergence,
    Rejected,
    Unavailable,
)


class ChainClient(ChainReads):
    """JSON-RPC with one node, for code that must not wait without a limit.

    Parameters
    ----------
    url
        Where the node is. Never shown: URLs may carry keys.
    chain_id
        The chain that must answer there.
    name
        What errors call this endpoint.
    read_timeout_s, send_timeout_s
        Deadlines of a read and of a send.
    logs_span_max
        How many blocks one ``eth_getLogs`` may ask for; halved for good when the node finds it too wide.

    Notes
    -----
    Used as ``async with ChainClient(url, chain_id) as client``; entering checks the chain id. A read
    raises ``Unavailable`` if the node does not answer in time or lacks the state, ``Rejected`` if it
    refuses (``CallReverted`` for a call that reverts) and ``Divergence`` if it answers nonsense.
    """

    def __init__(
        self,
        url: str,
        chain_id: int,
        *,
        name: str = "node",
        read_timeout_s: float = 2.0,
        send_timeout_s: float = 5.0,
        logs_span_max: int = LOGS_SPAN_MAX,
    ) -> None:
        super().__init__(chain_id, name=name, logs_span_max=logs_span_max)
        self._transport = Transport(
            url, name=name, read_timeout_s=read_timeout_s, send_timeout_s=send_timeout_s
        )
        self._identities = itertools.count(1)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the session and check that the configured chain answers.

        Raises
        ------
        Unavailable
            If nothing answers, or another chain does (``wrong_chain_id``).
        """
        try:
            found = integer(await self.request("eth_chainId"))
            if found != self.chain_id:
                raise Unavailable(
                    f"wrong_chain_id: expected {self.chain_id}, was {found}",
                    code="wrong_chain_id",
                    fix=f"correct the URL of {self.name}, or the chain id",
                )
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the session; the next request opens another."""
        await self._transport.close()

    async def request(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        """Return the raw result of any read, within its deadline."""
        identity = next(self._identities)
        body = encode_request(method, params, identity)
        return decode_answer(await self._transport.read(body, method, timeout_s), identity)

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the raw results of many reads, in order, from one request. An item may be its error."""
        if not calls:
            return []
        first = next(self._identities)
        self._identities = itertools.count(first + len(calls))
        body = await self._transport.read(encode_batch(calls, first), calls[0][0])
        return decode_batch(body, first, len(calls))

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand signed bytes to the node and return the transaction's hash.

        Bytes that the node has already, or that are in a block, are a success: sending again is safe.

        Raises
        ------
        Rejected
            If the node refuses them for good; they can not land.
        Ambiguous
            If it is unknown whether they arrived: ask for the receipt and the nonce, send the same bytes.
        Unavailable
            If they certainly did not arrive.
        """
        expected = keccak256(raw)
        identity = next(self._identities)
        try:
            body = encode_request("eth_sendRawTransaction", [hex_data(raw)], identity)
            found = octets(decode_answer(await self._transport.send(body), identity))
        except AlreadyKnown:
            return expected
        except Rejected as error:
            if error.code == "nonce_too_low" and await self.receipt(expected) is not None:
                return expected
            raise
        except Unavailable as error:
            if error.code in ("transport", "node_error"):
                raise self._transport.ambiguous(str(error)) from error
            raise
        if found != expected:
            raise Divergence(
                "the node names another transaction", found=hex_data(found), allowed=hex_data(expected)
            )
        return expected
