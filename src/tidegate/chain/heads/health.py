"""How well a chain is followed: gap, clock, block time, base fee."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from tidegate.chain.mined import Header
from tidegate.chain.networks import Network
from tidegate.model import Clock, Metric, Recorder

GAP_ALERT_BLOCK_TIMES = 3
BLOCK_TIME_BLOCKS = 64
"""Over how many blocks the block time is averaged."""


class GapAlert(msgspec.Struct, frozen=True):
    """The next block has been missing for three block times. ``why`` is a stable code."""

    chain_id: int
    next_number: int
    missing_s: float
    why: str


class ChainHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How well a chain is followed. Times in seconds, the base fee in wei per gas.

    ``block_time_s`` is the mean over the blocks last handed out, the network's own before there are
    two. ``clock_offset_s`` is chain time minus our clock when the newest head was first seen; beyond
    ``clock_skew_max_s`` either way the chain counts as degraded. ``gap_why`` is empty while nothing is
    missing.
    """

    head: int
    gap_blocks: int
    gap_s: float
    gap_why: str
    block_time_s: float
    base_fee_wei: int
    clock_offset_s: float
    is_degraded: bool


class HealthTracker:
    """Watches what a follower sees. ``on_gap`` is called once for each gap that lasts too long."""

    def __init__(
        self, network: Network, clock: Clock, recorder: Recorder, on_gap: Callable[[GapAlert], None] | None
    ) -> None:
        self._network = network
        self._clock = clock
        self._recorder = recorder
        self._on_gap = on_gap
        self._head: Header | None = None
        self._head_seen_ns = clock.monotonic_ns()
        self._offset_s = 0.0
        self._gap_since_ns: int | None = None
        self._gap_why = ""
        self._gap_at: int | None = None
        self._gap_blocks = 0
        self._is_told = False
        self._handed: deque[Header] = deque(maxlen=BLOCK_TIME_BLOCKS)

    def saw_head(self, head: Header) -> None:
        """Note the newest head."""
        if self._head is None or head.hash != self._head.hash:
            self._offset_s = head.timestamp - self._clock.now_ms() / 1_000
            self._head_seen_ns = self._clock.monotonic_ns()
        self._head = head

    def handed_out(self, block: Header) -> None:
        """Note a block that consumers are told of."""
        while self._handed and self._handed[-1].number >= block.number:
            self._handed.pop()
        self._handed.append(block)

    def looked(self, next_number: int | None, *, why: str) -> None:
        """Note the end of a look at the chain; ``why`` says what stopped it, empty if nothing did.

        The metric moves at once; the alert comes when it lasted three block times.
        """
        head = -1 if self._head is None else self._head.number
        self._gap_blocks = 0 if next_number is None else max(head + 1 - next_number, 0)
        self._recorder.set(Metric.BLOCK_GAP, self._gap_blocks, chain=str(self._network.chain_id))
        now_ns = self._clock.monotonic_ns()
        limit_ns = round(GAP_ALERT_BLOCK_TIMES * self._network.block_time_s * 1e9)
        since_ns = now_ns
        if not why and now_ns - self._head_seen_ns > limit_ns:
            why, since_ns = "head_silent", self._head_seen_ns
        if not why:
            self._gap_since_ns, self._gap_why, self._is_told = None, "", False
            return
        self._gap_why = why
        if self._gap_since_ns is None or self._gap_at != next_number:
            self._gap_since_ns, self._gap_at, self._is_told = since_ns, next_number, False
        missing_ns = now_ns - self._gap_since_ns
        if missing_ns > limit_ns and not self._is_told:
            self._is_told = True
            if self._on_gap is not None:
                wanted = head + 1 if next_number is None else next_number
                self._on_gap(GapAlert(self._network.chain_id, wanted, missing_ns / 1e9, why))

    def health(self) -> ChainHealth:
        """Return how things stand."""
        since_ns, head = self._gap_since_ns, self._head
        gap_s = 0.0 if since_ns is None else (self._clock.monotonic_ns() - since_ns) / 1e9
        is_skewed = abs(self._offset_s) > self._network.clock_skew_max_s
        return ChainHealth(
            head=-1 if head is None else head.number,
            gap_blocks=self._gap_blocks,
            gap_s=gap_s,
            gap_why=self._gap_why,
            block_time_s=self._block_time_s(),
            base_fee_wei=0 if head is None else head.base_fee_wei,
            clock_offset_s=self._offset_s,
            is_degraded=is_skewed or self._is_told,
        )

    def _block_time_s(self) -> float:
        if len(self._handed) < 2:
            return self._network.block_time_s
        first, last = self._handed[0], self._handed[-1]
        return (last.timestamp - first.timestamp) / (last.number - first.number)
