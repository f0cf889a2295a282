"""Have a Safe do something: the hash its owners agree on, and the two ways they agree."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model import ZERO_ADDRESS, Address, Receipt
from tidegate.sim import World
from tidegate.venues.calls import read, send
from tidegate.venues.safe.deploy import Safe

CALL = 0
DELEGATE_CALL = 1

_TERMS = "address,uint256,bytes,uint8,uint256,uint256,uint256,address,address"


@dataclass(frozen=True, slots=True)
class SafeCall:
    """What a Safe is to do. No gas is refunded to anyone."""

    to: Address
    data: bytes = b""
    value_wei: int = 0
    operation: int = CALL

    def terms(self) -> tuple[object, ...]:
        """Return the call as the first nine arguments of ``execTransaction``."""
        refund = (0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS)
        return (self.to, self.value_wei, self.data, self.operation, *refund)


def transaction_hash(world: World, safe: Safe, call: SafeCall) -> bytes:
    """Return what the owners sign: the hash of ``call`` at the Safe's present nonce (EIP-712)."""
    nonce = read(world, safe.address, "nonce()(uint256)")
    signature = f"getTransactionHash({_TERMS},uint256)(bytes32)"
    digest: bytes = read(world, safe.address, signature, *call.terms(), nonce)
    return digest


def execute_signed(
    world: World, safe: Safe, call: SafeCall, signatures: dict[Address, bytes], *, sender: Address
) -> Receipt:
    """Execute ``call`` with 65-byte signatures (r, s, v) by owner, put in the order the Safe asks for.

    Raises
    ------
    WorldReverted
        With Safe's code: GS020 too few signatures, GS026 not an owner or wrong order, GS013 the call failed.
    """
    ordered = b"".join(signatures[owner] for owner in sorted(signatures, key=lambda owner: int(owner, 16)))
    signature = f"execTransaction({_TERMS},bytes)"
    return send(world, safe.address, signature, *call.terms(), ordered, sender=sender)


def approved_hash_signatures(owners: tuple[Address, ...]) -> dict[Address, bytes]:
    """Return the signatures that refer to hashes that ``owners`` approved on chain (v = 1)."""
    return {owner: bytes(12) + bytes.fromhex(owner[2:]) + bytes(32) + b"\x01" for owner in owners}


def approve_and_execute(world: World, safe: Safe, call: SafeCall) -> Receipt:
    """Let the first ``threshold`` owners approve ``call`` on chain, then execute it. Needs no keys."""
    digest = transaction_hash(world, safe, call)
    agreeing = safe.owners[: safe.threshold]
    for owner in agreeing:
        send(world, safe.address, "approveHash(bytes32)", digest, sender=owner)
    return execute_signed(world, safe, call, approved_hash_signatures(agreeing), sender=agreeing[0])
