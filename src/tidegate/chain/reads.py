"""The reads of a chain, typed, over one abstract request."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidegate.chain.jsonrpc import RangeTooWide
from tidegate.chain.mined import Header
from tidegate.chain.simulated import SimulatedBlock, SimulatedCall, simulate_parameter, simulated_block_of
from tidegate.chain.wire import (
    BlockReference,
    block_of,
    block_parameter,
    call_parameter,
    header_of,
    hex_data,
    integer,
    logs_of,
    octets,
    quantity,
    receipt_of,
)
from tidegate.model import ZERO_ADDRESS, Address, Block, Divergence, Log, Receipt, TidegateError, Unavailable

LOGS_SPAN_MAX = 2_000
"""How many blocks one ``eth_getLogs`` asks for until an endpoint finds that too wide."""


class FeeHistory(msgspec.Struct, frozen=True):
    """``eth_feeHistory``: base fees oldest first, one more than blocks (the last is the next block's)."""

    oldest_block: int
    base_fees_wei: tuple[int, ...]
    gas_used_ratios: tuple[float, ...]
    rewards_wei: tuple[tuple[int, ...], ...]

    @property
    def next_base_fee_wei(self) -> int:
        """Return the base fee of the block after the newest."""
        return self.base_fees_wei[-1]


class ChainReads(ABC):
    """Typed reads of one chain. Whoever needs a chain takes this, never a URL.

    A read raises ``Unavailable`` if nothing answers in time or has the state, ``Rejected`` if the node
    refuses for good (``CallReverted`` for a call that reverts) and ``Divergence`` if the answer is
    nonsense. Every read has a deadline.

    Parameters
    ----------
    chain_id
        The chain that is read.
    name
        What errors call it. Never a URL.
    """

    def __init__(self, chain_id: int, *, name: str) -> None:
        self.chain_id = chain_id
        self.name = name

    @abstractmethod
    async def request(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        """Return the raw result of any read, within its deadline."""

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the raw results of many reads, in order. An item may be its error."""
        results = await asyncio.gather(
            *(self.request(method, *params) for method, params in calls), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, TidegateError):
                raise result
        return results

    @property
    def logs_span(self) -> int:
        """Return how many blocks one ``eth_getLogs`` may ask for just now."""
        return LOGS_SPAN_MAX

    async def block(self, reference: BlockReference = "latest") -> Block:
        """Return a block's environment. Raises ``Unavailable`` if the node does not have the block."""
        return block_of(await self._header(reference))

    async def header(self, reference: BlockReference = "latest") -> Header:
        """Return a block's environment and its place in the chain; raises as ``block`` does."""
        return header_of(await self._header(reference))

    async def _header(self, reference: BlockReference) -> Any:
        if isinstance(reference, bytes):
            found = await self.request("eth_getBlockByHash", hex_data(reference), False)
        else:
            found = await self.request("eth_getBlockByNumber", block_parameter(reference), False)
        if found is None:
            shown = hex_data(reference) if isinstance(reference, bytes) else str(reference)
            raise Unavailable(f"{self.name} has no such block", code="block_missing", found=shown)
        return found

    async def call(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address = ZERO_ADDRESS,
        value: int = 0,
        block: BlockReference = "latest",
    ) -> bytes:
        """Return what a call returns at ``block``. Raises ``CallReverted`` with the revert data."""
        parameter = call_parameter(sender=sender, to=to, payload=data, value=value)
        return octets(await self.request("eth_call", parameter, block_parameter(block)))

    async def balance(self, account: Address, block: BlockReference = "latest") -> int:
        """Return a balance in wei."""
        return integer(await self.request("eth_getBalance", account, block_parameter(block)))

    async def nonce(self, account: Address, block: BlockReference = "latest") -> int:
        """Return an account's transaction count; with ``"pending"`` what waits counts too."""
        return integer(await self.request("eth_getTransactionCount", account, block_parameter(block)))

    async def code(self, account: Address, block: BlockReference = "latest") -> bytes:
        """Return an account's runtime code."""
        return octets(await self.request("eth_getCode", account, block_parameter(block)))

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return a transaction's receipt, or none while no block holds it."""
        found = await self.request("eth_getTransactionReceipt", hex_data(transaction_hash))
        return None if found is None else receipt_of(found)

    async def knows(self, transaction_hash: bytes) -> bool:
        """Say whether the node holds a transaction, waiting or in a block."""
        return await self.request("eth_getTransactionByHash", hex_data(transaction_hash)) is not None

    async def failure_data(self, transaction_hash: bytes) -> bytes:
        """Return the revert data of a transaction that a block holds and that failed.

        Raises
        ------
        Rejected, Unavailable
            If the node does not trace transactions.
        """
        trace = await self.request(
            "debug_traceTransaction",
            hex_data(transaction_hash),
            {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}},
        )
        if not isinstance(trace, dict):
            raise Divergence("the node's trace is not one", found=repr(trace))
        return octets(trace.get("output") or "0x")

    async def logs(
        self,
        *,
        from_block: int,
        to_block: int,
        account: Address | Sequence[Address] | None = None,
        topics: Sequence[bytes | None] = (),
    ) -> tuple[Log, ...]:
        """Return the logs of blocks ``from_block`` to ``to_block``, both included, oldest first.

        A span that is too wide is halved until one block is left; that one is then refused.
        """
        found: list[Log] = []
        start, span = from_block, self.logs_span
        while start <= to_block:
            end = min(start + span - 1, to_block)
            parts: dict[str, Any] = {
                "fromBlock": quantity(start),
                "toBlock": quantity(end),
                "topics": [None if topic is None else hex_data(topic) for topic in topics],
            }
            if account is not None:
                parts["address"] = account
            try:
                found.extend(logs_of(await self.request("eth_getLogs", parts)))
            except RangeTooWide:
                if start == end:
                    raise
                span = (end - start + 1) // 2
                continue
            start = end + 1
        return tuple(found)

    async def block_logs(self, block_hash: bytes) -> tuple[Log, ...]:
        """Return all logs of the block with this hash, and of no other that may replace it."""
        return logs_of(await self.request("eth_getLogs", {"blockHash": hex_data(block_hash)}))

    async def simulate(
        self,
        calls: Sequence[SimulatedCall],
        base: Block,
        *,
        timestamp: int | None = None,
        base_fee_wei: int | None = None,
        coinbase: Address | None = None,
        balances_wei: Mapping[Address, int] | None = None,
        validate: bool = False,
    ) -> SimulatedBlock:
        """Run ``calls`` in one block on top of ``base``, each a transaction of its own, and undo it.

        Parameters
        ----------
        base
            The block whose state is used, pinned by its hash.
        timestamp, base_fee_wei, coinbase
            The simulated block's; one second after the base and the base's own fee by default.
        balances_wei
            Balances to give before the calls.
        validate
            Check nonces, fees and funds as a block would. Only then does ``BASEFEE`` read the base fee.

        Raises
        ------
        Rejected
            If a call can not be part of a block at all (funds, fee, nonce).
        """
        parameter = simulate_parameter(
            calls,
            number=base.number + 1,
            timestamp=base.timestamp + 1 if timestamp is None else timestamp,
            base_fee_wei=base.base_fee_wei if base_fee_wei is None else base_fee_wei,
            coinbase=coinbase,
            balances_wei=balances_wei or {},
            validate=validate,
        )
        answer = await self.request("eth_simulateV1", parameter, block_parameter(base.hash or base.number))
        return simulated_block_of(answer, len(calls))

    async def estimate_gas(self, call: SimulatedCall, base: Block) -> int:
        """Return the smallest gas limit under which ``call`` succeeds on top of ``base``, by the node.

        Raises
        ------
        CallReverted
            If it succeeds under none.
        """
        parameter = call_parameter(
            sender=call.sender,
            to=call.to,
            payload=call.data,
            value=call.value_wei,
            gas_limit=None,
            max_fee_wei=call.max_fee_wei,
        )
        return integer(
            await self.request("eth_estimateGas", parameter, block_parameter(base.hash or base.number))
        )

    async def fee_history(self, blocks: int = 20, percentiles: Sequence[float] = (60,)) -> FeeHistory:
        """Return base fees and priority fees by percentile of the newest ``blocks``."""
        found = await self.request("eth_feeHistory", quantity(blocks), "latest", list(percentiles))
        try:
            return FeeHistory(
                oldest_block=integer(found["oldestBlock"]),
                base_fees_wei=tuple(integer(fee) for fee in found["baseFeePerGas"]),
                gas_used_ratios=tuple(float(ratio) for ratio in found["gasUsedRatio"]),
                rewards_wei=tuple(tuple(integer(fee) for fee in row) for row in found.get("reward") or ()),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Divergence("the node's fee history is not one", found=repr(error)) from error
