"""The street's chain over typed reads: the same calls for our own node and a live one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec

from tidegate.chain import (
    BlockReference,
    ChainReads,
    FeeHistory,
    Network,
    SimulatedCall,
    SimulatedResult,
    data_fee_wei,
)
from tidegate.chain.heads import Header
from tidegate.model import Address, Block, Plan, Receipt, TidegateError, UnsignedTransaction
from tidegate.pipeline.chain import Rehearsal

SendRaw: TypeAlias = Callable[[bytes], Awaitable[bytes]]
"""Hands signed bytes to a chain: ``RpcPool.send_raw``, on a route."""
_TIMES_KEPT = 256


class NodeChain:
    """``ChainPort`` and ``chain.SendingChain`` over ``ChainReads`` and whatever sends bytes.

    Parameters
    ----------
    reads
        How the chain is read.
    send_raw
        What hands signed bytes over. A chain without it is for stages that send nothing.
    network
        What is particular about the chain; without it no data fee is read.
    """

    def __init__(
        self, reads: ChainReads, send_raw: SendRaw | None = None, network: Network | None = None
    ) -> None:
        self._reads = reads
        self._send_raw = send_raw
        self._network = network
        self._times_s: dict[bytes, int] = {}

    async def block(self, reference: BlockReference | None = None) -> Block:
        """Return the newest block, or another."""
        if reference is not None:
            return await self._reads.block(reference)
        head = await self._reads.header()
        self._remember(head)
        return head

    async def nonce(self, account: Address, block: BlockReference = "latest") -> int:
        """Return how many transactions of the account are included, or wait too."""
        return await self._reads.nonce(account, block)

    async def simulate(
        self, plan: Plan, *, sender: Address, probe_data: bytes = b"", at: Block | None = None
    ) -> Rehearsal:
        """Run the plan's transaction in a block on top of the newest one, and the probe in another.

        The block comes as late after its parent as that one did: a deadline that the next block will
        miss fails here and not on the chain. On top of an older block, ``at``, it comes a second later: as
        good as the last transaction in it.

        Raises
        ------
        Rejected
            If no block could hold it: the sender lacks funds, or the fee is below the base fee.
        """
        base: Block
        if at is None:
            # The nonce may be of a later block than the head: it is asked again at the head's own hash.
            head, nonce = await asyncio.gather(self._reads.header(), self._reads.nonce(sender))
            base, after_s = head, await self._next_block_after_s(head)
        else:
            base, after_s, nonce = at, 1, await self._reads.nonce(sender, at.hash)
        call = SimulatedCall(
            sender=sender,
            to=plan.to,
            data=plan.data,
            value_wei=plan.value_wei,
            gas_limit=plan.gas_limit,
            max_fee_wei=plan.max_fee_wei,
            nonce=nonce,
        )
        calls = [call]
        if probe_data:
            # The probe traces itself as it runs, so it needs more gas than the plan.
            calls.append(msgspec.structs.replace(call, data=probe_data, gas_limit=2 * plan.gas_limit))
        rehearsal, pinned = await asyncio.gather(
            self._rehearse(calls, base, after_s), self._reads.nonce(sender, base.hash), return_exceptions=True
        )
        if isinstance(pinned, BaseException):
            raise pinned
        if pinned != nonce:
            again = [msgspec.structs.replace(one, nonce=pinned) for one in calls]
            return await self._rehearse(again, base, after_s)
        if isinstance(rehearsal, BaseException):
            raise rehearsal
        return rehearsal

    async def data_fee_wei(self, plan: Plan, *, sender: Address) -> int:
        """Return what the parent chain takes for the plan's data. Raises ``Denied`` if it is unknown."""
        if self._network is None:
            return 0
        transaction = UnsignedTransaction(
            chain_id=plan.chain_id,
            nonce=await self._reads.nonce(sender),
            to=plan.to,
            data=plan.data,
            value_wei=plan.value_wei,
            gas_limit=plan.gas_limit,
            max_fee_wei=plan.max_fee_wei,
            max_priority_fee_wei=plan.max_priority_fee_wei,
        )
        return await data_fee_wei(self._reads, self._network, transaction, sender=sender)

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand signed bytes over and return the hash. Raises as what was given for it does."""
        if self._send_raw is None:
            raise TypeError("this chain was made for a stage that sends nothing")
        return await self._send_raw(raw)

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt if the transaction is included."""
        return await self._reads.receipt(transaction_hash)

    async def knows(self, transaction_hash: bytes) -> bool:
        """Say whether a node holds the transaction, pending or included."""
        return await self._reads.knows(transaction_hash)

    async def fee_history(self, blocks: int = 20, percentiles: Sequence[float] = (60,)) -> FeeHistory:
        """Return base fees, and priority fees by percentile, of the newest ``blocks``."""
        return await self._reads.fee_history(blocks, percentiles)

    async def failure_data(self, transaction_hash: bytes) -> bytes:
        """Return the revert data of an included transaction that failed, by the node's own trace."""
        return await self._reads.failure_data(transaction_hash)

    async def _run(self, call: SimulatedCall, base: Block, after_s: int) -> SimulatedResult:
        timestamp = base.timestamp + after_s
        return (await self._reads.simulate([call], base, timestamp=timestamp, validate=True)).results[0]

    async def _rehearse(self, calls: Sequence[SimulatedCall], base: Block, after_s: int) -> Rehearsal:
        """Run the plan and its probe on one state, each by itself and in one round trip."""
        runs = asyncio.gather(*(self._run(call, base, after_s) for call in calls))
        (result, *probes), estimate = await asyncio.gather(runs, self._estimate(calls[0], base))
        succeeded = result.status == 1
        if succeeded and isinstance(estimate, TidegateError):
            raise estimate
        return Rehearsal(
            block_number=base.number,
            succeeded=succeeded,
            gas_used=result.gas_used,
            gas_needed=estimate if succeeded and isinstance(estimate, int) else 0,
            logs=result.logs,
            output=result.output,
            probe_output=b"".join(probe.output for probe in probes if probe.status != 1),
        )

    async def _estimate(self, call: SimulatedCall, base: Block) -> int | TidegateError:
        """Return the smallest gas limit that suffices, or why there is none: a run that reverts has none."""
        try:
            return await self._reads.estimate_gas(call, base)
        except TidegateError as error:
            return error

    async def _next_block_after_s(self, head: Header) -> int:
        """Return how long the next block will take if it takes as long as the newest one did."""
        self._remember(head)
        if head.number == 0:
            return 1
        if head.parent_hash not in self._times_s:
            self._remember(await self._reads.header(head.parent_hash))
        return max(1, head.timestamp - self._times_s[head.parent_hash])

    def _remember(self, block: Header) -> None:
        """Remember when a block was made: its hash says so for ever."""
        self._times_s[block.hash] = block.timestamp
        if len(self._times_s) > _TIMES_KEPT:
            del self._times_s[next(iter(self._times_s))]
