"""A consumer in a process of its own, with a durable book, that kills itself at a given write.

``python -m tests.chain.heads.consumer URL LEDGER BOOK AT``. At write number AT it is killed after the cursor
was written and before the batch was taken; with AT below 0 it runs until nothing is new.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from tidegate.chain import devnet_network
from tidegate.chain.heads import Added, Change, HeadFollower, JournalCursors, NodeBlocks, RolledBack
from tidegate.chain.rpc import Endpoint, Keep, Priority, RpcPool
from tidegate.ledger import Journal
from tidegate.model import SystemClock


class KillingCursors(JournalCursors):
    left = -1

    def append(self, cursor) -> None:
        super().append(cursor)
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def entry_of(change: Change, chain_id: int) -> dict[str, list[str]]:
    match change:
        case Added(_, logs):
            return {"add": [f"{log.block_hash.hex()}:{log.index}" for log in logs]}
        case RolledBack(_, _, keys):
            return {"take": [f"{key.block_hash.hex()}:{key.log_index}" for key in keys]}
        case _:
            return {"add": []}


def write(book: Path, entries: list[dict[str, list[str]]]) -> None:
    with book.open("a") as stream:
        stream.writelines(json.dumps(entry) + "\n" for entry in entries)


async def main(url: str, ledger: str, book: str, at: int) -> None:
    network = devnet_network(31_337, block_time_s=1)
    with Journal.open(Path(ledger), clock=SystemClock()) as journal:
        cursors = KillingCursors(journal, network.chain_id)
        cursors.left = at
        async with RpcPool(network, [Endpoint("node", url, timeout_s=60)], deadline_s=60) as pool:
            reads = pool.reads(priority=Priority.CONFIRM, keep=Keep.NOTHING)
            following = HeadFollower(NodeBlocks(reads), cursors, network, start_block=0, span_max=40)
            while batch := await following.step():
                write(Path(book), [entry_of(change, network.chain_id) for change in batch])
            following.acknowledge()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
