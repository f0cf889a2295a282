"""Test tokens of ours: strict ERC-20s that their owner mints. For devnets and tests alone."""

from tidegate.venues.tokens.deploy import (
    MintableToken,
    approve,
    balance_of,
    deploy_token,
    mint,
    transfer,
)

__all__ = ["MintableToken", "approve", "balance_of", "deploy_token", "mint", "transfer"]
