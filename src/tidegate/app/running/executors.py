"""While a desk runs: its executors looked at now and then, what is new journaled, measured and told.

An event of administration that no plan file announced, or events that differ from what the executor says of
itself, are the inputs of alerts. They stop nothing by themselves: guardians have the delay to cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tidegate.app.deploying.announced import Announcements
from tidegate.app.deploying.observing import measure, observe
from tidegate.app.deploying.reading import ExecutorLogs, read_executor
from tidegate.chain.rpc import RpcPool
from tidegate.ledger import Journal
from tidegate.model import Clock, Divergence, Recorder
from tidegate.venues import AddressBook

ACTOR = "executors"


class ExecutorWatch:
    """Looks at the executors of one chain every so many blocks.

    Parameters
    ----------
    chain
        The chain's name in the configuration: plan files are announced under it.
    names
        The executors, by their names in ``book``.
    every_blocks
        Blocks between two looks; the first is at once.
    """

    def __init__(
        self,
        pool: RpcPool,
        book: AddressBook,
        names: Sequence[str],
        *,
        chain: str,
        home: Path,
        journal: Journal,
        clock: Clock,
        recorder: Recorder,
        every_blocks: int,
    ) -> None:
        self._pool, self._book, self._names = pool, book, tuple(names)
        self._chain, self._home = chain, home
        self._journal, self._clock, self._recorder = journal, clock, recorder
        self._every_blocks = every_blocks
        self._next = 0
        self._logs = {name: ExecutorLogs(book.executor(name)) for name in self._names}

    async def saw(self, head: int) -> None:
        """Look, if it is time to.

        Raises
        ------
        Unavailable
            If the chain does not answer; the next block tries again.
        Divergence
            ``executor_differs``, after it was written down, if events and views differ.
        """
        if head < self._next:
            return
        for name in self._names:
            await self._look(name)
        self._next = head + self._every_blocks

    async def _look(self, name: str) -> None:
        reading = await read_executor(self._pool, self._book.executor(name), self._logs[name])
        seen = observe(
            reading,
            self._journal,
            chain_id=self._book.chain_id,
            announced=Announcements(self._home, self._chain, name).ids(),
            now_ms=self._clock.now_ms(),
        )
        for body in seen.bodies:
            self._journal.append(body.KIND, body, actor=ACTOR)
        measure(reading, seen, self._chain, self._recorder)
        if reading.differences and seen.is_new:
            raise Divergence(
                f"{name}'s events and what it says of itself differ",
                code="executor_differs",
                found="; ".join(reading.differences),
                fix=f"tidegate verify executor {name} --chain {self._chain}, by other endpoints",
            )
