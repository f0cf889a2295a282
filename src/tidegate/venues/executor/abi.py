"""Calls of the executor and its answers, as data and as bytes (``specs/atomic.md`` 4.9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.chain import address, decode_output, encode_call, event_topic, selector
from tidegate.model import Address, ConfigError, Divergence, Log
from tidegate.venues.executor.changes import CHANGES_MAX, Change
from tidegate.venues.executor.program import Flash, Op, Program

SWEEP_MAX = 16
EXECUTE = selector("execute(bytes)")
SIMULATE = selector("simulate(bytes)")
UNWIND = selector("unwind(bytes)")

_EXECUTED = event_topic("Executed(bytes32,address,int256)")
_SIMULATED = selector("Simulated(uint256,int256[],uint256[],uint256[])")
_FRAME_TAG = 255
_ENTRIES_PER_WORD = 8


def encode_execute(raw: bytes) -> bytes:
    """Return the calldata by which the operator runs a program."""
    return encode_call("execute(bytes)", raw)


def encode_simulate(raw: bytes) -> bytes:
    """Return the calldata that runs a program and always reverts ``Simulated``."""
    return encode_call("simulate(bytes)", raw)


def encode_unwind(raw: bytes) -> bytes:
    """Return the calldata by which the rescuer runs a program, while paused too."""
    return encode_call("unwind(bytes)", raw)


def decode_execute(data: bytes) -> bytes:
    """Return the program inside ``execute`` calldata.

    Raises
    ------
    Divergence
        If it is any other call, or not encoded the one way that ``encode_execute`` does.
    """
    raw: bytes = decode_output(("bytes",), data[4:])[0] if data[:4] == EXECUTE else b""
    if encode_execute(raw) != data:
        raise Divergence(
            "not the canonical calldata of execute(bytes)",
            code="abi",
            found=f"{len(data)} bytes, selector 0x{data[:4].hex()}",
            allowed=f"0x{EXECUTE.hex()} and one ABI-encoded program",
        )
    return raw


def encode_schedule(changes: Iterable[Change]) -> bytes:
    """Return the calldata by which the owner schedules up to 32 changes."""
    return _batch("schedule", changes)


def encode_apply(changes: Iterable[Change]) -> bytes:
    """Return the calldata that puts ripe changes in force."""
    return _batch("apply", changes)


def encode_cancel(changes: Iterable[Change]) -> bytes:
    """Return the calldata that drops scheduled changes."""
    return _batch("cancel", changes)


def encode_tighten(changes: Iterable[Change]) -> bytes:
    """Return the calldata that narrows what is allowed, at once."""
    return _batch("tighten", changes)


def encode_pause() -> bytes:
    """Return the calldata that stops the executor (owner, guardians)."""
    return selector("pause()")


def encode_unpause() -> bytes:
    """Return the calldata that lets the executor run again (owner alone)."""
    return selector("unpause()")


def encode_sweep(tokens: Sequence[Address]) -> bytes:
    """Return the calldata that sends whole balances (zero address: ETH) to the treasury.

    Raises
    ------
    ConfigError
        If there are more than 16 tokens.
    """
    _at_most(SWEEP_MAX, len(tokens), "tokens in one sweep")
    return encode_call("sweep(address[])", list(tokens))


def encode_sweep_nft(token: Address, token_id: int) -> bytes:
    """Return the calldata that sends one NFT to the treasury."""
    return encode_call("sweep_nft(address,uint256)", token, token_id)


def encode_offer_ownership(to: Address) -> bytes:
    """Return the calldata by which the owner offers to hand over (zero address: take back)."""
    return encode_call("offer_ownership(address)", to)


def encode_accept_ownership() -> bytes:
    """Return the calldata by which the offered account becomes the owner."""
    return selector("accept_ownership()")


@dataclass(frozen=True, slots=True)
class Executed:
    """A run that landed. ``delta`` is the first line's change before payout, in base units."""

    executor: Address
    program_hash: bytes
    caller: Address
    delta: int


def decode_executed(logs: Iterable[Log], executor: Address) -> tuple[Executed, ...]:
    """Return the runs that ``executor`` reports in ``logs``, in their order."""
    return tuple(
        Executed(
            executor=executor,
            program_hash=log.topics[1],
            caller=address(log.topics[2]),
            delta=int.from_bytes(log.data, signed=True),
        )
        for log in logs
        if log.address == executor and len(log.topics) == 3 and log.topics[0] == _EXECUTED
    )


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """The gas left as an operation begins; ``tag`` None where a frame opens instead.

    ``gas_left`` is cut to 24 bits, so it counts modulo 16,777,216.
    """

    tag: int | None
    gas_left: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What ``simulate`` found: gas from entry to settlement, one delta a line, the registers."""

    gas_used: int
    deltas: tuple[int, ...]
    registers: tuple[int, ...]
    trace: tuple[TraceEntry, ...]


def decode_simulated(data: bytes) -> Simulated | None:
    """Return what the revert ``data`` of ``simulate`` says, or None if it is another revert.

    Raises
    ------
    Divergence
        If it begins as ``Simulated`` does and is not an encoding of it.
    """
    if data[:4] != _SIMULATED:
        return None
    gas_used, deltas, registers, words = decode_output(
        ("uint256", "int256[]", "uint256[]", "uint256[]"), data[4:]
    )
    return Simulated(gas_used, tuple(deltas), tuple(registers), _entries(words))


def gas_by_tag(simulated: Simulated, program: Program) -> dict[int, int]:
    """Return the gas of each step that ran, by tag, from a simulation of ``program``.

    A loan's figure holds what its scope took. The last step of a frame has no figure, for the trace
    does not mark where it ends; nor do steps beyond the 128th entry. Frames are not compared with
    each other: a call hands on 63/64 of the gas (EIP-150).
    """
    after = _following(program.ops)
    left = {entry.tag: entry.gas_left for entry in simulated.trace if entry.tag is not None}
    order = [entry.tag for entry in simulated.trace if entry.tag is not None]
    figures = {}
    for position, tag in enumerate(order):
        end = next((other for other in order[position + 1 :] if other in after[tag]), None)
        if end is not None:
            figures[tag] = (left[tag] - left[end]) % (1 << 24)
    return figures


def _following(ops: Sequence[Op]) -> dict[int, frozenset[int]]:
    """Return, by tag, the tags that stand later in the same frame."""
    result: dict[int, frozenset[int]] = {}
    later: frozenset[int] = frozenset()
    for op in reversed(ops):
        result[op.tag] = later
        if isinstance(op, Flash):
            result |= _following(op.ops)
        later = later | {op.tag}
    return result


def _entries(words: Sequence[int]) -> tuple[TraceEntry, ...]:
    entries = []
    for word in words:
        for place in range(_ENTRIES_PER_WORD):
            entry = word >> 32 * place & 0xFFFF_FFFF
            if entry:
                tag = entry >> 24
                entries.append(TraceEntry(None if tag == _FRAME_TAG else tag, entry & 0xFF_FFFF))
    return tuple(entries)


def _batch(function: str, changes: Iterable[Change]) -> bytes:
    triples = [(int(change.kind), change.key, change.word) for change in changes]
    _at_most(CHANGES_MAX, len(triples), "changes in one call")
    return encode_call(f"{function}((uint256,bytes32,uint256)[])", triples)


def _at_most(limit: int, count: int, what: str) -> None:
    if count > limit:
        raise ConfigError(
            f"too many {what}",
            code="limit",
            found=str(count),
            allowed=f"at most {limit}",
            fix="split it over several transactions",
        )
