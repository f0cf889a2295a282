"""What the street asks of a chain: the head, one simulation, and why a transaction failed.

Sending and following are the sender's (``chain.SendingChain``).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from tidegate.model import Address, Block, Log, Plan


class Rehearsal(msgspec.Struct, frozen=True):
    """The transaction's own bytes, run on top of ``block_number`` without being sent.

    ``gas_used`` is what would be paid for; ``gas_needed`` the smallest limit under which it succeeds,
    which is more where storage is freed, because refunds come after the fact. ``output`` is the
    return data, or the revert data if it did not succeed; ``probe_output`` that of the probe, run in
    a block of its own on the same state.
    """

    block_number: int
    succeeded: bool
    gas_used: int
    gas_needed: int
    logs: tuple[Log, ...]
    output: bytes
    probe_output: bytes = b""


class ChainPort(Protocol):
    """A chain as the street sees it. Every call has a deadline and raises as ``chain/`` does."""

    async def block(self) -> Block:
        """Return the newest block."""
        ...

    async def simulate(self, plan: Plan, *, sender: Address, probe_data: bytes = b"") -> Rehearsal:
        """Run the plan's bytes on the newest block, and beside it ``probe_data`` to the same target.

        Raises
        ------
        Rejected
            If no block could hold the transaction: funds, fee.
        """
        ...

    async def data_fee_wei(self, plan: Plan, *, sender: Address) -> int:
        """Return what the parent chain takes for the plan's data, on top of its gas; 0 where it takes none.

        Raises
        ------
        Denied
            ``l1_fee_unknown`` if that can not be read.
        """
        ...

    async def failure_data(self, transaction_hash: bytes) -> bytes:
        """Return the revert data of an included transaction that failed."""
        ...
