"""Following a chain: a look at a time, each block once and in order, taken back when the chain does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from tidegate.chain.heads.changes import Added, BlockState, Change
from tidegate.chain.heads.cursors import CursorStore
from tidegate.chain.heads.fetch import BlockFetcher, NotYet
from tidegate.chain.heads.health import ChainHealth, GapAlert, HealthTracker
from tidegate.chain.heads.machine import BlockMachine
from tidegate.chain.heads.marks import Mark
from tidegate.chain.heads.source import BlockSource, LogFilter
from tidegate.chain.mined import Header
from tidegate.chain.networks import Network
from tidegate.model import (
    Clock,
    Divergence,
    Metric,
    NullRecorder,
    Recorder,
    Rejected,
    SystemClock,
    TidegateError,
    Unavailable,
)

SPAN_MAX = 2_000
_POLLS_PER_BLOCK = 4
_POLL_S_MIN = 0.05
_POLL_S_MAX = 3.0


class Progress(msgspec.Struct, frozen=True):
    """How far a backfill has come: blocks ``first`` to ``last``, ``next_number`` is next."""

    chain_id: int
    first: int
    next_number: int
    last: int


class HeadFollower:
    """Hands out a chain's blocks with their logs: each once, in order, whole.

    Parameters
    ----------
    source
        Where blocks come from; ``NodeBlocks(pool.reads(keep=Keep.NOTHING))``.
    cursors
        Where the position is kept. It decides where to start; one store for each follower.
    network
        The chain: id, confirmations, the deepest reorg, block time, clock skew.
    clock, recorder
        Where time comes from, and where metrics go.
    wanted
        Which logs are handed out; blocks come all.
    start_block
        The first block where no cursor is kept yet; by default the head.
    span_max
        How many blocks a backfill asks for at once; it adapts below that.
    has_blooms
        False for a chain whose headers carry no true blooms: then late logs look like none.
    on_gap, on_progress
        Told when a block has been missing for three block times, and how far a backfill has come.

    Notes
    -----
    The position is durable before a batch is handed out, and asking for the next batch says that the
    one before was taken. After a kill the newest batch comes again with the same keys, ``is_repeated``.
    A consumer that keeps its state by log key holds each log exactly once for the canonical history.
    """

    def __init__(
        self,
        source: BlockSource,
        cursors: CursorStore,
        network: Network,
        *,
        clock: Clock | None = None,
        recorder: Recorder | None = None,
        wanted: LogFilter | None = None,
        start_block: int | None = None,
        span_max: int = SPAN_MAX,
        has_blooms: bool = True,
        on_gap: Callable[[GapAlert], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._source = source
        self._cursors = cursors
        self._network = network
        self._recorder = recorder or NullRecorder()
        self._start_block = start_block
        self._on_progress = on_progress
        self._health = HealthTracker(network, clock or SystemClock(), self._recorder, on_gap)
        self._fetcher = BlockFetcher(source, wanted or LogFilter(), span_max=span_max, has_blooms=has_blooms)
        self._machine = BlockMachine(
            network.chain_id,
            confirmations=network.confirmations,
            reorg_max_blocks=network.reorg_max_blocks,
        )
        self._is_resumed = False
        self._is_fetching = False
        self._backfill_first: int | None = None
        self._announced = -1
        self._waiting: list[Change] = []
        self._final_asked_at: Mark | None = None
        self._divergence: Divergence | None = None
        self._hint = asyncio.Event()

    @property
    def cursor(self) -> Mark | None:
        """Return the newest block that was handed out, or none before the first."""
        return self._machine.tip

    @property
    def health(self) -> ChainHealth:
        """Return how well the chain is followed."""
        return self._health.health()

    @property
    def span(self) -> int:
        """Return how many blocks a backfill asks for at once just now."""
        return self._fetcher.span

    def state_of(self, number: int) -> BlockState | None:
        """Return how far the block at ``number`` has come; none if nobody spoke of it."""
        return self._machine.state_of(number, head=self._announced, fetched=self._fetcher.fetched_to)

    def hint(self, number: int) -> None:
        """Take note that somebody spoke of block ``number``: it is asked for at once, not believed."""
        self._announced = max(self._announced, number)
        self._hint.set()

    async def step(self, hint: int | None = None, *, deadline_s: float | None = None) -> tuple[Change, ...]:
        """Look at the chain once and return what is new, in order; nothing if nothing is complete.

        Parameters
        ----------
        hint
            A block number that a subscription named; the chain is asked anyway.
        deadline_s
            How long this may take. What is complete by then is returned, the rest comes next time.

        Raises
        ------
        Divergence
            If a reorg reaches deeper than may be followed. From then on every step raises it.
        Unavailable
            If the position can not be kept. Nothing is lost: the same batch comes at the next step.
        """
        if self._divergence is not None:
            raise self._divergence
        self._resume()
        if hint is not None:
            self.hint(hint)
        why, self._is_fetching = "", False
        try:
            async with asyncio.timeout(deadline_s):
                await self._look()
        except TimeoutError:
            why = "deadline"
            if self._is_fetching:
                self._fetcher.narrow()
        except (Unavailable, Rejected) as error:
            why = error.code
        except Divergence as error:
            if error.code != "node_answer":
                self._divergence = error
                raise
            why = error.code
        is_moving = any(isinstance(change, Added) for change in self._waiting)
        self._health.looked(self._machine.next_number, why="" if is_moving else why)
        return self._hand_out()

    def acknowledge(self) -> None:
        """Say that the newest batch was taken, without asking for another: it will not be repeated.

        For a clean end. Raises ``Unavailable`` if that can not be kept.
        """
        cursor = self._machine.acknowledged()
        if cursor is not None and not self._waiting:
            self._cursors.append(cursor)

    async def follow(self, *, poll_s: float | None = None) -> AsyncIterator[tuple[Change, ...]]:
        """Yield each batch that is not empty, for ever.

        Parameters
        ----------
        poll_s
            How long to wait when nothing is new, unless a hint comes; a quarter of the block time by default.
        """
        if poll_s is None:
            poll_s = min(max(self._network.block_time_s / _POLLS_PER_BLOCK, _POLL_S_MIN), _POLL_S_MAX)
        while True:
            self._hint.clear()
            batch = await self.step()
            if batch:
                yield batch
                continue
            try:
                async with asyncio.timeout(poll_s):
                    await self._hint.wait()
            except TimeoutError:
                continue

    def _resume(self) -> None:
        if not self._is_resumed:
            self._waiting += self._machine.resume(self._cursors.load(self._network.reorg_max_blocks))
            self._is_resumed = True

    async def _look(self) -> None:
        head = await self._source.head()
        if head is None:
            raise NotYet("there is no head", code="head_missing")
        self._health.saw_head(head)
        self._announced = max(self._announced, head.number)
        if self._machine.next_number is None:
            self._machine.begin(head.number if self._start_block is None else self._start_block)
        await self._leave_orphans(head)
        missing: TidegateError | None = None
        try:
            await self._extend(head)
        except (Unavailable, Rejected) as error:
            missing = error
        await self._ask_what_is_final()
        if missing is not None:
            raise missing

    async def _ask_what_is_final(self) -> None:
        tip = self._machine.tip
        if tip is None or tip == self._final_asked_at:
            return
        self._final_asked_at = tip
        try:
            newest = await self._source.finalised()
        except Unavailable:
            return  # nothing is called final on no answer; the next block asks again
        final = self._machine.finalise(newest)
        if final is not None:
            self._waiting.append(final)

    async def _leave_orphans(self, head: Header) -> None:
        """Roll back to the block that the chain's own next block stands on."""
        block = await self._block_to_stand(head)
        if block is None:
            return
        while not self._machine.meets(block) and not self._machine.is_bottom(block):
            parent = await self._source.header(block.parent_hash)
            if parent is None or parent.hash != block.parent_hash or parent.number != block.number - 1:
                raise NotYet(f"the parent of block {block.number} is not there", code="parent_missing")
            block = parent
        withdrawn = self._machine.roll_back_to(block)
        if withdrawn:
            self._waiting += withdrawn
            self._recorder.set(Metric.REORG_DEPTH, len(withdrawn), chain=str(self._network.chain_id))

    async def _block_to_stand(self, head: Header) -> Header | None:
        """Return a block of the chain that must stand on what we hold, or none if there is none yet."""
        following = self._machine.next_number
        assert following is not None
        if head.number == following:
            return head
        if head.number > following:
            found = await self._source.header(following)
            if found is None or found.number != following:
                raise NotYet(f"block {following} is not there", found="null")
            return found
        held = self._machine.mark_at(head.number)
        return None if held is None or held.hash == head.hash else head

    async def _extend(self, head: Header) -> None:
        machine, reach = self._machine, self._network.reorg_max_blocks
        assert machine.next_number is not None
        self._is_fetching = True
        while machine.next_number <= head.number:
            first, settled = machine.next_number, head.number - reach
            if first < settled:
                blocks = await self._fetcher.far(first, machine.tip_hash, settled)
            else:
                blocks = await self._fetcher.near(first, machine.tip_hash, head)
            for header, logs in blocks:
                self._waiting += machine.add(header, logs)
                self._health.handed_out(header)
            self._tell_progress(first, settled)
            if first < settled:
                return  # a span is a batch

    def _tell_progress(self, first: int, settled: int) -> None:
        if first >= settled:
            self._backfill_first = None
            return
        if self._backfill_first is None:
            self._backfill_first = first
        if self._on_progress is not None:
            following = self._machine.next_number or first
            self._on_progress(Progress(self._network.chain_id, self._backfill_first, following, settled))

    def _hand_out(self) -> tuple[Change, ...]:
        confirmed = self._machine.confirm()
        if confirmed is not None:
            self._waiting.append(confirmed)
        cursor = self._machine.cursor(self._waiting)
        if cursor is not None:
            self._cursors.append(cursor)
        batch = tuple(self._waiting)
        self._waiting = []
        return batch
