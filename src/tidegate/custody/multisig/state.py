"""What a Safe is on chain, read at one block, and what we demand of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from tidegate.chain import (
    address,
    decode_output,
    encode_call,
    event_topic,
    hex_data,
    keccak256,
    mined_logs_of,
    quantity,
)
from tidegate.model import ZERO_ADDRESS, Address, Block

_SENTINEL = address(1)
_MODULES_PAGE = 50
_GUARD_SLOT = int.from_bytes(keccak256(b"guard_manager.guard.address"), "big")
_HANDLER_SLOT = int.from_bytes(keccak256(b"fallback_manager.handler.address"), "big")
_MASTER_COPY_SLOT = 0
_SUCCESS = event_topic("ExecutionSuccess(bytes32,uint256)")
_FAILURE = event_topic("ExecutionFailure(bytes32,uint256)")
_LOOKED_BACK_BLOCKS = 50_000
_SPAN_BLOCKS = 2_000


class SafeReads(Protocol):
    """The reads of a chain that a Safe's state needs (``chain.ChainReads`` has them)."""

    async def block(self, reference: int | str | bytes = "latest") -> Block:
        """Return a block."""
        ...

    async def call(self, to: Address, data: bytes = b"", *, block: int | str | bytes = "latest") -> bytes:
        """Return what a call returns at a block."""
        ...

    async def request(self, method: str, *params: Any) -> Any:
        """Return the raw result of any read."""
        ...


class SafeState(msgspec.Struct, frozen=True, kw_only=True):
    """A Safe at one block. ``guard`` and ``handler`` are zero where there is none."""

    safe: Address
    at_block: int
    version: str
    singleton: Address
    owners: tuple[Address, ...]
    threshold: int
    nonce: int
    modules: tuple[Address, ...]
    has_more_modules: bool
    guard: Address
    handler: Address


class SafeRules(msgspec.Struct, frozen=True, kw_only=True):
    """What we demand of a Safe that owns something of ours.

    ``guard`` and ``modules`` are those that people looked at; any other fails.
    """

    owners_min: int = 5
    threshold_min: int = 3
    version: str = "1.4.1"
    singletons: tuple[Address, ...] = (
        address("0x41675C099F32341bf84BFc5382aF534df5C7461a"),
        address("0x29fcB43b46531BcA003ddC8FCB67FFE91900C762"),
    )
    modules: tuple[Address, ...] = ()
    guard: Address = ZERO_ADDRESS


class SafeFinding(msgspec.Struct, frozen=True):
    """One demand: whether it holds, what was found, what is allowed."""

    check: str
    ok: bool
    found: str
    allowed: str = ""


async def read_safe(reads: SafeReads, safe: Address) -> SafeState:
    """Read everything of a Safe, pinned to the newest block.

    Raises
    ------
    Divergence
        If no Safe answers there.
    """
    block = await reads.block()

    async def ask(function: str, types: Sequence[str], *arguments: Any) -> tuple[Any, ...]:
        data = encode_call(function, *arguments)
        return decode_output(types, await reads.call(safe, data, block=block.hash))

    async def slot(number: int) -> Address:
        (word,) = await ask("getStorageAt(uint256,uint256)", ("bytes",), number, 1)
        return address(word[12:])

    (owners,) = await ask("getOwners()", ("address[]",))
    (threshold,) = await ask("getThreshold()", ("uint256",))
    (nonce,) = await ask("nonce()", ("uint256",))
    (version,) = await ask("VERSION()", ("string",))
    modules, following = await ask(
        "getModulesPaginated(address,uint256)", ("address[]", "address"), _SENTINEL, _MODULES_PAGE
    )
    return SafeState(
        safe=safe,
        at_block=block.number,
        version=version,
        singleton=await slot(_MASTER_COPY_SLOT),
        owners=tuple(address(owner) for owner in owners),
        threshold=threshold,
        nonce=nonce,
        modules=tuple(address(module) for module in modules),
        has_more_modules=address(following) not in (_SENTINEL, ZERO_ADDRESS),
        guard=await slot(_GUARD_SLOT),
        handler=await slot(_HANDLER_SLOT),
    )


async def find_execution(reads: SafeReads, state: SafeState, transaction_hash: bytes) -> bytes | None:
    """Return the transaction in which the Safe executed what owners signed, if it did of late.

    Parameters
    ----------
    transaction_hash
        What the owners signed. The newest 50,000 blocks are looked through.
    """
    oldest = max(0, state.at_block - _LOOKED_BACK_BLOCKS)
    topics = [[hex_data(_SUCCESS), hex_data(_FAILURE)], hex_data(transaction_hash)]
    for end in range(state.at_block, oldest - 1, -_SPAN_BLOCKS):
        span = {
            "address": state.safe,
            "fromBlock": quantity(max(oldest, end - _SPAN_BLOCKS + 1)),
            "toBlock": quantity(end),
            "topics": topics,
        }
        logs = mined_logs_of(await reads.request("eth_getLogs", span))
        if logs:
            return logs[-1].transaction_hash
    return None


def judge_safe(state: SafeState, rules: SafeRules) -> tuple[SafeFinding, ...]:
    """Hold a Safe against the rules; every demand gives a finding, also those that hold."""
    distinct = len(set(state.owners))
    unknown = [module for module in state.modules if module not in rules.modules]
    return (
        SafeFinding(
            "owners",
            distinct >= rules.owners_min and distinct == len(state.owners),
            f"{distinct} distinct of {len(state.owners)}",
            f"at least {rules.owners_min}, all distinct",
        ),
        SafeFinding(
            "threshold",
            state.threshold >= rules.threshold_min,
            str(state.threshold),
            f"at least {rules.threshold_min}",
        ),
        SafeFinding("version", state.version == rules.version, state.version, rules.version),
        SafeFinding(
            "singleton", state.singleton in rules.singletons, state.singleton, " or ".join(rules.singletons)
        ),
        SafeFinding(
            "modules",
            not unknown and not state.has_more_modules,
            ", ".join(unknown) or "none unknown",
            ", ".join(rules.modules) or "none: a module acts without the owners",
        ),
        SafeFinding("guard", state.guard == rules.guard, state.guard, rules.guard),
    )
