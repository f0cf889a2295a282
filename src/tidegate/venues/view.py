"""What an adapter may ask of a chain: reads of one pinned block, nothing else."""

from __future__ import annotations

from typing import Protocol

from tidegate.model import ZERO_ADDRESS, Address, Block


class StateView(Protocol):
    """One block's state. Every ``World`` is one; a pinned one gives the same answers for ever."""

    def block(self) -> Block:
        """Return the block that the answers belong to."""
        ...

    def call(
        self, to: Address, data: bytes = b"", *, sender: Address = ZERO_ADDRESS, value: int = 0
    ) -> bytes:
        """Return what the call returns, changing nothing.

        Raises
        ------
        TidegateError
            With the decoded revert, if the contract refuses.
        """
        ...

    def code(self, account: Address) -> bytes:
        """Return an account's runtime code, empty where there is none."""
        ...

    def balance(self, account: Address) -> int:
        """Return an account's balance in wei."""
        ...
