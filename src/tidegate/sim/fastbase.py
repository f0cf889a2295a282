"""One pyrevm engine and what it holds: accounts read and written, blocks entered, failures named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyrevm

from tidegate.chain import Abi, RevertDecoder
from tidegate.model import Address, Block, Unavailable
from tidegate.sim.environment import HARDFORK
from tidegate.sim.fastaccounts import Accounts, CodeShelf, Write
from tidegate.sim.fasterrors import Closed, failure_of
from tidegate.sim.state import WorldState, state_digest


class FastAccounts:
    """The accounts of a fast world. ``FastWorld`` adds what moves its chain on."""

    def __init__(
        self, *, chain_id: int, block: Block, block_time_s: int, shelf: CodeShelf | None, fork_url: str | None
    ) -> None:
        self._chain_id = chain_id
        self._block_time_s = block_time_s
        self._reverts = RevertDecoder()
        self._frames: list[list[Write]] = []
        self._transactions = 0
        self._is_changed = False
        self._evm: Any = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id)),
            gas_limit=block.gas_limit,
            spec_id=HARDFORK.upper(),
            fork_url=fork_url,
            fork_block=None if fork_url is None else "0x" + block.hash.hex(),
        )
        self._shelf = shelf or CodeShelf()
        self._accounts = Accounts(self._evm, self._shelf)
        self._enter(block)

    @property
    def chain_id(self) -> int:
        """Return the id that ``CHAINID`` gives."""
        return self._chain_id

    @property
    def is_closed(self) -> bool:
        """Say whether the engine failed and the world refuses to answer."""
        return isinstance(self._evm, Closed)

    @property
    def is_changed(self) -> bool:
        """Say whether anything was changed outside a snapshot since the world was made."""
        return self._is_changed

    def register_abi(self, abi: Abi) -> None:
        """Let custom errors of ``abi`` be decoded from now on."""
        self._reverts.register(abi)

    def block(self) -> Block:
        """Return the newest block; calls run in its environment."""
        return self._block

    def code(self, account: Address) -> bytes:
        """Return an account's runtime code, empty where there is none."""
        with self._reading():
            return self._accounts.code(account)

    def set_code(self, account: Address, code: bytes) -> None:
        """Put runtime code at an address; nonce, balance and storage stay."""
        self._write(account, code=code)

    def balance(self, account: Address) -> int:
        """Return an account's balance in wei."""
        with self._reading():
            return int(self._evm.get_balance(account))

    def set_balance(self, account: Address, wei: int) -> None:
        """Give an account exactly ``wei``."""
        self._write(account, balance_delta=wei - self.balance(account))

    def storage(self, account: Address, slot: int) -> int:
        """Return one storage word."""
        with self._reading():
            return int(self._evm.storage(account, slot))

    def set_storage(self, account: Address, slot: int, word: int) -> None:
        """Set one storage word."""
        with self._reading():
            self._evm.basic(account)  # only a loaded account's slots go through the journal
            self._evm.insert_account_storage(account, slot, word)
        self._mark_changed()

    def nonce(self, account: Address) -> int:
        """Return how many transactions or creations an account has made."""
        with self._reading():
            return int(self._evm.basic(account).nonce)

    def state(self) -> WorldState:
        """Return all accounts with code and storage; of a pinned world, those that it has seen."""
        with self._reading():
            return self._accounts.state()

    def state_digest(self) -> str:
        """Return one digest over all accounts, equal in every world that holds the same."""
        return state_digest(self.state())

    def load_state(self, state: WorldState) -> None:
        """Put whole accounts, as ``state`` of this or an exact world gave them.

        Raises
        ------
        RuntimeError
            Inside a snapshot: it could not be undone.
        """
        if self._frames:
            raise RuntimeError("a state is loaded outside snapshots")
        for account, held in state.items():
            with self._reading():
                self._accounts.put(account, balance=held.balance_wei, nonce=held.nonce, code=held.code)
                for slot, word in held.storage.items():
                    self._evm.insert_account_storage(account, slot, word)
        self._mark_changed()

    def _enter(self, block: Block) -> None:
        self._block = block
        self._evm.set_block_env(
            pyrevm.BlockEnv(
                number=block.number,
                coinbase=block.coinbase,
                timestamp=block.timestamp,
                prevrandao=block.prevrandao,
                basefee=block.base_fee_wei,
                gas_limit=block.gas_limit,
                excess_blob_gas=0,
            )
        )

    def _mark_changed(self) -> None:
        self._is_changed = self._is_changed or not self._frames

    def _write(
        self, account: Address, *, balance_delta: int = 0, nonce_delta: int = 0, code: bytes | None = None
    ) -> None:
        with self._reading():
            write = self._accounts.write(
                account, balance_delta=balance_delta, nonce_delta=nonce_delta, code=code
            )
        self._mark_changed()
        if self._frames:
            self._frames[-1].append(write)

    def _close(self, reason: str) -> None:
        """Let go of the engine: after a panic it is an empty world that would answer with zeros."""
        self._evm = Closed(reason)
        self._accounts = Accounts(self._evm, self._shelf)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Name what goes wrong when an account has to be fetched first."""
        try:
            yield
        except RuntimeError as error:
            raise self._failure(error) from None

    def _failure(self, error: BaseException) -> BaseException:
        """Return what pyrevm's ``error`` means; a panic closes the world."""
        failure = failure_of(error, self._reverts)
        if isinstance(failure, Unavailable):
            self._close(str(failure))
        return failure
