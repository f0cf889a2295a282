"""Fast worlds on a pinned block of a node: for each block one, and the newest few are kept.

What worlds of earlier blocks read comes in one request; the rest when it is first read, one by one:
a slot that was not loaded is fetched, never taken for zero. All of it is asked for by the block's hash,
so blocks that come later do not show. If the node dies or drops the
block, the world refuses (``Unavailable``) instead of answering from half a state.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from tidegate.chain import Abi, BlockReference, Connection, block_of, block_parameter, hex_data, integer
from tidegate.model import Block, Unavailable
from tidegate.sim.fast import FastWorld
from tidegate.sim.fastaccounts import CodeShelf
from tidegate.sim.touched import Touched


class PinnedWorld(FastWorld):
    """A fast world whose state is a node's at one block. ``PinnedWorlds.at`` makes them."""

    def __init__(
        self,
        *,
        chain_id: int,
        block: Block,
        block_time_s: int,
        url: str,
        shelf: CodeShelf,
        touched: Touched,
        connection: Connection,
    ) -> None:
        super().__init__(chain_id=chain_id, block=block, block_time_s=block_time_s, shelf=shelf, fork_url=url)
        self._touched = touched
        self._simulations = 0
        touched.fetch(connection, self._evm, block, shelf)

    def _undo(self, checkpoint: Any) -> None:
        # What was read is learned and its code analysed; ever fewer looks suffice.
        self._simulations += 1
        is_time = self._simulations & (self._simulations - 1) == 0
        if is_time:
            self._touched.learn(self._evm)
        super()._undo(checkpoint)
        if is_time and not self._frames:
            self._accounts.settle()

    def learn(self) -> None:
        """Remember everything that was read so far, also by what reverted and outside simulations."""
        self._touched.learn_all(self._evm)


class PinnedWorlds:
    """Makes fast worlds from blocks of one node, and keeps the newest ``keep`` of them by block hash.

    Parameters
    ----------
    url
        The node's. Never shown.
    keep
        How many worlds to keep; each holds what was fetched for its block.
    block_time_s
        For blocks that are mined on top in the fast world.
    forgets
        Whether what was touched may be forgotten when there is too much of it; not for a recorder.
    """

    def __init__(self, url: str, *, keep: int = 4, block_time_s: int = 1, forgets: bool = True) -> None:
        self._url = url
        self._keep = keep
        self._block_time_s = block_time_s
        self._connection = Connection(url, name="the pinned node")
        self._chain_id: int | None = None
        self._shelf = CodeShelf()
        self.touched = Touched() if forgets else Touched(entries_max=None)
        self._abis: list[Abi] = []
        self._worlds: OrderedDict[bytes, PinnedWorld] = OrderedDict()

    def register_abi(self, abi: Abi) -> None:
        """Let custom errors of ``abi`` be decoded in worlds made from now on."""
        self._abis.append(abi)

    def at(self, block: Block | BlockReference = "latest") -> PinnedWorld:
        """Return the world at a block: the kept one unless it was changed outside a snapshot.

        Raises
        ------
        Unavailable
            If the node does not have the block.
        """
        pinned = block if isinstance(block, Block) and block.hash else self._block(block)
        world = self._worlds.pop(pinned.hash, None)
        if world is None or world.is_closed or world.is_changed:
            world = PinnedWorld(
                chain_id=self.chain_id,
                block=pinned,
                block_time_s=self._block_time_s,
                url=self._url,
                shelf=self._shelf,
                touched=self.touched,
                connection=self._connection,
            )
            for abi in self._abis:
                world.register_abi(abi)
        self._worlds[pinned.hash] = world
        while len(self._worlds) > self._keep:
            self._worlds.popitem(last=False)
        return world

    def close(self) -> None:
        """Forget the worlds and close the connection."""
        self._worlds.clear()
        self._connection.close()

    @property
    def chain_id(self) -> int:
        """Return what the node says its chain is. Raises ``Unavailable`` if it does not answer."""
        if self._chain_id is None:
            self._chain_id = integer(self._connection.request("eth_chainId"))
        return self._chain_id

    def _block(self, block: Block | BlockReference) -> Block:
        reference = block.number if isinstance(block, Block) else block
        if isinstance(reference, bytes):
            found = self._connection.request("eth_getBlockByHash", hex_data(reference), False)
        else:
            found = self._connection.request("eth_getBlockByNumber", block_parameter(reference), False)
        if found is None:
            raise Unavailable("the pinned node has no such block", code="block_missing", found=str(reference))
        return block_of(found)
