"""Chains as they are reached: JSON-RPC, and the codecs of the EVM.

Knows no protocol. May be imported by ``sim`` and every room above. Whatever goes to a node goes
through here, so that an error of a node has one meaning in the whole house: ``Rejected`` (for good),
``Ambiguous`` (it may have arrived), ``Unavailable`` (ask again or elsewhere), ``Divergence`` (nonsense).
No call waits without a deadline, and no URL is ever shown.

Doors of their own: ``chain.rpc`` (the pool), ``chain.relays`` (bundles), ``chain.heads``
(blocks and logs in order, with reorgs), ``chain.columns`` (many logs of one event as a NumPy array).
"""

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
from tidegate.chain.data_fees import data_fee_wei
from tidegate.chain.decoders import EventDecoder, EventTable
from tidegate.chain.fees import (
    FeeMarket,
    FeeQuote,
    Fees,
    demand_gas_limit,
    gas_limit_of,
    price_cap_wei,
)
from tidegate.chain.jsonrpc import AlreadyKnown, CallReverted, RangeTooWide
from tidegate.chain.networks import NETWORKS, DataFee, Network, NetworkKind, devnet_network
from tidegate.chain.nonces import KeyLease
from tidegate.chain.reads import ChainReads, FeeHistory
from tidegate.chain.reverts import PANIC_MEANINGS, RevertDecoder, decode_revert
from tidegate.chain.sender import GapPolicy, Sender, SenderSettings
from tidegate.chain.signing import SendingChain
from tidegate.chain.simulated import SimulatedBlock, SimulatedCall, SimulatedResult
from tidegate.chain.states import TRANSITIONS, State, Transition
from tidegate.chain.transactions import Tracked, Work
from tidegate.chain.upstream import Upstream, UpstreamRequest
from tidegate.chain.ways import Handover, Parcel, Ways
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
    "TRANSITIONS",
    "Abi",
    "AlreadyKnown",
    "BlockReference",
    "CallReverted",
    "ChainReads",
    "Connection",
    "DataFee",
    "EventDecoder",
    "EventTable",
    "FeeHistory",
    "FeeMarket",
    "FeeQuote",
    "Fees",
    "GapPolicy",
    "Handover",
    "KeyLease",
    "Network",
    "NetworkKind",
    "Parcel",
    "RangeTooWide",
    "RevertDecoder",
    "Sender",
    "SenderSettings",
    "SendingChain",
    "SimulatedBlock",
    "SimulatedCall",
    "SimulatedResult",
    "State",
    "Tracked",
    "Transition",
    "Upstream",
    "UpstreamRequest",
    "Ways",
    "Work",
    "abi_signature",
    "abi_types",
    "address",
    "block_of",
    "block_parameter",
    "call_parameter",
    "data_fee_wei",
    "decode_output",
    "decode_revert",
    "demand_gas_limit",
    "devnet_network",
    "encode_arguments",
    "encode_call",
    "event_topic",
    "gas_limit_of",
    "hex_data",
    "integer",
    "keccak256",
    "logs_of",
    "mined_logs_of",
    "octets",
    "price_cap_wei",
    "quantity",
    "receipt_of",
    "selector",
]
