"""Where blocks and logs come from: a small protocol, and how a node fills it."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from tidegate.chain.mined import Header, MinedLog
from tidegate.chain.wire import header_of, hex_data, mined_logs_of, quantity
from tidegate.model import Address, Log, Rejected, Unavailable


class LogFilter(msgspec.Struct, frozen=True):
    """Which logs are wanted: of any of ``accounts`` and with any of ``topics`` first; empty is all."""

    accounts: tuple[Address, ...] = ()
    topics: tuple[bytes, ...] = ()

    def wants(self, log: Log) -> bool:
        """Say whether a log is wanted."""
        if self.accounts and log.address not in self.accounts:
            return False
        return not self.topics or (bool(log.topics) and log.topics[0] in self.topics)

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
        """Return all logs of the block with this hash, and of no other."""
        ...

    async def span_logs(self, first: int, last: int, wanted: LogFilter) -> tuple[MinedLog, ...]:
        """Return the wanted logs of blocks ``first`` to ``last``. Raises ``RangeTooWide``."""
        ...


class Requests(Protocol):
    """Anything that asks a node: ``ChainReads`` of a pool."""

    async def request(self, method: str, *params: Any) -> Any:
        """Return the raw result."""
        ...


class NodeBlocks:
    """A chain's blocks and logs, read from nodes.

    ``reads`` must not answer from memory (``Keep.NOTHING``): a node that has not indexed a block's logs
    yet says that there are none, and that answer must not last.
    """

    def __init__(self, reads: Requests) -> None:
        self._reads = reads
        self._tells_final = True

    async def head(self) -> Header | None:
        """Return the newest block's header."""
        return await self._by_number("latest")

    async def finalised(self) -> Header | None:
        """Return the newest final block's header, or none where nodes do not know the word.

        Raises
        ------
        Unavailable
            If they know it and name no block: no answer is not an answer.
        """
        if not self._tells_final:
            return None
        try:
            found = await self._by_number("finalized")
        except Rejected:
            self._tells_final = False  # a chain that does not know the word does not learn it
            return None
        if found is None:
            raise Unavailable("the chain names no final block yet", code="block_missing")
        return found

    async def header(self, reference: int | bytes) -> Header | None:
        """Return a header by number or by hash, or none while the node does not have it."""
        if isinstance(reference, int):
            return await self._by_number(quantity(reference))
        found = await self._reads.request("eth_getBlockByHash", hex_data(reference), False)
        return None if found is None else header_of(found)

    async def block_logs(self, block_hash: bytes) -> tuple[MinedLog, ...] | None:
        """Return all logs of the block with this hash, or none while the node lacks it."""
        found = await self._reads.request("eth_getLogs", {"blockHash": hex_data(block_hash)})
        return None if found is None else mined_logs_of(found)

    async def span_logs(self, first: int, last: int, wanted: LogFilter) -> tuple[MinedLog, ...]:
        """Return the wanted logs of a span of blocks, both ends included."""
        parameter = {"fromBlock": quantity(first), "toBlock": quantity(last), **wanted.parameter()}
        return mined_logs_of(await self._reads.request("eth_getLogs", parameter) or ())

    async def _by_number(self, reference: str) -> Header | None:
        found = await self._reads.request("eth_getBlockByNumber", reference, False)
        return None if found is None else header_of(found)
