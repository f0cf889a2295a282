"""Chains as they are reached: JSON-RPC, and the codecs of the EVM.

Knows no protocol. May be imported by ``sim`` and every room above. Whatever goes to a node goes
through here, so that an error of a node has one meaning in the whole house.
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
from tidegate.chain.reverts import PANIC_MEANINGS, RevertDecoder, decode_revert

__all__ = [
    "PANIC_MEANINGS",
    "Abi",
    "RevertDecoder",
    "abi_signature",
    "abi_types",
    "address",
    "decode_output",
    "decode_revert",
    "encode_arguments",
    "encode_call",
    "event_topic",
    "keccak256",
    "selector",
]
