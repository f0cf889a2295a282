"""Everyone else on the demo's chain: they sign and send the market's moves."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.app.devnet import Devnet, devnet_key
from tidegate.app.market.simulator import Market, Move
from tidegate.model import Address, Block, UnsignedTransaction
from tidegate.sim import ExactWorld

_GAS_LIMIT = 600_000
_MAX_FEE_WEI = 100 * 10**9


class Crowd:
    """Signs moves with the devnet's throw-away keys and hands them to the node's mempool.

    Parameters
    ----------
    competes
        Whether others outbid us: they offer the highest fee and come first in the block. If not, they offer
        the block's base fee and no more, and come last.
    """

    def __init__(self, devnet: Devnet, world: ExactWorld, *, competes: bool = True) -> None:
        self._devnet, self._world, self._competes = devnet, world, competes
        self._chain_id = devnet.chain_id
        self._keys = {
            devnet.accounts[name]: devnet_key(name, chain_id=devnet.chain_id)
            for name in ("trader", "arbitrageur", "admin")
        }

    def on(self, world: ExactWorld) -> Crowd:
        """Return the same crowd on another node that holds the same devnet, such as a fork."""
        return Crowd(self._devnet, world, competes=self._competes)

    def advance(self, market: Market) -> Block:
        """Let everyone else move, mine one block at the market's base fee, and return it.

        What was handed to the node before competes with the moves by its highest fee, by which the node
        orders a block. Mining must be manual.
        """
        number = self._world.block().number + 1
        base_fee_wei = market.base_fee_wei(number)
        self._send(market.moves(self._world, number), _MAX_FEE_WEI if self._competes else base_fee_wei)
        self._world.set_base_fee(base_fee_wei)
        return self._world.mine()

    def move(self, market: Market) -> int:
        """Send the moves of the next block to a node that mines by itself; return how many they are."""
        moves = market.moves(self._world, self._world.block().number + 1)
        self._send(moves, _MAX_FEE_WEI)
        return len(moves)

    def _send(self, moves: Iterable[Move], max_fee_wei: int) -> None:
        nonces: dict[Address, int] = {}
        for move in moves:
            nonce = nonces.get(move.sender, self._world.nonce(move.sender))
            nonces[move.sender] = nonce + 1
            transaction = UnsignedTransaction(
                chain_id=self._chain_id,
                nonce=nonce,
                to=move.to,
                data=move.data,
                value_wei=0,
                gas_limit=_GAS_LIMIT,
                max_fee_wei=max_fee_wei,
                max_priority_fee_wei=min(move.priority_fee_wei, max_fee_wei) if self._competes else 0,
            )
            signed = self._keys[move.sender].sign_now(
                transaction, intent_id=move.label, plan_digest=transaction.content_digest
            )
            self._world.send_raw(signed.raw)
