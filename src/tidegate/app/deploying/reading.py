"""Read an executor from the chain: its events since its creation, and its own views at one block."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tidegate.chain import keccak256
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.model import Unavailable
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


async def read_executor(pool: RpcPool, entry: Entry) -> Reading:
    """Read an executor of the book, pinned to the newest block.

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
    since = int(entry.about.get("block", "0"))
    logs = await reads.logs(from_block=since, to_block=block.number, account=entry.address)
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
