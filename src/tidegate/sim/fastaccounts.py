"""Accounts of the fast world written from outside: in full, and so that they can be undone.

pyrevm takes an account's code as raw bytes and then analyses it anew at every call (25 µs for 24 kB).
Code that a creation left behind is analysed once; so we create it in a scratch engine and carry the
account's record over. It also pads code in its answers and does not journal what is written directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyrevm

from tidegate.chain import keccak256
from tidegate.model import Address

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


class Accounts:
    """Reads and writes whole accounts of one engine."""

    def __init__(self, evm: Any) -> None:
        self._evm = evm
        self._codes: dict[bytes, bytes] = {}
        self._scratch = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(limit_contract_code_size=1 << 24)), spec_id="PRAGUE"
        )

    def code(self, account: Address) -> bytes:
        """Return runtime code without padding: the bytes whose hash the account carries."""
        padded = self._evm.get_code(account)
        if not padded:
            return b""
        digest = bytes(self._evm.basic(account).code_hash)
        if digest not in self._codes:
            stripped = bytes(padded[:-_PADDING])
            self._codes[digest] = stripped if keccak256(stripped) == digest else bytes(padded)
        return self._codes[digest]

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
        before = self.code(account)
        if code is None and not nonce_delta:
            self._evm.set_balance(account, (info.balance + balance_delta) % _UINT256)
        else:
            self._put(
                account,
                balance=(info.balance + balance_delta) % _UINT256,
                nonce=info.nonce + nonce_delta,
                code=before if code is None else code,
            )
        return Write(account, balance_delta, nonce_delta, None if code is None else before, info.nonce)

    def undo(self, write: Write) -> None:
        """Take back ``write``, after the journal was reverted to before it."""
        info = self._evm.basic(write.account)
        # The journal sets the nonce of an account whose creation it undoes to zero: such an account
        # held nothing at the snapshot's start, whatever code it had when it was written to.
        vanished = info.nonce == 0 and write.nonce_before > 0
        if write.code_before is None:
            code = self.code(write.account)
        else:
            code = b"" if vanished else write.code_before
        self._put(
            write.account,
            balance=(info.balance - write.balance_delta) % _UINT256,
            nonce=max(info.nonce - write.nonce_delta, 0),
            code=code,
        )

    def load(self, account: Address, *, balance: int, nonce: int, code: bytes) -> None:
        """Put a whole account, as read from another world."""
        self._put(account, balance=balance, nonce=nonce, code=code)

    def _put(self, account: Address, *, balance: int, nonce: int, code: bytes) -> None:
        if not code:
            info = pyrevm.AccountInfo(nonce=nonce)
        elif code[0] == 0xEF or not 0 < nonce <= _CREATIONS_MAX:
            info = pyrevm.AccountInfo(nonce=nonce, code=code)
        else:
            info = self._analysed(code, nonce)
        self._evm.insert_account_info(account, info)
        self._evm.set_balance(account, balance)

    def _analysed(self, code: bytes, nonce: int) -> Any:
        """Return the record of an account with ``code`` and ``nonce`` (at least 1), its code analysed.

        The initcode makes ``nonce - 1`` empty creations (each raises the new account's nonce by one)
        and returns ``code``.
        """
        count, length = (nonce - 1).to_bytes(4, "big"), len(code).to_bytes(3, "big")
        loop = b"\x63" + count + bytes.fromhex("5b8015601757 5f5f5ff050 60019003 600556 5b")
        tail = b"\x62" + length + b"\x80\x60" + bytes([len(loop) + 11]) + bytes.fromhex("5f395ff3")
        created = self._scratch.deploy(_SCRATCH_DEPLOYER, loop + tail + code)
        return self._scratch.basic(created)
