"""The nouns of a chain as JSON-RPC writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from tidegate.chain.codecs import address
from tidegate.chain.mined import Header, MinedLog
from tidegate.model import ZERO_ADDRESS, Address, Block, ConfigError, Divergence, Log, Receipt

_Noun = TypeVar("_Noun")

BlockReference = int | str | bytes
"""A block: its number, a tag (``latest``, ``pending``, ``finalized`` …), or its 32-byte hash."""


def quantity(value: int) -> str:
    """Return an integer as JSON-RPC writes quantities."""
    return hex(value)


def hex_data(value: bytes) -> str:
    """Return bytes as JSON-RPC writes them."""
    return "0x" + value.hex()


def integer(text: str | int) -> int:
    """Return the integer that a quantity stands for."""
    return text if isinstance(text, int) else int(text, 16)


def octets(text: str) -> bytes:
    """Return the bytes that JSON-RPC hex stands for. Raises ``ValueError`` for anything else."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no hex")
    return bytes.fromhex(text.removeprefix("0x"))


def block_parameter(block: BlockReference) -> Any:
    """Return a block parameter; a hash becomes an EIP-1898 object, so that it pins the read."""
    if isinstance(block, bytes):
        return {"blockHash": hex_data(block)}
    return quantity(block) if isinstance(block, int) else block


def call_parameter(
    *,
    sender: Address,
    to: Address | None,
    payload: bytes = b"",
    value: int = 0,
    gas_limit: int | None = None,
    gas_price_wei: int | None = None,
    max_fee_wei: int | None = None,
    nonce: int | None = None,
) -> dict[str, str]:
    """Return a call or transaction object; parts that are ``None`` are left out."""
    parts: dict[str, str] = {"from": sender, "input": hex_data(payload)}
    if to is not None:
        parts["to"] = to
    optional = {
        "value": value or None,
        "gas": gas_limit,
        "gasPrice": gas_price_wei,
        "maxFeePerGas": max_fee_wei,
        "nonce": nonce,
    }
    return parts | {name: quantity(part) for name, part in optional.items() if part is not None}


def block_of(parts: Mapping[str, Any]) -> Block:
    """Return a block from its header object."""
    return _read(
        "block",
        parts,
        lambda: Block(
            number=integer(parts["number"]),
            timestamp=integer(parts["timestamp"]),
            base_fee_wei=integer(parts.get("baseFeePerGas") or 0),
            gas_limit=integer(parts["gasLimit"]),
            hash=octets(parts["hash"]),
            coinbase=address(parts["miner"]) if parts.get("miner") else ZERO_ADDRESS,
            prevrandao=octets(parts["mixHash"]) if parts.get("mixHash") else bytes(32),
        ),
    )


def header_of(parts: Mapping[str, Any]) -> Header:
    """Return a block's header with its place in the chain. Raises ``Divergence`` for a pending one."""
    return _read(
        "header",
        parts,
        lambda: Header(
            **msgspec.structs.asdict(block_of(parts)),
            parent_hash=_octets_of_length(parts["parentHash"], 32),
            logs_bloom=octets(parts.get("logsBloom") or "0x"),
        ),
    )


def log_of(parts: Mapping[str, Any]) -> Log:
    """Return a log from its object."""
    return _read(
        "log",
        parts,
        lambda: Log(
            address=address(parts["address"]),
            topics=tuple(_octets_of_length(topic, 32) for topic in parts["topics"]),
            data=octets(parts["data"]),
        ),
    )


def logs_of(parts: Sequence[Mapping[str, Any]]) -> tuple[Log, ...]:
    """Return logs in their order."""
    return tuple(log_of(part) for part in parts)


def mined_logs_of(parts: Sequence[Mapping[str, Any]]) -> tuple[MinedLog, ...]:
    """Return logs with their place, in their order.

    Raises
    ------
    Divergence
        If one has no place: pending, or marked as removed by a reorg.
    """
    return tuple(_read("log", part, partial(_mined_log, part)) for part in parts)


def _mined_log(parts: Mapping[str, Any]) -> MinedLog:
    if parts.get("removed"):
        raise ValueError("the log was removed by a reorg")
    return MinedLog(
        **msgspec.structs.asdict(log_of(parts)),
        block_number=integer(parts["blockNumber"]),
        block_hash=_octets_of_length(parts["blockHash"], 32),
        index=integer(parts["logIndex"]),
        transaction_hash=_octets_of_length(parts["transactionHash"], 32),
        transaction_index=integer(parts["transactionIndex"]),
    )


def _octets_of_length(text: str, length: int) -> bytes:
    found = octets(text)
    if len(found) != length:
        raise ValueError(f"{len(found)} bytes instead of {length}")
    return found


def receipt_of(parts: Mapping[str, Any]) -> Receipt:
    """Return a receipt from its object. ``output`` is not part of what nodes give."""
    created = parts.get("contractAddress")
    return _read(
        "receipt",
        parts,
        lambda: Receipt(
            transaction_hash=octets(parts["transactionHash"]),
            status=integer(parts["status"]),
            gas_used=integer(parts["gasUsed"]),
            block_number=integer(parts["blockNumber"]),
            logs=logs_of(parts["logs"]),
            effective_gas_price_wei=integer(parts.get("effectiveGasPrice") or 0),
            contract_address=None if created is None else address(created),
            block_hash=octets(parts["blockHash"]),
            data_fee_wei=integer(parts.get("l1Fee") or 0),
        ),
    )


def _read(what: str, parts: Mapping[str, Any], build: Callable[[], _Noun]) -> _Noun:
    try:
        return build()
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise Divergence(
            f"the node's {what} is not one", code="node_answer", found=f"{error!r} in {sorted(parts)}"
        ) from error
