"""Scenes for kill tests: a street on a real node, what the world does meanwhile, and how it must end.

A scene is a script. A worker plays it until a signal kills it; the next one goes on where it stopped, as
a supervisor's restart would. Whatever the kill, the end is the scene's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from tests.chain.sender.ground import CHAIN, COUNTER, GWEI, REVERTS, FrailChain, key_of
from tests.pipeline import fakes

from tidegate.chain import Fees, address
from tidegate.chain.rpc import RpcPool
from tidegate.model import (
    Ambiguous,
    Denied,
    Intent,
    OutcomeKind,
    Plan,
    Reason,
    Rejected,
    Sending,
    UnsignedTransaction,
)
from tidegate.model.evm import content_digest
from tidegate.sim import ExactWorld, Manner

BLOCK_TIME_S = 12
LONG_S = 100_000


@dataclass(frozen=True)
class Scene:
    """``script`` is what happens, word by word; ``lives_s`` how long after the start the deadline is."""

    name: str
    script: tuple[str, ...]
    ends: OutcomeKind
    executions: int
    lives_s: int = LONG_S
    intents: int = 1
    on_content: Callable[[ExactWorld, bytes], Exception | None] = lambda _world, _raw: None
    then: Callable[[ExactWorld], None] = lambda _world: None
    arrives: bool = True
    signer_says: Exception | None = None
    max_fee_wei: int = 20 * GWEI
    stuck_after_blocks: int = 3
    sending: Sending | None = None
    manner: Manner = Manner.HONEST


def is_cancel(raw: bytes) -> bool:
    """Say whether signed bytes only use their nonce up."""
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return address(bytes(fields["to"])) == key_of().address


def no_answer(_world: ExactWorld, _raw: bytes) -> Exception:
    return Ambiguous("the wire was cut")


def refused(_world: ExactWorld, _raw: bytes) -> Exception:
    return Rejected("intrinsic gas too low", code="intrinsic_gas")


def breaks_the_target(world: ExactWorld, _raw: bytes) -> None:
    world.set_code(COUNTER, REVERTS)


def makes_it_dear(world: ExactWorld) -> None:
    world.set_base_fee(3 * GWEI)


LANDS = ("submit", "follow", "mine", "follow", "mine", "follow")
SCENES = (
    Scene("lands", LANDS, OutcomeKind.LANDED, 1),
    Scene("reverts", LANDS, OutcomeKind.REVERTED, 0, on_content=breaks_the_target),
    Scene(
        "is denied by the signer",
        LANDS,
        OutcomeKind.DENIED,
        0,
        signer_says=Denied(Reason.NOTIONAL_LIMIT, "too much"),
    ),
    Scene("is rejected", LANDS, OutcomeKind.REJECTED, 0, on_content=refused, arrives=False),
    Scene("arrives without an answer", LANDS, OutcomeKind.LANDED, 1, on_content=no_answer),
    Scene(
        "never arrives and expires",
        ("submit", "follow", "mine", "mine", "mine", "follow", "mine", "follow"),
        OutcomeKind.DROPPED,
        0,
        lives_s=30,
        on_content=no_answer,
        arrives=False,
    ),
    Scene(
        "is dropped by the mempool",
        ("submit", "forget", "follow", "mine", "follow"),
        OutcomeKind.LANDED,
        1,
    ),
    Scene(
        "is stuck and replaced",
        ("submit", "follow", "mine", "follow", "mine", "follow"),
        OutcomeKind.LANDED,
        1,
        then=makes_it_dear,
        max_fee_wei=2 * GWEI,
        stuck_after_blocks=1,
    ),
    Scene(
        "is replaced, and the first version lands",
        ("submit", "follow", "mine", "follow", "first again", "mine", "follow", "mine", "follow"),
        OutcomeKind.LANDED,
        1,
        then=makes_it_dear,
        max_fee_wei=2 * GWEI,
        stuck_after_blocks=1,
    ),
    Scene(
        "is withdrawn by a reorg and lands again",
        ("submit", "mine", "follow", "mine", "follow", "reorg", "follow", "mine", "follow"),
        OutcomeKind.LANDED,
        1,
    ),
    Scene(
        "is withdrawn by a reorg past its deadline",
        ("submit", "mine", "follow", "mine", "follow", "reorg", "late", "follow", "mine", "follow"),
        OutcomeKind.DROPPED,
        0,
        lives_s=60,
    ),
    Scene(
        "loses its nonce to a foreign hash",
        ("submit", "foreign", "follow", "mine", "follow", "lift", "follow", "mine", "follow"),
        OutcomeKind.DROPPED,
        1,
        on_content=no_answer,
        arrives=False,
    ),
    Scene("three at once", ("submit", "follow", "mine", "follow"), OutcomeKind.LANDED, 3, intents=3),
)


class SceneChain(FrailChain):
    """The node through a pool, with the scene's wire: what it does to content, never to cancels."""

    def __init__(self, pool: RpcPool, world: ExactWorld, scene: Scene) -> None:
        super().__init__(pool)
        self._world, self._scene = world, scene

    async def send_raw(self, raw: bytes) -> bytes:
        if is_cancel(raw):
            return await self.pool.send_raw(raw)
        trouble = self._scene.on_content(self._world, raw)
        known = await self.pool.send_raw(raw) if self._scene.arrives else b""
        self._scene.then(self._world)
        if trouble is not None:
            raise trouble
        return known


def foreign(nonce: int) -> bytes:
    """Return bytes that our key has signed elsewhere, under a nonce of ours."""
    fees = Fees(30 * GWEI, GWEI)
    unsigned = UnsignedTransaction(CHAIN, nonce, COUNTER, b"theirs", 0, 100_000, *fees_of(fees))
    digest = content_digest(CHAIN, COUNTER, b"theirs", 0, 100_000)
    return key_of().sign_now(unsigned, intent_id="theirs", plan_digest=digest).raw


def fees_of(fees: Fees) -> tuple[int, int]:
    return fees.max_fee_wei, fees.max_priority_fee_wei


def plan_of(wanted: Intent, scene: Scene) -> Plan:
    """Return a plan that calls the counter once."""
    plan = fakes.plan_of(wanted)
    fields = {name: getattr(plan, name) for name in Plan.__struct_fields__}
    fields |= {
        "to": COUNTER,
        "chain_id": CHAIN,
        "max_fee_wei": scene.max_fee_wei,
        "max_priority_fee_wei": GWEI,
        "gas_budget_wei": 100_000 * 40 * GWEI,
        "sending": scene.sending,
    }
    return Plan(**fields)
