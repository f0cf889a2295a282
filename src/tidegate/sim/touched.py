"""What simulations read, so that the next block's world can have it in one request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tidegate.chain import Connection, hex_data, integer, octets, quantity
from tidegate.model import Block
from tidegate.sim.fastaccounts import CodeShelf

_SLOT = re.compile(r"StorageChange \{ address: (0x[0-9a-f]{40}), key: (\d+),")
_JOURNAL = ", journal: [["
_CACHE, _CACHE_END = "(CacheDB { accounts: {", "}, contracts: {"
_CACHED = re.compile(r"(0x[0-9a-f]{40}): DbAccount \{ info: .*?, account_state: \w+, storage: \{([^}]*)\} \}")
_CACHED_SLOT = re.compile(r"(\d+): ")
_ENTRIES_MAX = 4_096


class Touched:
    """Accounts and slots that were read in the worlds of earlier blocks. Worlds of one node share it.

    It only saves time: a world that lacks something fetches it when it is read.

    Parameters
    ----------
    entries_max
        How much to remember; then everything is forgotten, and what is in use is learned again. None:
        never forget.
    """

    def __init__(self, entries_max: int | None = _ENTRIES_MAX) -> None:
        self._slots: dict[str, set[int]] = {}
        self._entries_max = entries_max

    @property
    def accounts(self) -> frozenset[str]:
        """Return the accounts, in lower case."""
        return frozenset(self._slots)

    @property
    def slots(self) -> frozenset[tuple[str, int]]:
        """Return the slots, each with its account in lower case."""
        return frozenset((account, slot) for account, held in self._slots.items() for slot in held)

    def learn(self, evm: Any) -> None:
        """Remember all that ``evm`` has loaded and not unloaded. Only the text of its journal names slots."""
        text = evm.journal_str
        journal = text[text.rfind(_JOURNAL) :]
        known = sum(map(len, self._slots.values()), len(self._slots))
        if self._entries_max is not None and known > self._entries_max:
            self._slots.clear()  # whatever is still in use will be learned again
        for account in evm.journal_state:
            self._slots.setdefault(account.lower(), set())
        for account, slot in _SLOT.findall(journal):
            self._slots.setdefault(account, set()).add(int(slot))

    def learn_all(self, evm: Any) -> None:
        """Remember all that ``evm`` ever fetched, also in calls that reverted. Only the text of it tells."""
        text = str(evm)
        start = text.find(_CACHE)
        cache = text[start : text.find(_CACHE_END, start)]
        for account, storage in _CACHED.findall(cache):
            slots = self._slots.setdefault(account, set())
            slots.update(int(slot) for slot in _CACHED_SLOT.findall(storage))

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
        held: dict[str, Held] = {}
        for account in self._slots:
            balance, nonce, code = integer(next(found)), integer(next(found)), octets(next(found))
            held[account] = Held(balance, nonce, code)
        put_under(evm, shelf, held, {key: integer(next(found)) for key in slots})


class Held(NamedTuple):
    """What an account holds but for its storage."""

    balance_wei: int
    nonce: int
    code: bytes


def put_under(
    evm: Any, shelf: CodeShelf, accounts: Mapping[str, Held], slots: Mapping[tuple[str, int], int]
) -> None:
    """Put state into a new ``evm`` as if it had been fetched: no revert takes it away."""
    for account, held in accounts.items():
        evm.insert_account_info(account, shelf.record(held.code, held.nonce))
    for (account, slot), word in slots.items():
        # Into the cache under the journal, where only an account that is not loaded can be written;
        # writing loads it, and undoing that leaves the cache as it is.
        checkpoint = evm.snapshot()
        evm.insert_account_storage(account, slot, word)
        evm.revert(checkpoint)
    for account, held in accounts.items():
        evm.set_balance(account, held.balance_wei)
