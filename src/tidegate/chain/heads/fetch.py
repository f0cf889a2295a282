"""Fetching blocks until they are complete: each by its hash near the head, in spans far below it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from itertools import pairwise

from tidegate.chain.heads.bloom import is_explained, may_hold
from tidegate.chain.heads.source import BlockSource, LogFilter
from tidegate.chain.jsonrpc import RangeTooWide
from tidegate.chain.mined import Header, MinedLog
from tidegate.model import Rejected, Unavailable

Complete = tuple[Header, tuple[MinedLog, ...]]

AT_ONCE_MAX = 32
"""How many blocks are asked for at the same time."""

_GROW_AFTER = 8
"""After so many spans in a row that were served, a wider one is tried."""


class NotYet(Unavailable):
    """A block that is missing, null or not whole: nothing is handed out past it, it is asked for again."""

    default_code = "block_missing"


class BlockFetcher:
    """Fetches what follows a block, and nothing that does not follow it.

    Parameters
    ----------
    source
        Where blocks come from.
    wanted
        Which logs are kept.
    span_max
        How many blocks a span may have at most.
    has_blooms
        Whether the headers' blooms are true. If not, every block is asked for by its hash, and logs that
        are late can not be told from none.
    """

    def __init__(
        self, source: BlockSource, wanted: LogFilter, *, span_max: int, has_blooms: bool = True
    ) -> None:
        self.span = span_max
        self.fetched_to = -1
        self._source = source
        self._wanted = wanted
        self._has_blooms = has_blooms
        self._span_max = span_max
        self._served = 0
        self._at_once = 1

    async def near(self, first: int, parent_hash: bytes, head: Header) -> list[Complete]:
        """Return the next few blocks up to ``head``, each complete by its own hash.

        Raises
        ------
        NotYet
            If not even the first is there, whole, and on ``parent_hash``.
        """
        last = min(first + self._at_once - 1, head.number)
        headers = await self._headers(first, last, parent_hash, head)
        complete = await _first_of(map(self._by_hash, headers))
        self._at_once = min(2 * len(complete), AT_ONCE_MAX)
        return complete

    async def far(self, first: int, parent_hash: bytes, last: int) -> list[Complete]:
        """Return a span of blocks from ``first`` on, at most to ``last``, complete.

        The logs come in one answer for the span. Each is held against the header that follows from the
        chain of parent hashes, and each header's bloom against the logs: what one does not explain is
        asked for by the block's hash.

        Raises
        ------
        NotYet
            If a block is not there, or is not whole.
        """
        last = min(first + self.span - 1, last)
        try:
            logs = await self._source.span_logs(first, last, self._wanted)
        except (RangeTooWide, Unavailable) as error:
            if first == last and isinstance(error, RangeTooWide):
                return await self._alone(first, parent_hash)
            self.narrow()
            raise NotYet("the span was too wide", code="span", found=str(error)) from error
        by_hash: dict[bytes, list[MinedLog]] = {}
        for log in logs:
            by_hash.setdefault(log.block_hash, []).append(log)
        complete: list[Complete] = []
        try:
            while first <= last:
                headers = await self._headers(first, min(first + AT_ONCE_MAX - 1, last), parent_hash, None)
                given = [tuple(by_hash.get(header.hash, ())) for header in headers]
                complete += await _first_of(map(self._checked, headers, given))
                newest = complete[-1][0]
                first, parent_hash = newest.number + 1, newest.hash
        except (Unavailable, Rejected):
            if not complete:
                raise
        else:
            self._widen()
        return complete

    def narrow(self) -> None:
        """Ask for half as many blocks at once from now on."""
        self.span, self._served = max(self.span // 2, 1), 0
        self._at_once = max(self._at_once // 2, 1)

    def _widen(self) -> None:
        self._served += 1
        if self._served >= _GROW_AFTER:
            self.span, self._served = min(2 * self.span, self._span_max), 0

    async def _headers(self, first: int, last: int, parent_hash: bytes, head: Header | None) -> list[Header]:
        """Return the headers that follow each other from ``parent_hash`` on: at least one."""
        numbers = range(first, last + 1)
        asked = [self._source.header(number) for number in numbers if head is None or number != head.number]
        found: list[Header | BaseException | None] = [*await asyncio.gather(*asked, return_exceptions=True)]
        if head is not None and last == head.number:
            found.append(head)
        headers: list[Header] = []
        for number, header in zip(numbers, found, strict=True):
            problem = _problem(number, header, parent_hash)
            if problem is not None:
                if headers:
                    break
                raise problem
            assert isinstance(header, Header)
            headers.append(header)
            parent_hash = header.hash
        self.fetched_to = headers[-1].number
        return headers

    async def _by_hash(self, header: Header) -> Complete:
        """Return a block with its wanted logs once all of its logs are there."""
        logs = await self._source.block_logs(header.hash)
        if logs is None:
            raise NotYet(f"block {header.number} has no answer for its logs", code="logs_missing")
        foreign = [log for log in logs if log.block_hash != header.hash or log.block_number != header.number]
        if foreign or any(log.index >= after.index for log, after in pairwise(logs)):
            raise NotYet(f"the logs of block {header.number} are not its own", code="logs_foreign")
        if self._has_blooms and not is_explained(header.logs_bloom, logs):
            raise NotYet(f"block {header.number} has logs that are not there yet", code="logs_missing")
        return header, tuple(filter(self._wanted.wants, logs))

    async def _checked(self, header: Header, given: tuple[MinedLog, ...]) -> Complete:
        """Return a block of a span, from what the span gave for its hash or from the block itself."""
        if not self._has_blooms:
            is_whole = False
        elif self._wanted == LogFilter():
            is_whole = bool(header.logs_bloom) and is_explained(header.logs_bloom, given)
        else:
            is_whole = bool(given) or not may_hold(header.logs_bloom, self._wanted)
        if is_whole and all(log.block_number == header.number for log in given):
            return header, tuple(sorted(filter(self._wanted.wants, given), key=lambda log: log.index))
        return await self._by_hash(header)

    async def _alone(self, number: int, parent_hash: bytes) -> list[Complete]:
        (header,) = await self._headers(number, number, parent_hash, None)
        return [await self._by_hash(header)]


async def _first_of(blocks: Iterable[Awaitable[Complete]]) -> list[Complete]:
    """Return what comes before the first that is not whole, at least one."""
    complete: list[Complete] = []
    for found in await asyncio.gather(*blocks, return_exceptions=True):
        if isinstance(found, BaseException):
            if not complete or not isinstance(found, Unavailable | Rejected):
                raise found
            break
        complete.append(found)
    return complete


def _problem(number: int, header: Header | BaseException | None, parent_hash: bytes) -> BaseException | None:
    if isinstance(header, BaseException):
        return header
    if header is None or header.number != number:
        return NotYet(f"block {number} is not there", found="null" if header is None else str(header.number))
    if parent_hash not in (b"", header.parent_hash):
        return NotYet(f"block {number} stands on another parent", code="parent_moved")
    return None
