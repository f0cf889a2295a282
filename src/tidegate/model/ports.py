"""What a lower room needs from a higher one. ``app/runtime`` fills these."""

from __future__ import annotations

from typing import Protocol

from tidegate.model.evm import Address, SignedTransaction, UnsignedTransaction

SIGNER_UNREACHED = "signer_unreached"
"""The code of an ``Unavailable`` that says that no byte of the request left: nothing can have been signed."""


class TransactionSigner(Protocol):
    """Signs for one key. The isolated signer process and throw-away keys look alike."""

    @property
    def address(self) -> Address:
        """Return the account that this key controls."""
        ...

    @property
    def capability_id(self) -> str:
        """Return the id of the capability that it signs under; empty for a throw-away key."""
        ...

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        """Return the signed bytes, the same for the same input.

        Raises
        ------
        Denied
            If what holds the key refuses.
        Unavailable
            If it does not answer; nothing is known to be signed, and the same may be asked again. With the
            code ``SIGNER_UNREACHED`` nothing was asked, either.
        """
        ...
