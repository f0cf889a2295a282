"""What simulations read, so that the next block's world can have it in one request."""

from __future__ import annotations

import re
from typing import Any

from tidegate.chain import Connection, hex_data, integer, octets, quantity
from tidegate.model import Block
from tidegate.sim.fastaccounts import CodeShelf

_SLOT = re.compile(r"StorageChange \{ address: (0x[0-9a-f]{40}), key: (\d+),")
_JOURNAL = ", journal: [["
_ENTRIES_MAX = 4_096


class Touched:
    """Accounts and slots that were read in the worlds of earlier blocks. Worlds of one node share it.

    It only saves time: a world that lacks something fetches it when it is read.
    """

    def __init__(self) -> None:
        self._slots: dict[str, set[int]] = {}

    @property
    def accounts(self) -> frozenset[str]:
        """Return the accounts, in lower case."""
        return frozenset(self._slots)

    def learn(self, evm: Any) -> None:
        """Remember all that ``evm`` has loaded and not unloaded. Only the text of its journal names slots."""
        text = evm.journal_str
        journal = text[text.rfind(_JOURNAL) :]
        if sum(map(len, self._slots.values()), len(self._slots)) > _ENTRIES_MAX:
            self._slots.clear()  # whatever is still in use will be learned again
        for account in evm.journal_state:
            self._slots.setdefault(account.lower(), set())
        for account, slot in _SLOT.findall(journal):
            self._slots.setdefault(account, set()).add(int(slot))

    def fetch(self, connection: Connection, evm: Any, block: Block, shelf: CodeShelf) -> None:
        """Put everything that is remembered into a new ``evm``, as it is at ``block``.

        Raises
        ------
        Unavailable
            If the node does not answer or lacks the block.
        """
        if not self._slots:
            return
        at = {"blockHash": hex_data(block.hash)}
        slots = [(account, slot) for account, held in self._slots.items() for slot in sorted(held)]
        methods = ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")
        found = iter(
            connection.batch(
                [
                    *((method, (account, at)) for account in self._slots for method in methods),
                    *(("eth_getStorageAt", (account, quantity(slot), at)) for account, slot in slots),
                ]
            )
        )
        balances = {}
        for account in self._slots:
            balances[account], nonce, code = integer(next(found)), integer(next(found)), octets(next(found))
            evm.insert_account_info(account, shelf.record(code, nonce))
        for account, slot in slots:
            # Into the cache under the journal, where only an account that is not loaded can be written;
            # writing loads it, and undoing that leaves the cache as it is.
            checkpoint = evm.snapshot()
            evm.insert_account_storage(account, slot, integer(next(found)))
            evm.revert(checkpoint)
        for account, balance in balances.items():
            evm.set_balance(account, balance)
