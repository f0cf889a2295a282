"""Safes at work: read, judged, simulated on a fork, packed for emergencies, executed, followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tidegate.app.devnet import devnet_handle
from tidegate.app.places import Place
from tidegate.chain import ChainReads, NetworkKind, address, selector
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.custody.keys import KeyFile, SecpKey, read_password
from tidegate.custody.multisig import (
    Proposal,
    SafeFinding,
    SafeRules,
    SafeSimulation,
    SafeState,
    Target,
    executor_packs,
    find_execution,
    judge_proposal,
    judge_safe,
    pack_transaction,
    read_safe,
    simulate_proposal,
)
from tidegate.custody.ports import KeyHandle
from tidegate.custody.transactions import encode_unsigned, sign
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    Ambiguous,
    ConfigError,
    Divergence,
    Receipt,
    Unavailable,
    UnsignedTransaction,
)
from tidegate.sim import ExactWorld
from tidegate.venues import AddressBook
from tidegate.venues.executor import policy_in_force
from tidegate.venues.safe import encode_execution

_LOOK_AGAIN_S = 0.2
_GAS_MARGIN_BPS = 12_000

OWNER_FUNCTIONS = (
    "schedule((uint256,bytes32,uint256)[])",
    "apply((uint256,bytes32,uint256)[])",
    "cancel((uint256,bytes32,uint256)[])",
    "tighten((uint256,bytes32,uint256)[])",
    "pause()",
    "unpause()",
    "sweep(address[])",
    "sweep_nft(address,uint256)",
    "offer_ownership(address)",
)
"""What the owner of an executor may ask of it."""


def known_targets(book: AddressBook) -> frozenset[Target]:
    """Return what a Safe of ours may call: the owner's functions of every executor of the book."""
    executors = [entry.address for name, entry in book.contracts.items() if name.startswith("executor.")]
    return frozenset((executor, selector(name)) for executor in executors for name in OWNER_FUNCTIONS)


def safe_address(place: Place, given: str | None) -> Address:
    """Return the Safe that was named, by address or by name of the book; else ``safe.owner``."""
    if given is not None and given.startswith("0x"):
        return address(given)
    return place.require_book().entry(given or "safe.owner").address


async def look_at(reads: ChainReads, safe: Address) -> tuple[SafeState, tuple[SafeFinding, ...]]:
    """Read a Safe and hold it against the default rules."""
    state = await read_safe(reads, safe)
    return state, judge_safe(state, SafeRules())


async def followed(reads: ChainReads, proposal: Proposal) -> tuple[SafeState, Proposal]:
    """Return the Safe, and the proposal with its execution if the Safe has executed it.

    Raises
    ------
    Divergence
        If its nonce was used by something else: it can never be executed.
    """
    state = await read_safe(reads, proposal.transaction.safe)
    if proposal.executed_in or proposal.transaction.nonce >= state.nonce:
        return state, proposal
    found = await find_execution(reads, state, proposal.hash)
    if found is None:
        raise Divergence(
            "the proposal can never be executed: its nonce was used by something else",
            code="safe_nonce_used",
            found=f"the Safe's next nonce is {state.nonce}",
            allowed=f"{proposal.transaction.nonce}, the proposal's",
            fix="propose it anew: tidegate safe propose, or tidegate safe packs",
        )
    return state, proposal.executed(found)


async def judged(place: Place, reads: ChainReads, proposal: Proposal) -> tuple[SafeFinding, ...]:
    """Hold a proposal and its Safe against the rules and the owner's functions of the book."""
    state, findings = await look_at(reads, proposal.transaction.safe)
    return findings + judge_proposal(
        proposal,
        state,
        chain_id=place.network.chain_id,
        targets=known_targets(place.require_book()),
    )


async def emergency_packs(place: Place, reads: ChainReads, safe: Address) -> Mapping[str, Proposal]:
    """Return a proposal for every pack of every executor of the book, at the Safe's next nonce."""
    book = place.require_book()
    state = await read_safe(reads, safe)
    tokens = (*(token.address for token in book.tokens.values()), ZERO_ADDRESS)
    found: dict[str, Proposal] = {}
    for name, entry in book.contracts.items():
        if not name.startswith("executor."):
            continue
        since = int(entry.about.get("block", "0"))
        logs = await reads.logs(from_block=since, to_block=state.at_block, account=entry.address)
        packs = executor_packs(entry.address, policy_in_force(logs, entry.address), tokens)
        for pack, calls in packs.items():
            transaction = pack_transaction(
                calls, safe=safe, chain_id=place.network.chain_id, nonce=state.nonce
            )
            found[f"{name.partition('.')[2]}-{pack}"] = Proposal(
                transaction=transaction, reason=f"emergency: {pack} of {name}"
            )
    return found


def simulated(place: Place, proposal: Proposal, state: SafeState) -> SafeSimulation:
    """Run a proposal on a fork of the chain's newest block. Raises ``Unavailable`` without anvil."""
    with ExactWorld(chain_id=place.network.chain_id, fork_url=place.endpoints[0].url) as world:
        return simulate_proposal(world, proposal, state)


def key_of(place: Place, name: str, *, keys: Path, password: str) -> KeyHandle:
    """Return the key called ``name``: a devnet account's on a devnet, else a key file of ``keys``.

    Raises
    ------
    ConfigError
        If there is no such key.
    Tampered
        If the password does not open it.
    """
    path = keys / f"{name}.json"
    if path.exists():
        opened = KeyFile.read(path).open(read_password(password, what=f"the key {name}"))
        if isinstance(opened, SecpKey):
            return opened
        raise ConfigError(
            f"the key {name} is for Solana", found="ed25519", allowed="secp256k1, the curve of EVM chains"
        )
    if place.network.kind is NetworkKind.DEVNET:
        with suppress(ValueError):
            return devnet_handle(name)
    raise ConfigError(
        f"there is no key {name}",
        found=str(path),
        allowed="a key file, or on a devnet one of its accounts (owner1 to owner5, operator, …)",
        fix="tidegate keys list",
    )


async def execute(pool: RpcPool, proposal: Proposal, state: SafeState, sender: KeyHandle) -> Receipt:
    """Send the execution and wait for its receipt. A Safe's nonce makes a second execution impossible.

    Raises
    ------
    ConfigError
        If too few owners have signed.
    Rejected
        If the node refuses, or the execution would revert.
    Ambiguous
        If it is unknown whether it is out: asking again is safe.
    """
    if len(proposal.signatures) < state.threshold:
        raise ConfigError(
            "too few owners have signed",
            code="safe_signatures",
            found=f"{len(proposal.signatures)} of {state.threshold}",
            allowed=f"{state.threshold}",
            fix="tidegate safe sign FILE",
        )
    who = Address(sender.address)
    reads = pool.reads(pool.policy_for_value, keep=Keep.NOTHING)
    data = encode_execution(proposal.transaction, _first(proposal, state))
    fees = await reads.fee_history()
    priority = fees.rewards_wei[-1][0] if fees.rewards_wei else 0
    call = {"from": who, "to": state.safe, "data": "0x" + data.hex()}
    gas = int(await reads.request("eth_estimateGas", call), 16)
    unsigned = UnsignedTransaction(
        chain_id=proposal.transaction.chain_id,
        nonce=await reads.nonce(who, "pending"),
        to=state.safe,
        data=data,
        value_wei=0,
        gas_limit=gas * _GAS_MARGIN_BPS // 10_000,
        max_fee_wei=2 * fees.next_base_fee_wei + priority,
        max_priority_fee_wei=priority,
    )
    signed = sign(encode_unsigned(unsigned), sender)
    with suppress(Ambiguous):  # the receipt decides below
        await pool.send_raw(signed.raw)
    return await _receipt(pool, signed.hash)


async def _receipt(pool: RpcPool, transaction_hash: bytes, deadline_s: float = 180.0) -> Receipt:
    reads = pool.reads(keep=Keep.NOTHING)
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                with suppress(Unavailable):
                    receipt = await reads.receipt(transaction_hash)
                    if receipt is not None:
                        return receipt
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError as error:
        raise Ambiguous(
            "no block holds the execution yet",
            found=f"0x{transaction_hash.hex()} after {deadline_s:.0f} s",
            fix="tidegate safe show FILE says later what became of it; executing again is safe",
        ) from error


def _first(proposal: Proposal, state: SafeState) -> Mapping[Address, bytes]:
    """Return as many signatures as the Safe asks for: it reads no more."""
    return dict(list(proposal.signatures.items())[: state.threshold])
