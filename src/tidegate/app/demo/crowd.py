"""Everyone else on the demo's chain: they sign and send the market's moves."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.app.demo.market import Move
from tidegate.app.devnet import Devnet, devnet_key
from tidegate.model import Address, UnsignedTransaction
from tidegate.sim import ExactWorld

_GAS_LIMIT = 600_000


class Crowd:
    """Signs moves with the devnet's throw-away keys and hands them to the node's mempool."""

    def __init__(self, devnet: Devnet, world: ExactWorld) -> None:
        self._world = world
        self._chain_id = devnet.chain_id
        self._keys = {
            devnet.accounts[name]: devnet_key(name, chain_id=devnet.chain_id)
            for name in ("trader", "arbitrageur", "admin")
        }

    def send(self, moves: Iterable[Move]) -> None:
        """Send every move for the next block; who pays more is included first."""
        base_fee_wei = self._world.block().base_fee_wei
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
                max_fee_wei=2 * base_fee_wei + move.priority_fee_wei,
                max_priority_fee_wei=move.priority_fee_wei,
            )
            signed = self._keys[move.sender].sign_transaction(
                transaction, intent_id=move.label, plan_digest=transaction.content_digest
            )
            self._world.send_raw(signed.raw)
