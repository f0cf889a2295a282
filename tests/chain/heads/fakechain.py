"""A chain in memory that reorganises, lags, answers null and drops logs on command."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import msgspec

from tidegate.chain import RangeTooWide, address
from tidegate.chain.heads import Header, LogFilter, MinedLog
from tidegate.chain.heads.bloom import bloom_of
from tidegate.model import Log, Unavailable

TOPIC = bytes(31) + b"\x07"
OTHER_TOPIC = bytes(31) + b"\x08"
CONTRACT = address(0xC0FFEE)
OTHER_CONTRACT = address(0xBEEF)
GENESIS_TIME = 1_700_000_000


class FakeChain:
    """Fills ``BlockSource``. Blocks are numbered from 0; ``grow`` and ``reorg`` change what is canonical.

    ``lag`` hides the newest blocks from ``head``; ``null`` holds what answers null (numbers and hashes of
    blocks, ``("logs", hash)``, ``"head"``), ``late`` the hashes whose logs are said to be none,
    ``down`` the names of methods that do not answer. ``before`` is called ahead of each answer.
    """

    def __init__(self, blocks: int = 1, *, block_time_s: int = 12, logs_each: int = 2) -> None:
        self.block_time_s = block_time_s
        self.logs_each = logs_each
        self.by_hash: dict[bytes, tuple[Header, tuple[MinedLog, ...]]] = {}
        self.canonical: list[bytes] = []
        self.lag = 0
        self.null: set[object] = set()
        self.late: set[bytes] = set()
        self.down: set[str] = set()
        self.final: int | None = None
        self.span_max = 10_000
        self.asked: Counter[str] = Counter()
        self.before: Callable[[str], None] = lambda _: None
        self._salt = 0
        self.grow(blocks)

    def grow(self, blocks: int = 1, *, logs: int | None = None) -> None:
        for _ in range(blocks):
            self._append(self.logs_each if logs is None else logs)

    def reorg(self, depth: int, blocks: int | None = None, *, logs: int | None = None) -> None:
        """Replace the newest ``depth`` blocks by ``blocks`` others (as many by default)."""
        self._salt += 1
        del self.canonical[len(self.canonical) - depth :]
        self.grow(depth if blocks is None else blocks, logs=logs)

    @property
    def height(self) -> int:
        return len(self.canonical) - 1

    def block(self, number: int) -> Header:
        return self.by_hash[self.canonical[number]][0]

    def keys(self, first: int = 0, last: int | None = None) -> set:
        """Return the keys of all canonical logs: what a replay of the final chain gives."""
        hashes = self.canonical[first : None if last is None else last + 1]
        return {log.key(1) for each in hashes for log in self.by_hash[each][1]}

    async def head(self) -> Header | None:
        self._answer("head")
        return None if "head" in self.null else self.block(max(self.height - self.lag, 0))

    async def finalised(self) -> Header | None:
        self._answer("finalised")
        return None if self.final is None else self.block(self.final)

    async def header(self, reference: int | bytes) -> Header | None:
        self._answer("header")
        if isinstance(reference, int):
            if not 0 <= reference < len(self.canonical):
                return None
            found = self.block(reference)
        else:
            found = self.by_hash[reference][0] if reference in self.by_hash else None
        if found is None or found.number in self.null or found.hash in self.null:
            return None
        return found

    async def block_logs(self, block_hash: bytes) -> tuple[MinedLog, ...] | None:
        self._answer("block_logs")
        if ("logs", block_hash) in self.null or block_hash not in self.by_hash:
            return None
        return () if block_hash in self.late else self.by_hash[block_hash][1]

    async def span_logs(self, first: int, last: int, wanted: LogFilter) -> tuple[MinedLog, ...]:
        self._answer("span_logs")
        if last - first + 1 > self.span_max:
            raise RangeTooWide("too wide", found=str(last - first + 1))
        hashes = [each for each in self.canonical[first : last + 1] if each not in self.late]
        return tuple(log for each in hashes for log in self.by_hash[each][1] if wanted.wants(log))

    def _answer(self, method: str) -> None:
        self.asked[method] += 1
        self.before(method)
        if method in self.down:
            raise Unavailable("nobody answers", code="transport")

    def _append(self, logs: int) -> None:
        number = len(self.canonical)
        parent = self.canonical[-1] if self.canonical else bytes(32)
        block_hash = hashlib.sha256(
            parent + number.to_bytes(8, "big") + self._salt.to_bytes(8, "big")
        ).digest()
        plain = [
            Log(CONTRACT if index % 2 == 0 else OTHER_CONTRACT, (TOPIC, bytes([index]) * 32), block_hash)
            for index in range(logs)
        ]
        header = Header(
            number=number,
            timestamp=GENESIS_TIME + number * self.block_time_s,
            base_fee_wei=10**9 + number,
            gas_limit=30_000_000,
            hash=block_hash,
            parent_hash=parent,
            logs_bloom=bloom_of(plain).to_bytes(256, "big"),
        )
        mined = tuple(
            MinedLog(
                **msgspec.structs.asdict(log),
                block_number=number,
                block_hash=block_hash,
                index=index,
                transaction_hash=hashlib.sha256(block_hash + bytes([index])).digest(),
                transaction_index=index,
            )
            for index, log in enumerate(plain)
        )
        self.by_hash[block_hash] = (header, mined)
        self.canonical.append(block_hash)
