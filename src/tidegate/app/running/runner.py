"""The loop: each block once, every strategy looks, what was sent is followed, stops are seen.

It ends by its own bounds or when it is asked to: what is in hand is finished, what the chain still owes
stays open in the journal, and the next start goes on with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tidegate import __version__
from tidegate.app.progress import Progress
from tidegate.app.running.assemble import Assembled
from tidegate.app.running.endpoints import Pools
from tidegate.app.running.executors import ExecutorWatch
from tidegate.app.running.heads import RunHeads
from tidegate.app.running.safety import Safety
from tidegate.app.running.sites import Site
from tidegate.app.running.strangers import StrangersWatch
from tidegate.app.session import block_event
from tidegate.app.stopping.lifting import take_notes
from tidegate.chain.heads import Added, Change, RolledBack
from tidegate.model import Block, Divergence, Halted, Intent, RecordKind, Stage, TidegateError, Unavailable

ALL_BLOCKS, TIME_OVER, ONCE, ASKED = "all blocks", "time is over", "looked once", "asked to stop"
"""Why a run ended: what its summary says."""

_BEAT_S = 1.0
_POLL_S_MAX = 1.0
_BLOCKS_TO_SETTLE = 5
_WEEK_MS = 7 * 86_400_000

Watch = Callable[[Progress], None]
Trouble = Callable[[TidegateError], None]
Record = Callable[[Block], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Until:
    """When a run ends by itself: after so many blocks, so long, or one look of each strategy by hand."""

    blocks: int | None = None
    seconds: float | None = None
    is_once: bool = False


@dataclass(slots=True)
class Hooks:
    """What a run tells others while it goes on; nobody needs to listen.

    ``block`` is told of each block, before anyone decides on it, ``rolled_back`` of the lowest block that
    a reorg took away. ``pace_s`` is the least time between two blocks of a world of ours.
    """

    watch: Watch = lambda _: None
    trouble: Trouble = lambda _: None
    block: Record | None = None
    rolled_back: Callable[[int], None] = lambda _: None
    pace_s: float = 0.0


@dataclass(slots=True)
class Runner:
    """Runs one desk on a site until it is over."""

    stage: Stage
    site: Site
    pools: Pools
    desk: Assembled
    safety: Safety
    heads: RunHeads
    until: Until = field(default_factory=Until)
    hooks: Hooks = field(default_factory=Hooks)
    executors: ExecutorWatch | None = None
    strangers: StrangersWatch | None = None
    progress: Progress = field(default_factory=Progress)
    _blocks: int = 0
    _skipped: int = 0
    _world: str = ""
    _started_s: float = field(default_factory=time.monotonic)

    async def run(self, stop: asyncio.Event) -> dict[str, Any]:
        """Go on until the run's bounds or ``stop``; return the figures, which the journal also gets.

        Raises
        ------
        Denied
            ``role_missing`` before the first decision, if a strategy's account may not operate its executor.
        Divergence
            If what the chain says can not be; its desks are halted first. One of a key, or of a history that
            can not be followed, halts that and ends no run.
        """
        session = self.desk.session
        self._begin()
        beats = asyncio.create_task(self._beat())  # first: a start that takes long is no silent breaker
        try:
            if self.site.is_new:
                session.drop_orphans()
                await self.desk.books.begin_anew(session.journal, stage=self.stage, desk=session.desk.name)
            else:
                await self._recover()
            self._demand_roles()
            ended = await self._loop(stop)
        except Divergence as error:
            session.street.halts.halt(f"chain:{self.site.network.chain_id}", str(error))
            raise
        finally:
            beats.cancel()
            with suppress(asyncio.CancelledError):
                await beats
        return self._end(ended)

    async def _recover(self) -> None:
        try:
            await self.desk.session.recover()
        except Divergence as error:
            if self.desk.sender is None or self.desk.sender.halt is None:
                raise
            self.hooks.trouble(error)  # the key is halted: what is open is followed, and exits go on

    def _demand_roles(self) -> None:
        try:
            self.desk.session.desk.demand_roles()
        except Unavailable as error:
            self.hooks.trouble(error)  # not known yet: without a role each decision says so

    async def _loop(self, stop: asyncio.Event) -> str:
        while True:
            newest = await self._next(stop)
            if newest is None:
                return ASKED if stop.is_set() else TIME_OVER
            await self._follow()
            await self.desk.books.saw(newest.number)
            await self._look_at_executors(newest)
            self._poll(newest)
            if self.until.is_once:
                await self._look_by_hand()
                await self._settle(stop)
                return ONCE
            await self._look(newest)
            self._blocks += 1
            self._catch_up()
            if self.until.blocks is not None and self._blocks >= self.until.blocks:
                await self._settle(stop)
                return ALL_BLOCKS

    async def _look_at_executors(self, newest: Block) -> None:
        """Look at who may do what on our executors, and who tries more. What is found stops nothing."""
        for watch in (self.executors, self.strangers):
            try:
                if watch is not None:
                    await watch.saw(newest.number)
            except (Unavailable, Divergence) as error:
                self.hooks.trouble(error)

    def _poll(self, newest: Block) -> None:
        """Ask the chain what no run tells: feeds, balances, lenders."""
        try:
            self.desk.measures.saw(newest, self.desk.state_at(newest.number))
        except TidegateError as error:
            self.hooks.trouble(error)

    async def _next(self, stop: asyncio.Event) -> Block | None:
        """Return the newest block that was not looked at; None if the run is over before one comes."""
        if self._blocks and self.site.advance is not None:
            await self._wait(stop, self.hooks.pace_s)
            if not stop.is_set():
                self.site.advance()
        while not (stop.is_set() or self._left_s() <= 0):
            newest = await self._newest(await self.heads.step())
            if newest is not None:
                return newest
            if self.heads.is_lost:
                await self._follow()
            await self._wait(stop, min(self.site.network.block_time_s / 4, _POLL_S_MAX))
        return None

    async def _newest(self, batch: tuple[Change, ...]) -> Block | None:
        """Take note of a batch; return its newest block if that is the head: what is older is history."""
        rolled_back = [change.number for change in batch if isinstance(change, RolledBack)]
        if rolled_back:
            self.hooks.rolled_back(min(rolled_back))
        added = [change.block for change in batch if isinstance(change, Added)]
        if not added:
            return None
        if self.hooks.block is not None:
            for block in added:
                await self.hooks.block(block)
        newest = added[-1]
        self.safety.saw_block(base_fee_wei=newest.base_fee_wei, reorg_depth=len(rolled_back))
        return newest if newest.number >= self.heads.head else None

    async def _look(self, block: Block) -> None:
        event = block_event(block, world=self._world)
        for subject in self.desk.session.desk.subjects:
            await self._decide(subject, lambda: event)

    async def _look_by_hand(self) -> None:
        for subject in self.desk.session.desk.subjects:
            await self._decide(subject, self.desk.session.by_hand)

    async def _decide(self, subject: str, event: Callable[[], Any]) -> None:
        """Let one strategy look and act. What can not be known just now is no decision."""
        session, could = self.desk.session, True
        try:
            intent: Intent | None = session.look(subject, event()).decision.intent
            if intent is not None:
                await session.act(intent)
        except (Unavailable, Halted, Divergence) as error:
            self._skipped += 1
            self.hooks.trouble(error)
            could = False
        self.desk.measures.looked(subject, could=could)

    async def _follow(self) -> None:
        await self.desk.session.tick()
        try:
            await self.desk.session.street.follow()
            if self.desk.judge is not None:
                await self.desk.judge.go_on()
        except (Unavailable, Divergence) as error:
            self.hooks.trouble(error)  # whoever is halted by it stands in the journal

    async def _settle(self, stop: asyncio.Event) -> None:
        """Give what was sent some blocks to land; what has not by then stays open."""
        for _ in range(_BLOCKS_TO_SETTLE):
            await self._follow()
            if not self.desk.session.street.open_runs:
                return
            if self.site.advance is not None:
                self.site.advance()
                await self.heads.step()
            elif await self._wait(stop, self.site.network.block_time_s):
                return

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            try:
                self.safety.beat()
                await take_notes(
                    self.safety.stops.folder,
                    breakers=self.safety.breakers,
                    halts=self.desk.session.street.halts,
                    keys=() if self.desk.sender is None else (self.desk.sender,),
                )
                await self.pools.take_notes(self.safety.stops.folder)
                await self.desk.session.street.take_back()
            except TidegateError as error:
                self.hooks.trouble(error)  # a breaker that can not be written has tripped all the same

    async def _wait(self, stop: asyncio.Event, seconds: float) -> bool:
        """Wait so long, or until the run is asked to stop; say whether it was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(seconds, self._left_s()))):
                await stop.wait()
        return stop.is_set()

    def _left_s(self) -> float:
        if self.until.seconds is None:
            return float("inf")
        return self.until.seconds - (time.monotonic() - self._started_s)

    def _begin(self) -> None:
        session = self.desk.session
        body = {
            "run": {
                "version": __version__,
                "desk": session.desk.name,
                "chain": self.site.name,
                "chain_id": self.site.network.chain_id,
                "account": self.site.account,
                "strategies": {one.strategy.name: one.strategy.digest for one in self.site.assignments},
            },
            "stage": self.stage.value,
        }
        record = session.journal.append(RecordKind.SESSION, body, actor="run")
        for attempt in session.journal.unsettled(since_ms=record.at_ms - _WEEK_MS):
            self.progress.expect(attempt.intent_id, attempt.subject)
        self.progress.seq = record.seq
        self.desk.measures.recall(record.at_ms)
        self._world = f"world {record.seq}" if self.site.is_new else ""

    def _catch_up(self) -> None:
        records = list(self.desk.session.journal.records(after=self.progress.seq))
        self.progress.take(records)
        try:
            self.desk.measures.take(records)
        except TidegateError as error:
            self.hooks.trouble(error)  # what can not be measured stops nothing
        self.hooks.watch(self.progress)

    def _end(self, ended: str) -> dict[str, Any]:
        self._catch_up()
        journal = self.desk.session.journal
        summary = {
            "stage": self.stage.value,
            "chain": self.site.name,
            "ended": ended,
            **self.progress.summary(),
            "blocks": self._blocks,
            "skipped": self._skipped,
            "open": len(self.desk.session.street.open_runs),
            "causes": list(self.progress.causes.values()),
        }
        journal.append(RecordKind.SUMMARY, summary, actor="run")
        with suppress(Unavailable):
            self.heads.acknowledge()
        journal.flush()
        return summary
