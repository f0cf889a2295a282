"""What the street asks of a chain: a few reads pinned to a block, one simulation, one send."""

from __future__ import annotations

from typing import Protocol

import msgspec

from tidegate.model import Address, Block, Log, Plan, Receipt


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

    async def nonce(self, account: Address) -> int:
        """Return how many transactions of the account are included."""
        ...

    async def simulate(self, plan: Plan, *, sender: Address, probe_data: bytes = b"") -> Rehearsal:
        """Run the plan's bytes on the newest block, and beside it ``probe_data`` to the same target.

        Raises
        ------
        Rejected
            If no block could hold the transaction: funds, fee.
        """
        ...

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand signed bytes to the node and return the hash.

        Raises
        ------
        Rejected
            The node refused them for good.
        Ambiguous
            It is unknown whether the node has them.
        """
        ...

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt if the transaction is included."""
        ...

    async def knows(self, transaction_hash: bytes) -> bool:
        """Say whether the node holds the transaction, pending or included."""
        ...

    async def failure_data(self, transaction_hash: bytes) -> bytes:
        """Return the revert data of an included transaction that failed."""
        ...
