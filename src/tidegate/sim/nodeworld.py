"""What can be done to a node of our own beyond what a chain allows: blocks, time, state, undoing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

from tidegate.chain import Connection, block_of, hex_data, integer, octets, quantity
from tidegate.model import Address, Ambiguous, Block, ConfigError, Tampered, Unavailable
from tidegate.sim.cache import read_entry, write_entry
from tidegate.sim.environment import HARDFORK, next_block
from tidegate.sim.node import Node, node_arguments
from tidegate.sim.state import WorldState, state_digest, state_from_dump

_SETTLE_POLLS_MAX = 20_000
_NOTICED_S = 1.0
"""How long after its connections closed a killed process may still count as running."""

_MINING = ("auto", "manual", "interval")


class _Saved(msgspec.Struct, frozen=True):
    """A saved world: the node's own dump, and what it does not hold."""

    chain_id: int
    block_time_s: int
    dump: bytes


class Process(Protocol):
    """What a world asks of its node's process; ``Node`` is one."""

    @property
    def url(self) -> str:
        """Return where the node listens."""
        ...

    @property
    def pid(self) -> int:
        """Return the process id."""
        ...

    @property
    def is_alive(self) -> bool:
        """Say whether the process runs."""
        ...

    @property
    def printed(self) -> str:
        """Return the last lines that it printed."""
        ...

    def has_ended(self, *, within_s: float) -> bool:
        """Say whether it ends by itself within a time."""
        ...

    def close(self) -> None:
        """Stop it, if it is ours."""
        ...


class NodeWorld:
    """Owns the node's process and one connection to it. ``ExactWorld`` adds what every world does."""

    def __init__(
        self,
        *,
        chain_id: int,
        genesis: Block,
        block_time_s: int,
        mining: str,
        order: str,
        fork_url: str | None,
        fork_block: int | None,
        timeout_s: float,
    ) -> None:
        self._chain_id = chain_id
        self._gas_limit = genesis.gas_limit
        self._block_time_s = block_time_s
        self._snapshots: list[str] = []
        self._mining = "manual"
        self._mining = "auto"  # as the node starts
        # A base fee of zero stays zero: asking for it before each transaction would be in vain.
        self._is_free = fork_url is None and genesis.base_fee_wei == 0
        self._node: Process = Node(
            node_arguments(
                chain_id=chain_id,
                genesis=genesis,
                hardfork=HARDFORK,
                order=order,
                fork_url=fork_url,
                fork_block=fork_block,
            )
        )
        self._connection = Connection(self._node.url, name="the exact world", timeout_s=timeout_s)
        try:
            self._request("anvil_setLoggingEnabled", False)
            self._request("anvil_setBlockTimestampInterval", block_time_s)
            self.set_mining(mining)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the node. Doing it again does nothing."""
        self._connection.close()
        self._node.close()

    @property
    def url(self) -> str:
        """Return where the node listens, on loopback."""
        return self._node.url

    @property
    def pid(self) -> int:
        """Return the node's process id."""
        return self._node.pid

    @property
    def is_alive(self) -> bool:
        """Say whether the node runs."""
        return self._node.is_alive

    @property
    def printed(self) -> str:
        """Return the last lines that the node printed, and how it ended if it did."""
        return self._node.printed

    def has_ended(self) -> bool:
        """Say whether the node ended; asked after it did not answer, it waits a moment to be sure."""
        return self._node.has_ended(within_s=_NOTICED_S)

    @property
    def chain_id(self) -> int:
        """Return the id that ``CHAINID`` gives."""
        return self._chain_id

    def set_mining(self, mining: str) -> None:
        """Choose when blocks come: ``auto``, ``manual`` or ``interval``.

        Raises
        ------
        ConfigError
            If it is none of these.
        """
        if mining not in _MINING:
            raise ConfigError("no such mining", code="mining", found=mining, allowed=", ".join(_MINING))
        if mining == self._mining:
            return  # saying again what holds makes the node mine an empty block now and then
        if "interval" in (mining, self._mining):
            self._settle()
        self._mining = mining
        self._request("evm_setIntervalMining", self._block_time_s if mining == "interval" else 0)
        self._request("evm_setAutomine", mining == "auto")
        self._mining = mining

    def mine(self, blocks: int = 1, *, timestamp: int | None = None) -> Block:
        """Add ``blocks``; the last one gets ``timestamp`` if given. Return the newest.

        Raises
        ------
        ConfigError
            If ``timestamp`` is not after the block before.
        """
        self._settle()
        if timestamp is None:
            if blocks:
                self._request("anvil_mine", quantity(blocks))
        elif blocks:
            parent = self._latest()
            for _ in range(blocks - 1):
                parent = next_block(parent, self._block_time_s)
            next_block(parent, self._block_time_s, timestamp=timestamp)
            if blocks > 1:
                self._request("anvil_mine", quantity(blocks - 1))
            self._request("evm_setNextBlockTimestamp", quantity(timestamp))
            self._request("evm_mine")
        return self._latest()

    def set_next_timestamp(self, timestamp: int) -> None:
        """Give the next block this time. Raises ``ConfigError`` if that is not after the newest."""
        next_block(self._latest(), self._block_time_s, timestamp=timestamp)
        self._request("evm_setNextBlockTimestamp", quantity(timestamp))

    def set_base_fee(self, base_fee_wei: int) -> None:
        """Give the next block this base fee; the ones after follow from it by the rules (EIP-1559)."""
        self._request("anvil_setNextBlockBaseFeePerGas", quantity(base_fee_wei))
        self._is_free = self._is_free and base_fee_wei == 0

    def next_base_fee_wei(self) -> int:
        """Return the base fee of the block that a transaction sent now would be in."""
        if self._is_free:
            return 0
        return integer(self._request("eth_gasPrice"))

    def waiting(self, account: Address) -> dict[bytes, bytes]:
        """Return the signed bytes of an account's transactions that wait to be mined, by their hash."""
        content = self._request("txpool_content")
        mine = {
            **content["pending"].get(account.lower(), {}),
            **content["queued"].get(account.lower(), {}),
        }
        hashes = [found["hash"] for _, found in sorted(mine.items(), key=lambda item: int(item[0]))]
        return {octets(one): octets(self._request("eth_getRawTransactionByHash", one)) for one in hashes}

    def forget(self, transaction_hash: bytes) -> None:
        """Take a waiting transaction out of the mempool, as a node does that loses it."""
        self._request("anvil_dropTransaction", hex_data(transaction_hash))

    def forget_all(self) -> None:
        """Take every waiting transaction out of the mempool, also those that wait for a lower nonce."""
        self._request("anvil_dropAllTransactions")

    def reorg(self, depth: int, transactions: Sequence[tuple[bytes, int]] = ()) -> Block:
        """Replace the newest ``depth`` blocks by others and return the new head.

        ``transactions`` are signed bytes, each with the index (from 0) of the new block that holds it;
        what the old blocks held is undone and forgotten.
        """
        self._settle()
        self._request("anvil_reorg", depth, [[hex_data(raw), index] for raw, index in transactions])
        return self._latest()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Undo, on leaving the ``with``, all that was done inside, blocks too. Nests strictly.

        Raises
        ------
        RuntimeError
            If snapshots are left in another order than they were entered.
        """
        self._settle()
        identity = str(self._request("evm_snapshot"))
        self._snapshots.append(identity)
        try:
            yield
        finally:
            if self._snapshots[-1] != identity:
                raise RuntimeError("snapshots nest strictly: leave the innermost first")
            self._snapshots.pop()
            if self._node.is_alive:
                self._settle()
                if not self._request("evm_revert", identity):
                    raise Unavailable("the node lost a snapshot", code="snapshot", found=identity)

    def state(self) -> WorldState:
        """Return all accounts with code and storage."""
        return state_from_dump(octets(self._request("anvil_dumpState")))

    def state_digest(self) -> str:
        """Return one digest over all accounts, equal in every world that holds the same."""
        return state_digest(self.state())

    def save(self, path: Path) -> None:
        """Write the whole chain, blocks included, to a file with its digest."""
        self._settle()
        dump = octets(self._request("anvil_dumpState"))
        write_entry(path, msgspec.msgpack.encode(_Saved(self._chain_id, self._block_time_s, dump)))

    def load(self, path: Path) -> None:
        """Take on the chain of a file that ``save`` wrote; what was here is overlaid.

        Raises
        ------
        Tampered
            If the file is missing, damaged, or of another chain id.
        """
        payload = read_entry(path)
        if payload is None:
            raise Tampered("not a saved world", code="saved_world", found=str(path), fix="build it again")
        saved = msgspec.msgpack.decode(payload, type=_Saved)
        if saved.chain_id != self._chain_id:
            raise Tampered(
                "the saved world is another chain",
                code="saved_world",
                found=str(saved.chain_id),
                allowed=str(self._chain_id),
            )
        self._request("anvil_loadState", hex_data(saved.dump))
        self._is_free = False
        # The node takes on blocks and state but not the time that goes with them.
        self.set_next_timestamp(self._latest().timestamp + self._block_time_s)

    def _settle(self) -> None:
        """Wait until the node has taken the transactions that it mined out of its mempool.

        It answers a sender before it does so (by up to some milliseconds); what is undone in between
        would be mined again.

        Raises
        ------
        Unavailable
            If it does not come to rest.
        """
        if self._mining != "auto":
            return
        for _ in range(_SETTLE_POLLS_MAX):
            if integer(self._request("txpool_status")["pending"]) == 0:
                return
        raise Unavailable(
            "the node does not come to rest", code="node_busy", fix="stop sending while this world is undone"
        )

    def _latest(self) -> Block:
        return block_of(self._request("eth_getBlockByNumber", "latest", False))

    def _request(self, method: str, *params: Any) -> Any:
        try:
            return self._connection.request(method, *params)
        except (Unavailable, Ambiguous) as error:
            unanswered = isinstance(error, Ambiguous) or error.code == "transport"
            if not unanswered or not self.has_ended():
                raise
            raise Unavailable(
                "the exact world's node died",
                code="node_died",
                found=self._node.printed,
                fix="start a new world; what was saved can be loaded",
            ) from error
