"""The fast world: pyrevm in process, for outcome search and property tests.

Thousands of calls a second, and every trap of pyrevm closed off (``specs/worlds.md`` 3):

* one call is one transaction: transient storage is empty at the start of each;
* snapshots are ``with`` blocks that nest strictly and also undo balances, code and nonces that were
  set directly (pyrevm's own revert does not);
* every call runs in a whole block environment; block, time and nonces move as on the exact world;
* code comes without pyrevm's padding; reverts come decoded; a panic of the engine is caught, named,
  and leaves a world that refuses to answer.

What stays different, and is never to be asked of this world: gas is no true figure (slots stay warm
for ever), ``BASEFEE`` and the fee of a transaction are zero, ``GASLIMIT`` is the default gas limit,
``BLOCKHASH`` is made up unless forked, a contract can not be a sender, and a contract that destroys
itself in the transaction that created it stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tidegate.chain import address, keccak256
from tidegate.model import ZERO_ADDRESS, Address, Block, Log, Receipt, Rejected
from tidegate.sim.environment import DEFAULT_CHAIN_ID, GENESIS, next_block
from tidegate.sim.errors import WorldReverted
from tidegate.sim.fastaccounts import CodeShelf, Write
from tidegate.sim.fastbase import FastAccounts


class FastWorld(FastAccounts):
    """A chain inside this process. Keeps the ``World`` interface.

    Parameters
    ----------
    chain_id
        What ``CHAINID`` gives.
    block
        The newest block to start from.
    block_time_s
        By how much each block's time exceeds its parent's.
    shelf
        Analysed code, to be shared by worlds that hold the same contracts.
    fork_url
        Where to fetch the state at ``block`` (by its hash) from, when it is first needed: use
        ``PinnedWorlds``, which makes all of this fit.
    """

    def __init__(
        self,
        *,
        chain_id: int = DEFAULT_CHAIN_ID,
        block: Block = GENESIS,
        block_time_s: int = 1,
        shelf: CodeShelf | None = None,
        fork_url: str | None = None,
    ) -> None:
        super().__init__(
            chain_id=chain_id, block=block, block_time_s=block_time_s, shelf=shelf, fork_url=fork_url
        )

    def simulate(self, to: Address, data: bytes, sender: Address, value: int = 0) -> bytes:
        """Return what the call returns, changing nothing: the path of every search.

        Raises
        ------
        WorldReverted
            With the decoded revert.
        Rejected
            If no node would take it: the sender lacks the value, or is a contract.
        """
        evm = self._evm
        checkpoint = evm.snapshot()
        try:
            return evm.message_call(sender, to, data, value)  # type: ignore[no-any-return]
        except BaseException as error:  # noqa: BLE001  a panic of the engine is no Exception
            raise self._failure(error) from None
        finally:
            if self._evm is evm:
                self._undo(checkpoint)

    def call(
        self, to: Address, data: bytes = b"", *, sender: Address = ZERO_ADDRESS, value: int = 0
    ) -> bytes:
        """Return what the call returns, changing nothing. Raises as ``simulate`` does."""
        return self.simulate(to, data, sender, value)

    def transact(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address,
        value: int = 0,
        gas_limit: int | None = None,
    ) -> Receipt:
        """Do one transaction in a block of its own and return its receipt.

        ``gas_used`` there is no true figure, and no fee is taken. Raises as ``simulate`` does; a
        revert still takes a block and a nonce, a rejection takes neither.
        """
        before = self._begin()
        try:
            output = self._evm.message_call(sender, to, data, value, gas_limit)
        except BaseException as error:  # noqa: BLE001  a panic of the engine is no Exception
            raise self._failed(error, sender, before) from None
        self._evm.reset_transient_storage()
        receipt = self._receipt(sender, status=1, output=output)
        self._write(sender, nonce_delta=1)
        return receipt

    def run_last(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address,
        value: int = 0,
        gas_limit: int | None = None,
    ) -> Receipt:
        """Do one transaction as the last one of the newest block, undo it, and return its receipt.

        ``gas_used`` there is no true figure. Raises as ``simulate`` does; the revert has the receipt.
        """
        evm = self._evm
        checkpoint = evm.snapshot()
        try:
            output = evm.message_call(sender, to, data, value, gas_limit)
            return self._receipt(sender, status=1, output=output)
        except BaseException as error:  # noqa: BLE001  a panic of the engine is no Exception
            failure = self._failure(error)
            if isinstance(failure, WorldReverted):
                failure.receipt = self._receipt(sender, status=0, output=failure.data)
            raise failure from None
        finally:
            if self._evm is evm:
                self._undo(checkpoint)

    def deploy(self, initcode: bytes, *, sender: Address, value: int = 0) -> Address:
        """Create a contract in a block of its own and return its address. Raises as ``transact`` does."""
        before, nonce = self._begin(), self.nonce(sender)
        try:
            created = self._evm.deploy(sender, initcode, value)
        except BaseException as error:  # noqa: BLE001  a panic of the engine is no Exception
            raise self._failed(error, sender, before, nonce=nonce) from None
        self._evm.reset_transient_storage()
        self._transactions += 1
        return address(created)

    def mine(self, blocks: int = 1, *, timestamp: int | None = None) -> Block:
        """Add ``blocks``; the last one gets ``timestamp`` if given. Return the newest."""
        block = self._block
        for remaining in range(blocks, 0, -1):
            at = timestamp if remaining == 1 else None
            block = next_block(block, self._block_time_s, timestamp=at)
        self._enter(block)
        self._mark_changed()
        return block

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Undo, on leaving the ``with``, all that was done inside. Nests strictly.

        Raises
        ------
        RuntimeError
            If snapshots are left in another order than they were entered; the world is then unusable.
        """
        evm, block, transactions = self._evm, self._block, self._transactions
        writes: list[Write] = []
        self._frames.append(writes)
        checkpoint = evm.snapshot()
        try:
            yield
        finally:
            if self._evm is evm:
                if self._frames[-1] is not writes:
                    self._close("its snapshots were left in another order than entered")
                    raise RuntimeError("snapshots nest strictly: leave the innermost first")
                self._frames.pop()
                evm.revert(checkpoint)
                evm.reset_transient_storage()
                self._accounts.undo(writes)
                self._transactions = transactions
                self._enter(block)

    def _undo(self, checkpoint: Any) -> None:
        """End a simulation."""
        self._evm.revert(checkpoint)
        self._evm.reset_transient_storage()

    def _begin(self) -> Block:
        before = self._block
        self._enter(next_block(before, self._block_time_s))
        self._mark_changed()
        return before

    def _failed(
        self, error: BaseException, sender: Address, before: Block, *, nonce: int | None = None
    ) -> BaseException:
        """Return the failure of a transaction, its block and nonce settled."""
        failure = self._failure(error)
        if isinstance(failure, Rejected):
            self._enter(before)
        if isinstance(failure, WorldReverted):
            self._evm.reset_transient_storage()
            failure.receipt = self._receipt(sender, status=0, output=failure.data)
            # A creation that fails while it runs has raised the nonce already, inside the journal.
            if nonce is None or self.nonce(sender) == nonce:
                self._write(sender, nonce_delta=1)
        return failure

    def _receipt(self, sender: Address, *, status: int, output: bytes) -> Receipt:
        """Return a receipt; its hash is one that this world made up, unique within it."""
        self._transactions += 1
        result = self._evm.result
        logs = result.logs if status else ()
        return Receipt(
            transaction_hash=keccak256(f"fast:{self._chain_id}:{sender}:{self._transactions}".encode()),
            status=status,
            gas_used=int(result.gas_used),
            block_number=self._block.number,
            logs=tuple(_log(log) for log in logs),
            output=output,
        )


def _log(log: Any) -> Log:
    topics, data = log.data
    return Log(address=address(log.address), topics=tuple(bytes(topic) for topic in topics), data=bytes(data))
