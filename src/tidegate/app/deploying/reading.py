"""Read an executor from the chain: its events since its creation, and its own views at one block."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tidegate.chain import ChainReads, keccak256
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.model import Log, Unavailable
from tidegate.venues import Entry
from tidegate.venues.executor import ExecutorHistory, ExecutorState, questions, read_history, state_of


@dataclass(frozen=True, slots=True)
class Reading:
    """An executor as it was at one block.

    Attributes
    ----------
    differences
        Where events and views differ, in words: an endpoint that keeps logs back, or lies.
    time_s
        The block's time, by which etas are judged.
    """

    name: str
    state: ExecutorState
    history: ExecutorHistory
    differences: tuple[str, ...]
    code: bytes
    at_block: int
    time_s: int

    @property
    def code_hash(self) -> str:
        """Return the keccak of its code, as the book writes it."""
        return keccak256(self.code).hex()


class ExecutorLogs:
    """The logs of one executor since its creation; who looks again asks only for what may be new.

    Logs deeper than the network's deepest reorg are kept; the rest is asked for each time.
    """

    def __init__(self, entry: Entry) -> None:
        self._account = entry.address
        self._settled: tuple[Log, ...] = ()
        self._next = int(entry.about.get("block", "0"))

    async def until(self, reads: ChainReads, head: int, *, reorg_max_blocks: int) -> tuple[Log, ...]:
        """Return all logs up to ``head``, oldest first."""
        settled = head - reorg_max_blocks
        if settled >= self._next:
            self._settled += await reads.logs(from_block=self._next, to_block=settled, account=self._account)
            self._next = settled + 1
        return self._settled + await reads.logs(from_block=self._next, to_block=head, account=self._account)


async def read_executor(pool: RpcPool, entry: Entry, known: ExecutorLogs | None = None) -> Reading:
    """Read an executor of the book, pinned to the newest block.

    Parameters
    ----------
    known
        The logs of earlier looks at the same entry.

    Raises
    ------
    Unavailable
        If nothing stands there.
    """
    reads = pool.reads(pool.policy_for_value, keep=Keep.NOTHING)
    block = await reads.block()
    code = await reads.code(entry.address, block.hash)
    if not code:
        raise Unavailable(
            f"no code stands at {entry.name}",
            code="no_code",
            found=entry.address,
            fix="check the book's address, and that the endpoints serve this chain",
        )
    logs = await (known or ExecutorLogs(entry)).until(
        reads, block.number, reorg_max_blocks=pool.network.reorg_max_blocks
    )
    history = read_history(logs, entry.address)
    asked = questions(history)
    answers = await asyncio.gather(*(reads.call(entry.address, one.data, block=block.hash) for one in asked))
    state, differences = state_of(entry.address, history, asked, answers)
    return Reading(
        name=entry.name.removeprefix("executor."),
        state=state,
        history=history,
        differences=differences,
        code=code,
        at_block=block.number,
        time_s=block.timestamp,
    )
