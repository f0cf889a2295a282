"""Where blocks and logs come from: a small protocol, and how a node fills it."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from tidegate.chain.mined import Header, MinedLog
from tidegate.chain.wire import header_of, hex_data, mined_logs_of, quantity
from tidegate.model import Address


class LogFilter(msgspec.Struct, frozen=True):
    """Which logs are wanted: of any of ``accounts`` and with any of ``topics`` first; empty is all."""

    accounts: tuple[Address, ...] = ()
    topics: tuple[bytes, ...] = ()

    def parameter(self) -> dict[str, Any]:
        """Return the filter's part of an ``eth_getLogs`` parameter."""
        parts: dict[str, Any] = {}
        if self.accounts:
            parts["address"] = list(self.accounts)
        if self.topics:
            parts["topics"] = [[hex_data(topic) for topic in self.topics]]
        return parts


class BlockSource(Protocol):
    """What the follower asks of a chain. None is "not here now", never "there is none".

    Each raises ``Unavailable`` if nobody answers within the deadline.
    """

    async def head(self) -> Header | None:
        """Return the newest block's header."""
        ...

    async def finalised(self) -> Header | None:
        """Return the newest final block's header, or none where the chain does not say."""
        ...

    async def header(self, reference: int | bytes) -> Header | None:
        """Return a header by number or by hash."""
        ...

    async def block_logs(self, block_hash: bytes) -> tuple[MinedLog, ...] | None:
        """Return the wanted logs of the block with this hash, and of no other."""
        ...

    async def span_logs(self, first: int, last: int) -> tuple[MinedLog, ...]:
        """Return the wanted logs of blocks ``first`` to ``last``. Raises ``RangeTooWide``."""
        ...


class Requests(Protocol):
    """Anything that asks a node: ``ChainReads`` of a pool, ``ChainClient``."""

    async def request(self, method: str, *params: Any) -> Any:
        """Return the raw result."""
        ...


class NodeBlocks:
    """A chain's blocks and the logs that a filter wants, read from nodes."""

    def __init__(self, reads: Requests, wanted: LogFilter | None = None) -> None:
        self._reads = reads
        self._filter = (wanted or LogFilter()).parameter()

    async def head(self) -> Header | None:
        """Return the newest block's header."""
        return await self._tagged("latest")

    async def finalised(self) -> Header | None:
        """Return the newest final block's header, or none where the chain does not say."""
        return await self._tagged("finalized")

    async def header(self, reference: int | bytes) -> Header | None:
        """Return a header by number or by hash, or none while the node does not have it."""
        if isinstance(reference, int):
            return await self._tagged(quantity(reference))
        found = await self._reads.request("eth_getBlockByHash", hex_data(reference), False)
        return None if found is None else header_of(found)

    async def block_logs(self, block_hash: bytes) -> tuple[MinedLog, ...] | None:
        """Return the wanted logs of the block with this hash, or none while the node lacks it."""
        parameter = {"blockHash": hex_data(block_hash), **self._filter}
        found = await self._reads.request("eth_getLogs", parameter)
        return None if found is None else mined_logs_of(found)

    async def span_logs(self, first: int, last: int) -> tuple[MinedLog, ...]:
        """Return the wanted logs of a span of blocks, both ends included."""
        parameter = {"fromBlock": quantity(first), "toBlock": quantity(last), **self._filter}
        return mined_logs_of(await self._reads.request("eth_getLogs", parameter) or ())

    async def _tagged(self, reference: str) -> Header | None:
        found = await self._reads.request("eth_getBlockByNumber", reference, False)
        return None if found is None else header_of(found)
