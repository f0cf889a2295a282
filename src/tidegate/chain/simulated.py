"""``eth_simulateV1``: calls run one after another in a block that does not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidegate.chain.wire import call_parameter, integer, logs_of, octets, quantity
from tidegate.model import Address, Divergence, Log


class SimulatedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call to simulate. What is ``None`` the node chooses: the block's gas limit, the account's nonce."""

    sender: Address
    to: Address | None
    data: bytes = b""
    value_wei: int = 0
    gas_limit: int | None = None
    max_fee_wei: int | None = None
    nonce: int | None = None


class SimulatedResult(msgspec.Struct, frozen=True):
    """What became of a call. ``output`` is revert data if ``status`` is 0; ``halt`` names an abnormal end."""

    status: int
    gas_used: int
    output: bytes
    logs: tuple[Log, ...]
    halt: str = ""


class SimulatedBlock(msgspec.Struct, frozen=True):
    """The block that the calls ran in, and their results in order."""

    number: int
    timestamp: int
    base_fee_wei: int
    results: tuple[SimulatedResult, ...]


def simulate_parameter(
    calls: Sequence[SimulatedCall],
    *,
    number: int,
    timestamp: int,
    base_fee_wei: int,
    coinbase: Address | None,
    balances_wei: Mapping[Address, int],
    validate: bool,
) -> dict[str, Any]:
    """Return the first parameter of ``eth_simulateV1``: one block with ``calls``."""
    overrides: dict[str, Any] = {
        "number": quantity(number),
        "time": quantity(timestamp),
        "baseFeePerGas": quantity(base_fee_wei),
    }
    if coinbase is not None:
        overrides["feeRecipient"] = coinbase
    block: dict[str, Any] = {
        "blockOverrides": overrides,
        "calls": [
            call_parameter(
                sender=call.sender,
                to=call.to,
                payload=call.data,
                value=call.value_wei,
                gas_limit=call.gas_limit,
                max_fee_wei=call.max_fee_wei,
                nonce=call.nonce,
            )
            for call in calls
        ],
    }
    if balances_wei:
        block["stateOverrides"] = {
            account: {"balance": quantity(wei)} for account, wei in balances_wei.items()
        }
    return {"blockStateCalls": [block], "validation": validate, "traceTransfers": False}


def simulated_block_of(answer: Any, count: int) -> SimulatedBlock:
    """Return the simulated block in a node's answer.

    Raises
    ------
    Divergence
        If it does not hold one block with ``count`` results.
    """
    try:
        (block,) = answer
        results = tuple(_result(parts) for parts in block["calls"])
        if len(results) != count:
            raise ValueError(f"{len(results)} results for {count} calls")
        return SimulatedBlock(
            number=integer(block["number"]),
            timestamp=integer(block["timestamp"]),
            base_fee_wei=integer(block.get("baseFeePerGas") or 0),
            results=results,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Divergence("the node's simulation is not one", code="node_answer", found=repr(error)) from error


def _result(parts: Mapping[str, Any]) -> SimulatedResult:
    status = integer(parts["status"])
    output, halt = octets(parts.get("returnData") or "0x"), ""
    if status != 1:
        error = parts.get("error") or {}
        message = str(error.get("message", ""))
        # Some nodes put the revert data beside the message, some return it.
        output = output or octets(error["data"] if isinstance(error.get("data"), str) else "0x")
        reverted = bool(output) or "reverted" in message or message == "execution failed"
        halt = "" if reverted else message
    return SimulatedResult(
        status=status,
        gas_used=integer(parts["gasUsed"]),
        output=output,
        logs=logs_of(parts["logs"]),
        halt=halt,
    )
