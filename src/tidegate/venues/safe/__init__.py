"""Safe 1.4.1: accounts that several owners hold together. Pure adapter: states come in, calls go out."""

from tidegate.venues.safe.deploy import (
    SAFE_SINGLETON_FACTORY,
    Safe,
    SafeContracts,
    create_safe,
    deploy_safe_contracts,
)
from tidegate.venues.safe.execute import (
    CALL,
    DELEGATE_CALL,
    SafeCall,
    approve_and_execute,
    approved_hash_signatures,
    execute_signed,
    transaction_hash,
)
from tidegate.venues.safe.transaction import (
    MULTI_SEND,
    MULTI_SEND_CALL_ONLY,
    SafeTransaction,
    decode_batch,
    decode_execution,
    encode_batch,
    encode_execution,
    owner_of,
)

__all__ = [
    "CALL",
    "DELEGATE_CALL",
    "MULTI_SEND",
    "MULTI_SEND_CALL_ONLY",
    "SAFE_SINGLETON_FACTORY",
    "Safe",
    "SafeCall",
    "SafeContracts",
    "SafeTransaction",
    "approve_and_execute",
    "approved_hash_signatures",
    "create_safe",
    "decode_batch",
    "decode_execution",
    "deploy_safe_contracts",
    "encode_batch",
    "encode_execution",
    "execute_signed",
    "owner_of",
    "transaction_hash",
]
