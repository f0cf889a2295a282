"""Run a proposal on a fork before anyone signs it."""

from __future__ import annotations

import msgspec

from tidegate.chain import encode_call
from tidegate.custody.multisig.proposal import Proposal
from tidegate.custody.multisig.state import SafeState
from tidegate.model import Address, Log
from tidegate.sim import ExactWorld, WorldReverted
from tidegate.venues.safe import approved_hash_signatures, encode_execution

_GAS_WEI = 10**20
"""What those who act on the fork are given there."""


class SafeSimulation(msgspec.Struct, frozen=True, kw_only=True):
    """What the execution did on a fork of ``at_block``. ``why`` is the decoded revert, if it failed."""

    at_block: int
    succeeded: bool
    gas_used: int
    logs: tuple[Log, ...]
    why: str = ""


def simulate_proposal(world: ExactWorld, proposal: Proposal, state: SafeState) -> SafeSimulation:
    """Execute the proposal on ``world`` (a fork), with as many owners agreeing as the Safe demands.

    The owners agree by approving the hash on the fork, so no key is needed; the Safe's own bytecode
    decides, at the nonce that the proposal names.
    """
    head = world.block()
    if proposal.transaction.nonce != state.nonce:
        return SafeSimulation(
            at_block=head.number,
            succeeded=False,
            gas_used=0,
            logs=(),
            why=f"it is for nonce {proposal.transaction.nonce}, and the Safe's next is {state.nonce}",
        )
    agreeing = state.owners[: state.threshold]
    approve = encode_call("approveHash(bytes32)", proposal.hash)
    for owner in agreeing:
        world.set_balance(owner, _GAS_WEI)
        world.transact(state.safe, approve, sender=owner)
    data = encode_execution(proposal.transaction, approved_hash_signatures(agreeing))
    try:
        receipt = world.transact(state.safe, data, sender=agreeing[0])
    except WorldReverted as error:
        return SafeSimulation(
            at_block=head.number, succeeded=False, gas_used=0, logs=(), why=_why(world, proposal, error)
        )
    return SafeSimulation(at_block=head.number, succeeded=True, gas_used=receipt.gas_used, logs=receipt.logs)


def _why(world: ExactWorld, proposal: Proposal, error: WorldReverted) -> str:
    """Return the Safe's code, and where it says only that the call failed, what the first call says."""
    said = str(error.revert)
    for call in proposal.transaction.calls:
        try:
            world.call(call.to, call.data, sender=Address(proposal.transaction.safe), value=call.value_wei)
        except WorldReverted as inner:
            return f"{said}: {call.to} says {inner.revert}"
    return said
