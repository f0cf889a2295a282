"""How our own transactions fare on a node of ours: some wait, some are lost, as on any network.

The node is real and so is its mempool. A transaction that waits is taken out before a block is mined and
put back after; one that is lost is taken out for good, and whoever sent it finds that nobody knows it.
"""

from __future__ import annotations

from random import Random

from tidegate.app.market.crowd import Crowd
from tidegate.app.market.simulator import Market
from tidegate.model import Address, Block
from tidegate.sim import ExactWorld


class PaperBlocks:
    """Makes the blocks of a paper world: everyone else moves, then one block is mined.

    Parameters
    ----------
    account
        Whose transactions are delayed and lost: ours.
    delay_blocks
        How many blocks pass before a block may hold a transaction. 0: the next one.
    failure_share
        The share, 0 to 1, of what we send that the node loses; drawn by the seed, send by send.
    """

    def __init__(
        self,
        world: ExactWorld,
        market: Market,
        crowd: Crowd,
        account: Address,
        *,
        seed: int,
        delay_blocks: int = 0,
        failure_share: float = 0.0,
    ) -> None:
        self._world, self._market, self._crowd, self._account = world, market, crowd, account
        self._delay_blocks = delay_blocks
        self._failure_share = failure_share
        self._random = Random(f"tidegate paper node {seed}")  # noqa: S311 (a simulation, not a secret)
        self._since: dict[bytes, int] = {}
        self.lost = 0
        """How many sends the node has lost."""

    def advance(self) -> Block:
        """Let everyone else move, mine one block and return it. Mining must be manual."""
        held = self._hold_back()
        block = self._crowd.advance(self._market)
        for raw in held:
            self._world.send_raw(raw)
        return block

    def _hold_back(self) -> list[bytes]:
        """Take out of the mempool what is lost and what must wait; return the bytes of the latter."""
        if not self._delay_blocks and not self._failure_share:
            return []
        height = self._world.block().number
        waiting = self._world.waiting(self._account)
        self._since = {known: at for known, at in self._since.items() if known in waiting}
        held = []
        for known, raw in waiting.items():
            if known not in self._since:
                if self._random.random() < self._failure_share:
                    self._world.forget(known)
                    self.lost += 1
                    continue
                self._since[known] = height
            if height - self._since[known] < self._delay_blocks:
                self._world.forget(known)
                held.append(raw)
        return held
