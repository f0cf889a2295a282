"""What a world is: a chain of ours that contracts can be put into and asked.

Two kinds keep this interface: ``ExactWorld`` (anvil, a real node) and ``FastWorld``
(pyrevm, in process). Whatever deploys itself (``venues/``) is written against it, once.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from tidegate.model import ZERO_ADDRESS, Address, Block, Receipt


class World(Protocol):
    """A chain with its own id, clock and accounts; every account may send, none needs a key."""

    @property
    def chain_id(self) -> int:
        """Return the id that ``CHAINID`` gives."""
        ...

    def block(self) -> Block:
        """Return the newest block."""
        ...

    def deploy(self, initcode: bytes, *, sender: Address, value: int = 0) -> Address:
        """Create a contract and return its address, the same in every world.

        Raises
        ------
        WorldReverted
            With the constructor's decoded revert.
        """
        ...

    def transact(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address,
        value: int = 0,
        gas_limit: int | None = None,
    ) -> Receipt:
        """Send one transaction, have it included, and return its receipt.

        Raises
        ------
        WorldReverted
            With the decoded revert; state is as before but for nonce and fee.
        """
        ...

    def call(
        self, to: Address, data: bytes = b"", *, sender: Address = ZERO_ADDRESS, value: int = 0
    ) -> bytes:
        """Return what the call returns, changing nothing. Raises as ``transact`` does."""
        ...

    def code(self, account: Address) -> bytes:
        """Return an account's runtime code, empty where there is none."""
        ...

    def set_code(self, account: Address, code: bytes) -> None:
        """Put runtime code at an address."""
        ...

    def balance(self, account: Address) -> int:
        """Return an account's balance in wei."""
        ...

    def set_balance(self, account: Address, wei: int) -> None:
        """Give an account exactly ``wei``."""
        ...

    def storage(self, account: Address, slot: int) -> int:
        """Return one storage word."""
        ...

    def set_storage(self, account: Address, slot: int, word: int) -> None:
        """Set one storage word."""
        ...

    def nonce(self, account: Address) -> int:
        """Return how many transactions or creations an account has made."""
        ...

    def mine(self, blocks: int = 1, *, timestamp: int | None = None) -> Block:
        """Add ``blocks``; the (last) one gets ``timestamp`` if given. Return the newest."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Undo, on leaving the ``with``, all that was done inside. Nests strictly."""
        ...
