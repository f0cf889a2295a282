"""What a world says when a call or transaction does not go through."""

from __future__ import annotations

from tidegate.model import Receipt, Revert, TidegateError


class WorldReverted(TidegateError):
    """The EVM undid what was asked.

    Parameters
    ----------
    revert
        Why, decoded with the ABIs that the world knows (``register_abi``).
    data
        The revert data as it came; empty for a halt.
    receipt
        The receipt (status 0) if a transaction was included.
    """

    default_code = "reverted"

    def __init__(self, revert: Revert, data: bytes = b"", receipt: Receipt | None = None) -> None:
        super().__init__(f"reverted: {revert}")
        self.revert = revert
        self.data = data
        self.receipt = receipt
