"""What the pool must know of a method: where its block stands, and what its answer depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.chain.wire import integer

BLOCK_POSITIONS = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_simulateV1": 1,
    "eth_createAccessList": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
    "eth_getProof": 2,
    "debug_traceCall": 1,
}
"""Where a method's block parameter stands: a number, a tag, or an EIP-1898 object."""

BLOCK_BY_NUMBER = "eth_getBlockByNumber"
BLOCK_BY_HASH = "eth_getBlockByHash"
LOGS = "eth_getLogs"

NULL_IS_MISSING = frozenset({BLOCK_BY_NUMBER, BLOCK_BY_HASH, "eth_getBlockReceipts"})
"""Methods whose null says: this node does not have the block. Another may."""

READ_METHODS = frozenset(
    {
        *BLOCK_POSITIONS,
        *NULL_IS_MISSING,
        LOGS,
        "eth_blobBaseFee",
        "eth_blockNumber",
        "eth_chainId",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBlockTransactionCountByHash",
        "eth_getBlockTransactionCountByNumber",
        "eth_getTransactionByBlockHashAndIndex",
        "eth_getTransactionByBlockNumberAndIndex",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getUncleCountByBlockHash",
        "eth_getUncleCountByBlockNumber",
        "eth_getAccount",
        "eth_getAccountInfo",
        "eth_maxPriorityFeePerGas",
        "eth_protocolVersion",
        "eth_syncing",
        "debug_traceTransaction",
        "debug_traceBlockByNumber",
        "debug_traceBlockByHash",
        "net_version",
        "web3_clientVersion",
    }
)
"""Methods that change nothing and use no key of the node: all that the pool's gateway serves."""

_METRIC_METHODS = READ_METHODS | {"eth_sendRawTransaction"}


def metric_label(method: str) -> str:
    """Return a method's label: labels are a bounded set."""
    return method if method in _METRIC_METHODS else "other"


def needs_trace(method: str) -> bool:
    """Say whether only nodes that trace can answer."""
    return method.startswith(("debug_", "trace_"))


def pinned_hash(method: str, params: Sequence[Any]) -> str | None:
    """Return the block hash that pins a read for ever, if one does."""
    if method in (BLOCK_BY_HASH, "debug_traceBlockByHash"):
        return params[0] if params and isinstance(params[0], str) else None
    block = (params[0] if params else None) if method == LOGS else block_parameter_of(method, params)
    found = block.get("blockHash") if isinstance(block, dict) else None
    return found if isinstance(found, str) else None


def block_parameter_of(method: str, params: Sequence[Any]) -> Any:
    """Return a read's block parameter: absent is ``latest``; None if the method has none."""
    if method == BLOCK_BY_NUMBER:
        return params[0] if params else None
    position = BLOCK_POSITIONS.get(method)
    if position is None:
        return None
    return params[position] if len(params) > position else "latest"


def with_block(method: str, params: Sequence[Any], block: Any) -> list[Any]:
    """Return ``params`` with another block parameter."""
    position = BLOCK_POSITIONS[method]
    return [*params[:position], block, *params[position + 1 :]]


def logs_span(method: str, params: Sequence[Any]) -> int | None:
    """Return how many blocks an ``eth_getLogs`` asks for, None where it is not a span of numbers."""
    if method != LOGS or not params or not isinstance(params[0], dict):
        return None
    start, end = params[0].get("fromBlock"), params[0].get("toBlock")
    try:
        return integer(str(end)) - integer(str(start)) + 1
    except ValueError:
        return None
