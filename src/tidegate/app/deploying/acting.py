"""Ask something of an executor: by a key of this machine where it may, else by a proposal for the Safe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tidegate.chain import SimulatedCall, hex_data
from tidegate.chain.rpc import Keep, Priority, RpcPool
from tidegate.custody.multisig import Proposal, pack_transaction, read_safe
from tidegate.custody.ports import KeyHandle
from tidegate.custody.transactions import encode_unsigned, sign
from tidegate.model import (
    Address,
    Ambiguous,
    Denied,
    Reason,
    Receipt,
    Unavailable,
    UnsignedTransaction,
    mul_div_up,
)
from tidegate.venues.executor import ExecutorState, Role
from tidegate.venues.safe import SafeCall

_LOOK_AGAIN_S = 0.1
_WAIT_S = 180.0
_BPS = 10_000


@dataclass(frozen=True, slots=True)
class Actor:
    """A key of this machine and what it may do: it must hold ``role`` on the executor."""

    key: KeyHandle
    role: Role

    def demand(self, state: ExecutorState) -> None:
        """Demand that the key holds its role.

        Raises
        ------
        Denied
            ``role_missing`` if it does not.
        """
        held = state.roles.get(self.key.address)
        if held is not self.role:
            raise Denied(
                Reason.ROLE_MISSING,
                f"{self.key.address} is no {self.role.name.lower()} of {state.executor}",
                found="no role" if held is None else held.name.lower(),
                allowed=", ".join(state.holders(self.role)) or f"nobody is {self.role.name.lower()}",
                fix="name the right key, or write a proposal for the Safe with --safe FILE",
            )


async def by_key(
    pool: RpcPool, state: ExecutorState, actor: Actor, calls: Sequence[bytes]
) -> tuple[Receipt, ...]:
    """Send ``calls`` to the executor, one transaction each, and wait for every receipt.

    Each is estimated first, so that what would revert is not sent. All of them are safe to repeat.

    Raises
    ------
    Denied
        ``role_missing`` if the key may not.
    CallReverted
        If the executor refuses.
    Ambiguous
        If no block holds it yet: asking again is safe.
    """
    actor.demand(state)
    return tuple([await _send(pool, state.executor, actor.key, data) for data in calls])


async def by_safe(
    pool: RpcPool, safe: Address, calls: Sequence[SafeCall], *, reason: str, after: int = 0
) -> Proposal:
    """Return a proposal by which the Safe makes all ``calls`` or none, at its next nonce plus ``after``."""
    reads = pool.reads(pool.policy_for_value, keep=Keep.NOTHING)
    state = await read_safe(reads, safe)
    transaction = pack_transaction(
        calls, safe=safe, chain_id=pool.network.chain_id, nonce=state.nonce + after
    )
    return Proposal(transaction=transaction, reason=reason)


async def _send(pool: RpcPool, to: Address, key: KeyHandle, data: bytes) -> Receipt:
    reads = pool.reads(pool.policy_for_value, Priority.SEND, Keep.NOTHING)
    who, network = key.address, pool.network
    gas = await reads.estimate_gas(SimulatedCall(sender=who, to=to, data=data), await reads.block())
    fees = await reads.fee_history()
    tip = min(fees.rewards_wei[-1][0] if fees.rewards_wei else 0, network.priority_cap_wei)
    unsigned = UnsignedTransaction(
        chain_id=network.chain_id,
        nonce=await reads.nonce(who, "pending"),
        to=to,
        data=data,
        value_wei=0,
        gas_limit=mul_div_up(gas, network.gas_margin_bps, _BPS),
        max_fee_wei=min(3 * fees.next_base_fee_wei + tip, network.fee_cap_wei),
        max_priority_fee_wei=tip,
    )
    signed = sign(encode_unsigned(unsigned), key)
    with suppress(Ambiguous):  # the receipt decides below
        await pool.send_raw(signed.raw)
    try:
        async with asyncio.timeout(_WAIT_S):
            while True:
                with suppress(Unavailable):
                    receipt = await reads.receipt(signed.hash)
                    if receipt is not None:
                        return receipt
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError as error:
        raise Ambiguous(
            "no block holds the transaction yet",
            found=f"{hex_data(signed.hash)} after {_WAIT_S:.0f} s",
            fix="the same command is safe to repeat",
        ) from error
