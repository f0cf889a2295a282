"""Recording a tape: at each block the desk looks, plans and runs as it would later, and sends nothing.

A recorder looks more often than a backtest will: without cooldown, at every block, and what was planned
lately runs again on each new block, because a backtest may fill it there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import TypeAlias

import msgspec

from tidegate.app.backtest.run import LATENCY_MAX_BLOCKS, About
from tidegate.app.paper import PaperMarket, prepare_market
from tidegate.app.runtime import BLOCK_TIME_S, Job, devnet_ground
from tidegate.chain import devnet_network
from tidegate.chain.rpc import Endpoint, RpcPool
from tidegate.desks.atomic import Assignment, AtomicDesk, Event, Situation
from tidegate.model import Block, Denied, Divergence, Plan, Rejected
from tidegate.pipeline import NodeChain, Rehearsal
from tidegate.sim import Measured, Tape, TapeRecorder, WorldReverted
from tidegate.venues import StateView, glossary_of
from tidegate.venues.executor import ExecutorReader

RehearseAt: TypeAlias = Callable[[Plan, Block], Awaitable[Rehearsal]]
"""Runs a plan's own bytes in the exact world on top of a block."""

Watch: TypeAlias = Callable[[int], None]
"""Told how many blocks are recorded."""


class DeskRecorder:
    """Records what the atomic desk reads of one node.

    Parameters
    ----------
    url
        The node's; one of this machine. Never shown.
    rehearse
        Where gas is measured.
    texts
        The text of each strategy file by the strategy's name, for the tape.
    source
        Where the blocks come from, in words.
    """

    def __init__(
        self,
        url: str,
        assignments: tuple[Assignment, ...],
        *,
        rehearse: RehearseAt,
        block_time_s: int,
        texts: Mapping[str, str],
        source: str,
    ) -> None:
        self._tape = TapeRecorder(url, block_time_s=block_time_s)
        self._rehearse = rehearse
        self._book, self._operator = assignments[0].book, assignments[0].operator
        self._texts, self._source = dict(sorted(texts.items())), source
        self._block: Block | None = None
        self._measured: dict[str, Measured] = {}
        self._recent: deque[tuple[int, Plan]] = deque()
        self._desk = AtomicDesk(
            assignments,
            state_at=self._state_at,
            rehearse=self._rehearsed,
            reader=ExecutorReader(
                treasury=self._book.entry("treasury").address,
                weth=self._book.entry("weth.weth9").address,
                glossary=glossary_of(self._book),
            ),
            blinds_hashes={},
        )

    @property
    def newest(self) -> Block | None:
        """Return the newest block on the tape."""
        return self._tape.newest

    async def add(self, block: Block) -> None:
        """Put the next block on the tape, with all that the desk reads of it.

        Raises
        ------
        Divergence
            ``tape_gap`` if blocks are missing in between.
        Unavailable
            If the node does not answer; the tape is as before.
        """
        self._block = block
        self._measured.clear()
        for subject in self._desk.subjects:
            await self._look(subject, block)
        while self._recent and self._recent[0][0] < block.number - LATENCY_MAX_BLOCKS:
            self._recent.popleft()
        for _, plan in self._recent:
            await self._fill(plan, block)
        self._tape.add(block, self._measured.values())

    def forget_from(self, number: int) -> None:
        """Take the block ``number`` and all later ones off the tape again: a reorg rolled them back."""
        self._tape.forget_from(number)

    def tape(self) -> Tape:
        """Return the tape as it stands."""
        about = About(
            book=self._book.as_mapping(),
            operator=self._operator,
            strategies=self._texts,
            source=self._source,
        )
        return self._tape.tape(msgspec.to_builtins(about))

    def close(self) -> None:
        """Close the connections."""
        self._tape.close()

    async def _look(self, subject: str, block: Block) -> None:
        event = Event(id=f"recorded {block.number} {subject}", kind="manual")
        intent = self._desk.look(subject, event, Situation()).decision.intent
        if intent is None:
            return
        with suppress(Denied, Rejected):  # whatever was read on the way is on the tape
            plan = await self._desk.plan(intent)
            await self._desk.guards_before(plan)
            self._recent.append((block.number, plan))

    async def _fill(self, plan: Plan, block: Block) -> None:
        """Read whatever a simulation on this block, and a fill at its end, would read."""
        world = self._tape.at(block)
        with suppress(WorldReverted):  # a probe always reverts, with what it found
            world.call(plan.to, self._desk.reader.probe_data(plan), sender=self._operator)
        with suppress(WorldReverted), world.snapshot():
            world.transact(plan.to, plan.data, sender=self._operator, gas_limit=plan.gas_limit)
        with suppress(WorldReverted, Denied, Divergence):
            receipt = world.run_last(plan.to, plan.data, sender=self._operator, gas_limit=plan.gas_limit)
            await self._desk.guards_after(plan, receipt)

    def _state_at(self, block: int | None) -> StateView:
        assert self._block is not None
        if block in (None, self._block.number):
            return self._tape.at(self._block)
        assert block == self._block.number - 1, "a guard after inclusion looks one block back, and no further"
        return self._tape.at(block)

    async def _rehearsed(self, plan: Plan) -> Rehearsal:
        assert self._block is not None
        rehearsal = await self._rehearse(plan, self._block)
        if rehearsal.succeeded:
            subject = str(plan.notes["strategy"])
            self._measured[subject] = Measured(subject, rehearsal.gas_used, rehearsal.gas_needed)
        return rehearsal


async def record_market(
    jobs: Sequence[Job], texts: Mapping[str, str], market: PaperMarket, blocks: int, watch: Watch
) -> Tape:
    """Record ``blocks`` blocks of a devnet whose market moves by a seed and on which nobody of ours acts.

    Raises
    ------
    Unavailable
        If anvil or the canonical contracts are not installed.
    """
    with devnet_ground(jobs) as ground:
        simulator, crowd = prepare_market(ground, market)
        ground.world.set_mining("manual")
        source = f"devnet, market seed {market.seed} after {market.moves} blocks"
        network = devnet_network(ground.devnet.chain_id, block_time_s=BLOCK_TIME_S)
        async with RpcPool(network, [Endpoint("node", ground.world.url)]) as pool:
            chain, operator = NodeChain(pool.reads()), ground.assignments[0].operator

            async def rehearse(plan: Plan, block: Block) -> Rehearsal:
                return await chain.simulate(plan, sender=operator, at=block)

            recorder = DeskRecorder(
                ground.world.url,
                ground.assignments,
                rehearse=rehearse,
                block_time_s=BLOCK_TIME_S,
                texts=texts,
                source=source,
            )
            with closing(recorder):
                for done in range(blocks):
                    await recorder.add(crowd.advance(simulator))
                    watch(done + 1)
                return recorder.tape()
