"""Writes a tape from a node: whoever reads a block's world here has it recorded.

The recorder's owner looks at a block as strategies do; all that was read is then on the tape, at this
block and at every earlier one that the node still has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from tidegate.chain import BlockReference, Connection, address, hex_data, integer, keccak256, octets, quantity
from tidegate.model import Block, Divergence, Rejected, Unavailable
from tidegate.sim.pinned import PinnedWorld, PinnedWorlds
from tidegate.sim.tape.tape import AccountValue, Measured, Slot, Tape, TapeBlock

_BATCH = 500
_Key = TypeVar("_Key", str, Slot)
_Value = TypeVar("_Value", AccountValue, int)


class TapeRecorder:
    """Records blocks of one node in order.

    Parameters
    ----------
    url
        The node's. Never shown.
    block_time_s
        For blocks that are mined on top in the fast world.
    """

    def __init__(self, url: str, *, block_time_s: int) -> None:
        self._block_time_s = block_time_s
        self._worlds = PinnedWorlds(url, keep=2, block_time_s=block_time_s, forgets=False)
        self._connection = Connection(url, name="the recorded node")
        self._blocks: list[TapeBlock] = []
        self._codes: dict[bytes, bytes] = {}
        self._accounts: dict[str, AccountValue] = {}
        self._slots: dict[Slot, int] = {}

    @property
    def blocks(self) -> int:
        """Return how many blocks are on the tape."""
        return len(self._blocks)

    @property
    def newest(self) -> Block | None:
        """Return the newest block on the tape."""
        return self._blocks[-1].block if self._blocks else None

    def at(self, block: Block | BlockReference) -> PinnedWorld:
        """Return the world of a block. What is read there will be on the tape."""
        return self._worlds.at(block)

    def add(self, block: Block, measured: Iterable[Measured] = ()) -> None:
        """Put a block on the tape with all that was read in worlds so far; it follows the newest one.

        Raises
        ------
        Divergence
            ``tape_gap`` if blocks are missing in between, or the block is an earlier one.
        Unavailable
            If the node does not answer or lacks the block; the tape is as before.
        """
        newest = self.newest
        if newest is not None and block.number != newest.number + 1:
            raise Divergence(
                "a tape has no gaps",
                code="tape_gap",
                found=f"block {block.number} after {newest.number}",
                allowed=f"block {newest.number + 1}",
                fix="add every block in order; after a reorg forget what was rolled back first",
            )
        world = self._worlds.at(block)
        world.learn()
        accounts = {account: self._account(world, account) for account in self._worlds.touched.accounts}
        slots = {key: world.storage(address(key[0]), key[1]) for key in self._worlds.touched.slots}
        self._read_back(accounts.keys() - self._accounts.keys(), slots.keys() - self._slots.keys())
        self._blocks.append(
            TapeBlock(
                block=block,
                accounts=_changes(self._accounts, accounts),
                slots=_changes(self._slots, slots),
                measured=tuple(measured),
            )
        )

    def forget_from(self, number: int) -> None:
        """Take the block ``number`` and all later ones off the tape again: a reorg rolled them back."""
        self._blocks = [one for one in self._blocks if one.block.number < number]
        self._accounts, self._slots = {}, {}
        for one in self._blocks:
            self._accounts.update(one.accounts)
            self._slots.update(one.slots)

    def tape(self, about: Mapping[str, Any]) -> Tape:
        """Return the tape as it stands."""
        held = {value.code_hash for one in self._blocks for value in one.accounts.values()}
        return Tape(
            chain_id=self._worlds.chain_id,
            block_time_s=self._block_time_s,
            about=dict(about),
            codes={known: self._codes[known] for known in held if known},
            blocks=tuple(self._blocks),
        )

    def close(self) -> None:
        """Close the connections."""
        self._worlds.close()
        self._connection.close()

    def _account(self, world: PinnedWorld, account: str) -> AccountValue:
        named = address(account)
        return AccountValue(world.nonce(named), world.balance(named), self._shelve(world.code(named)))

    def _shelve(self, code: bytes) -> bytes:
        if not code:
            return b""
        known = keccak256(code)
        self._codes.setdefault(known, code)
        return known

    def _read_back(self, accounts: Iterable[str], slots: Iterable[Slot]) -> None:
        """Put what is read for the first time on the earlier blocks too, as far back as the node goes."""
        new_accounts, new_slots = sorted(accounts), sorted(slots)
        if not (new_accounts or new_slots):
            return
        found: list[tuple[int, dict[str, AccountValue], dict[Slot, int]]] = []
        for place in reversed(range(len(self._blocks))):
            try:
                held = self._read(self._blocks[place].block, new_accounts, new_slots)
            except (Rejected, Unavailable):
                break  # pruned: from here on back it is not on the tape, and a replay refuses it
            found.append((place, *held))
        for place, older_accounts, older_slots in reversed(found):
            one = self._blocks[place]
            one.accounts.update(_changes(self._accounts, older_accounts))
            one.slots.update(_changes(self._slots, older_slots))

    def _read(
        self, block: Block, accounts: list[str], slots: list[Slot]
    ) -> tuple[dict[str, AccountValue], dict[Slot, int]]:
        at = {"blockHash": hex_data(block.hash)}
        methods = ("eth_getTransactionCount", "eth_getBalance", "eth_getCode")
        answers = self._answers(
            [
                *((method, (account, at)) for account in accounts for method in methods),
                *(("eth_getStorageAt", (account, quantity(slot), at)) for account, slot in slots),
            ]
        )
        held = {}
        for account in accounts:
            nonce, balance, code = integer(next(answers)), integer(next(answers)), octets(next(answers))
            held[account] = AccountValue(nonce, balance, self._shelve(code))
        return held, {key: integer(next(answers)) for key in slots}

    def _answers(self, calls: list[tuple[str, tuple[Any, ...]]]) -> Iterator[Any]:
        parts = [calls[start : start + _BATCH] for start in range(0, len(calls), _BATCH)]
        return iter([answer for part in parts for answer in self._connection.batch(part)])


def _changes(known: dict[_Key, _Value], now: Mapping[_Key, _Value]) -> dict[_Key, _Value]:
    """Return what ``now`` says otherwise than ``known``, or says first, and bring ``known`` up to it."""
    changes = {key: value for key, value in now.items() if known.get(key) != value}
    known.update(changes)
    return changes
