"""Chains as they are reached: JSON-RPC, and the codecs of the EVM.

Knows no protocol. May be imported by ``sim`` and every room above. Whatever goes to a node goes
through here, so that an error of a node has one meaning in the whole house: ``Rejected`` (for good),
``Ambiguous`` (it may have arrived), ``Unavailable`` (ask again or elsewhere), ``Divergence`` (nonsense).
No call waits without a deadline, and no URL is ever shown.
"""

from tidegate.chain.client import ChainClient
from tidegate.chain.codecs import (
    Abi,
    abi_signature,
    abi_types,
    address,
    decode_output,
    encode_arguments,
    encode_call,
    event_topic,
    keccak256,
    selector,
)
from tidegate.chain.connection import Connection
from tidegate.chain.jsonrpc import AlreadyKnown, CallReverted, RangeTooWide
from tidegate.chain.networks import NETWORKS, DataFee, Network, NetworkKind, devnet_network
from tidegate.chain.reads import ChainReads, FeeHistory
from tidegate.chain.reverts import PANIC_MEANINGS, RevertDecoder, decode_revert
from tidegate.chain.simulated import SimulatedBlock, SimulatedCall, SimulatedResult
from tidegate.chain.wire import (
    BlockReference,
    block_of,
    block_parameter,
    call_parameter,
    hex_data,
    integer,
    logs_of,
    mined_logs_of,
    octets,
    quantity,
    receipt_of,
)

__all__ = [
    "NETWORKS",
    "PANIC_MEANINGS",
    "Abi",
    "AlreadyKnown",
    "BlockReference",
    "CallReverted",
    "ChainClient",
    "ChainReads",
    "Connection",
    "DataFee",
    "FeeHistory",
    "Network",
    "NetworkKind",
    "RangeTooWide",
    "RevertDecoder",
    "SimulatedBlock",
    "SimulatedCall",
    "SimulatedResult",
    "abi_signature",
    "abi_types",
    "address",
    "block_of",
    "block_parameter",
    "call_parameter",
    "decode_output",
    "decode_revert",
    "devnet_network",
    "encode_arguments",
    "encode_call",
    "event_topic",
    "hex_data",
    "integer",
    "keccak256",
    "logs_of",
    "mined_logs_of",
    "octets",
    "quantity",
    "receipt_of",
    "selector",
]
