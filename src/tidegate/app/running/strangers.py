"""Strangers at the door: transactions that call an executor's callbacks themselves, as only a lender may.

A lender calls back from inside a run; whoever sends a transaction to a callback tries what robbed others. It
reverts and leaves no log, so that blocks are read for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidegate.chain import octets, selector
from tidegate.chain.rpc import Keep, Priority, RpcPool
from tidegate.desks.atomic import DeskMeasures
from tidegate.model import Address

CALLBACKS = frozenset(
    selector(one)
    for one in (
        "executeOperation(address,uint256,uint256,address,bytes)",
        "onFlashLoan(address,address,uint256,uint256,bytes)",
        "uniswapV3FlashCallback(uint256,uint256,bytes)",
        "onMorphoFlashLoan(uint256,bytes)",
        "receiveFlashLoan(address[],uint256[],uint256[],bytes)",
    )
)
BLOCKS_MAX = 16
"""How many blocks are read again after a pause; older ones are history."""


class StrangersWatch:
    """Reads each block once, and tells the desk's measures who knocked.

    Parameters
    ----------
    executors
        The executors of the desk's strategies.
    """

    def __init__(self, pool: RpcPool, executors: Sequence[Address], measures: DeskMeasures) -> None:
        self._pool, self._measures = pool, measures
        self._executors = frozenset(one.lower() for one in executors)
        self._seen = 0

    async def saw(self, head: int) -> None:
        """Read the blocks that are new.

        Raises
        ------
        Unavailable
            If the chain does not answer; the next block tries again.
        """
        reads = self._pool.reads(self._pool.policy_for_value, Priority.CONFIRM, Keep.NOTHING)
        for number in range(max(self._seen or head - 1, head - BLOCKS_MAX) + 1, head + 1):
            block = await reads.request("eth_getBlockByNumber", hex(number), True)
            found: dict[Address, list[str]] = {}
            for transaction in callbacks(block["transactions"], self._executors):
                receipt = await reads.receipt(octets(transaction["hash"]))
                if receipt is not None and receipt.status == 0:
                    executor = Address(transaction["to"].lower())
                    found.setdefault(executor, []).append(f"{transaction['from']} in {transaction['hash']}")
            self._measures.knocked(number, found)
            self._seen = number


def callbacks(
    transactions: Sequence[Mapping[str, Any]], executors: frozenset[str]
) -> Iterator[Mapping[str, Any]]:
    """Yield the transactions, as a node tells them, that go to a callback of one of ``executors``."""
    for one in transactions:
        if (one.get("to") or "").lower() in executors and octets(one["input"])[:4] in CALLBACKS:
            yield one
