"""The street's chain over one JSON-RPC client: the same calls for our own node and a live one."""

from __future__ import annotations

import msgspec

from tidegate.chain import ChainClient, SimulatedCall, SimulatedResult
from tidegate.model import Address, Block, Plan, Receipt
from tidegate.pipeline.chain import Rehearsal


class NodeChain:
    """``ChainPort`` over a ``ChainClient``."""

    def __init__(self, client: ChainClient) -> None:
        self._client = client

    async def block(self, number: int | None = None) -> Block:
        """Return the newest block, or the one with a number."""
        return await self._client.block("latest" if number is None else number)

    async def nonce(self, account: Address) -> int:
        """Return how many transactions of the account are included."""
        return await self._client.nonce(account)

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
        base = await self._client.block() if at is None else at
        after_s = await self._next_block_after_s(base) if at is None else 1
        call = SimulatedCall(
            sender=sender,
            to=plan.to,
            data=plan.data,
            value_wei=plan.value_wei,
            gas_limit=plan.gas_limit,
            max_fee_wei=plan.max_fee_wei,
            nonce=await self._client.nonce(sender, base.hash),
        )
        result = await self._run(call, base, after_s)
        succeeded = result.status == 1
        probe = None
        if probe_data:
            # The probe traces itself as it runs, so it needs more gas than the plan.
            probe = await self._run(
                msgspec.structs.replace(call, data=probe_data, gas_limit=2 * plan.gas_limit), base, after_s
            )
        return Rehearsal(
            block_number=base.number,
            succeeded=succeeded,
            gas_used=result.gas_used,
            gas_needed=await self._client.estimate_gas(call, base) if succeeded else 0,
            logs=result.logs,
            output=result.output,
            probe_output=b"" if probe is None or probe.status == 1 else probe.output,
        )

    async def _run(self, call: SimulatedCall, base: Block, after_s: int) -> SimulatedResult:
        timestamp = base.timestamp + after_s
        return (await self._client.simulate([call], base, timestamp=timestamp, validate=True)).results[0]

    async def _next_block_after_s(self, head: Block) -> int:
        """Return how long the next block will take if it takes as long as the newest one did."""
        if head.number == 0:
            return 1
        parent = await self._client.block(head.number - 1)
        return max(1, head.timestamp - parent.timestamp)

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand signed bytes to the node and return the hash. Raises as ``ChainClient.send_raw``."""
        return await self._client.send_raw(raw)

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt if the transaction is included."""
        return await self._client.receipt(transaction_hash)

    async def knows(self, transaction_hash: bytes) -> bool:
        """Say whether the node holds the transaction, pending or included."""
        return await self._client.knows(transaction_hash)

    async def failure_data(self, transaction_hash: bytes) -> bytes:
        """Return the revert data of an included transaction that failed, by the node's own trace."""
        return await self._client.failure_data(transaction_hash)
