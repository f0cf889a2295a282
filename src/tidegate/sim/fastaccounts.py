"""Accounts of the fast world written from outside: in full, and so that they can be undone.

pyrevm takes an account's code as raw bytes and then analyses it anew at every call (25 µs for 24 kB).
Code that a creation left behind is analysed once; so we create it in a scratch engine and carry the
account's record over. It also pads code in its answers and does not journal what is written directly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyrevm

from tidegate.chain import address, keccak256
from tidegate.model import Address
from tidegate.sim.environment import HARDFORK
from tidegate.sim.state import AccountState, WorldState

_STORAGE = re.compile(
    r"(0x[0-9a-f]{40}): Account \{ info: .*?, storage: \{((?:\d+: StorageSlot \{[^}]*\},? ?)*)\}"
)
_SLOT = re.compile(r"(\d+): StorageSlot")
_PADDING = 33
_SCRATCH_DEPLOYER = "0x00000000000000000000000000000000000000d1"
_CREATIONS_MAX = 10_000
_UINT256 = 1 << 256


@dataclass(frozen=True, slots=True)
class Write:
    """A direct write, kept so that leaving a snapshot can take it back.

    Differences, not values: the journal's own revert moves balances by differences (mod 2**256), so
    the two commute and the balance at the snapshot's start comes out exactly.
    """

    account: Address
    balance_delta: int = 0
    nonce_delta: int = 0
    code_before: bytes | None = None
    nonce_before: int = 0


class CodeShelf:
    """Code by hash without its padding, and account records with analysed code. Worlds may share one."""

    def __init__(self) -> None:
        self._codes: dict[bytes, bytes] = {}
        self._records: dict[tuple[bytes, int], Any] = {}
        self._scratch = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(limit_contract_code_size=1 << 24)), spec_id=HARDFORK.upper()
        )

    def stripped(self, padded: bytes, digest: bytes) -> bytes:
        """Return ``padded`` code as it was deployed: the bytes that have this hash."""
        if digest not in self._codes:
            stripped = padded[:-_PADDING]
            self._codes[digest] = stripped if keccak256(stripped) == digest else padded
        return self._codes[digest]

    def record(self, code: bytes, nonce: int) -> Any:
        """Return the record of an account without balance, its code analysed where that is possible."""
        if not code:
            return pyrevm.AccountInfo(nonce=nonce)
        if code[0] == 0xEF or not 0 < nonce <= _CREATIONS_MAX:
            return pyrevm.AccountInfo(nonce=nonce, code=code)
        if (code, nonce) not in self._records:
            self._records[code, nonce] = self._created(code, nonce)
        return self._records[code, nonce]

    def _created(self, code: bytes, nonce: int) -> Any:
        """Create an account with ``code`` and ``nonce`` (at least 1).

        The initcode makes ``nonce - 1`` empty creations (each raises the new account's nonce by one)
        and returns ``code``.
        """
        count, length = (nonce - 1).to_bytes(4, "big"), len(code).to_bytes(3, "big")
        loop = b"\x63" + count + bytes.fromhex("5b8015601757 5f5f5ff050 60019003 600556 5b")
        tail = b"\x62" + length + b"\x80\x60" + bytes([len(loop) + 11]) + bytes.fromhex("5f395ff3")
        created = self._scratch.deploy(_SCRATCH_DEPLOYER, loop + tail + code)
        return self._scratch.basic(created)


class Accounts:
    """Reads and writes whole accounts of one engine."""

    def __init__(self, evm: Any, shelf: CodeShelf) -> None:
        self._evm = evm
        self._shelf = shelf
        self._settled: set[str] = set()

    def code(self, account: Address) -> bytes:
        """Return runtime code without padding."""
        padded = self._evm.get_code(account)
        if not padded:
            return b""
        return self._shelf.stripped(bytes(padded), bytes(self._evm.basic(account).code_hash))

    def write(
        self,
        account: Address,
        *,
        balance_delta: int = 0,
        nonce_delta: int = 0,
        code: bytes | None = None,
    ) -> Write:
        """Change parts of an account, keep the others, and return what undoes it."""
        info = self._evm.basic(account)
        balance = (info.balance + balance_delta) % _UINT256
        if code is None and not nonce_delta:
            self._evm.set_balance(account, balance)
            return Write(account, balance_delta)
        before = self.code(account)
        self.put(
            account,
            balance=balance,
            nonce=info.nonce + nonce_delta,
            code=before if code is None else code,
        )
        return Write(account, balance_delta, nonce_delta, None if code is None else before, info.nonce)

    def undo(self, writes: Sequence[Write]) -> None:
        """Take back ``writes``, oldest first, after the journal was reverted to before them."""
        # An account that was first loaded after that is unloaded by the revert: nothing is left of it.
        loaded = {account.lower() for account in self._evm.journal_state} if writes else set()
        for write in reversed(writes):
            if write.account.lower() in loaded:
                self._undo(write)

    def _undo(self, write: Write) -> None:
        info = self._evm.basic(write.account)
        balance = (info.balance - write.balance_delta) % _UINT256
        if write.code_before is None and not write.nonce_delta:
            self._evm.set_balance(write.account, balance)
            return
        # The journal sets the nonce of an account whose creation it undoes to zero: such an account
        # had no code at the snapshot's start, whatever it had when it was written to.
        vanished = info.nonce == 0 and write.nonce_before > 0
        if write.code_before is None:
            code = self.code(write.account)
        else:
            code = b"" if vanished else write.code_before
        self.put(write.account, balance=balance, nonce=max(info.nonce - write.nonce_delta, 0), code=code)

    def put(self, account: Address, *, balance: int, nonce: int, code: bytes) -> None:
        """Put a whole account but for its storage, which stays."""
        self._evm.basic(account)  # what is not loaded would go past the journal, for good
        self._evm.insert_account_info(account, self._shelf.record(code, nonce))
        self._evm.set_balance(account, balance)

    def settle(self) -> None:
        """Give every account that a fork has fetched so far its analysed code.

        Not inside a snapshot: what is loaded there is unloaded on leaving it.
        """
        for account in self._evm.db_accounts.keys() - self._settled:
            self._settled.add(account)
            if code := self.code(account):
                info = self._evm.basic(account)
                self.put(account, balance=info.balance, nonce=info.nonce, code=code)

    def state(self) -> WorldState:
        """Return every account that the engine holds.

        It lists accounts but no slots; these stand in the text of its journal alone.
        """
        slots = {
            Address(account): [int(slot) for slot in _SLOT.findall(storage)]
            for account, storage in _STORAGE.findall(self._evm.journal_str)
        }
        found: WorldState = {}
        for text in {*self._evm.db_accounts, *self._evm.journal_state}:
            info = self._evm.basic(text)
            words = {slot: self._evm.storage(text, slot) for slot in slots.get(text.lower(), ())}
            found[address(text)] = AccountState(
                nonce=info.nonce,
                balance_wei=info.balance,
                code=self.code(text),
                storage={slot: word for slot, word in words.items() if word},
            )
        return found
