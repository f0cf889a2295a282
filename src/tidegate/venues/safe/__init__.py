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

__all__ = [
    "CALL",
    "DELEGATE_CALL",
    "SAFE_SINGLETON_FACTORY",
    "Safe",
    "SafeCall",
    "SafeContracts",
    "approve_and_execute",
    "approved_hash_signatures",
    "create_safe",
    "deploy_safe_contracts",
    "execute_signed",
    "transaction_hash",
]
