"""A sender on a real node whose blocks come when the test says so, and what its journal tells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from tests.chain.rpc.support import PATIENT, PATIENT_S

from tidegate.chain import (
    FeeHistory,
    Fees,
    Network,
    Sender,
    SenderSettings,
    Tracked,
    Work,
    address,
    devnet_network,
)
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.custody import ThrowAwayKey
from tidegate.ledger import Journal
from tidegate.model import (
    Address,
    Block,
    Denied,
    Operation,
    Receipt,
    RecordKind,
    SignedTransaction,
    Stage,
    SystemClock,
    UnsignedTransaction,
)
from tidegate.model.evm import content_digest
from tidegate.sim import ExactWorld

CHAIN = 31337
GWEI = 10**9
COUNTER = address(0xC0C0)
COUNTS = bytes.fromhex("5f546001015f5500")  # slot 0 += 1
FAILS = address(0xFA11)
REVERTS = bytes.fromhex("5f5ffd")
START_S = 1_700_000_000


def key_of(name: str = "sender tests") -> ThrowAwayKey:
    return ThrowAwayKey(name, stage=Stage.PAPER, chain_ids=frozenset({CHAIN}))


def world_of(**settings: object) -> ExactWorld:
    """Return a node that mines by hand, with a contract that counts its calls and one that reverts."""
    world = ExactWorld(chain_id=CHAIN, mining="manual", order="fees", **settings)  # type: ignore[arg-type]
    world.set_code(COUNTER, COUNTS)
    world.set_code(FAILS, REVERTS)
    world.set_balance(key_of().address, 10**20)
    world.mine()
    return world


def count_of(world: ExactWorld) -> int:
    """Return how often the counter was called: how many executions there were."""
    return world.storage(COUNTER, 0)


def work(
    name: str = "one",
    *,
    to: Address = COUNTER,
    fees: Fees = Fees(2 * GWEI, GWEI),  # noqa: B008  immutable
    budget_wei: int = 100_000 * 100 * GWEI,
    deadline_s: int = START_S + 10_000,
    operation: Operation = Operation.OPEN,
    value_wei: int = 0,
) -> Work:
    data = name.encode()
    return Work(
        intent_id=name,
        desk="test",
        chain_id=CHAIN,
        plan_digest=content_digest(CHAIN, to, data, value_wei, 100_000),
        to=to,
        data=data,
        value_wei=value_wei,
        gas_limit=100_000,
        fees=fees,
        gas_budget_wei=budget_wei,
        deadline_s=deadline_s,
        operation=operation,
    )


def tracked(wanted: Work, refusals: Sequence[Denied | None] = ()) -> Tracked:
    """Return work to be sent, with what stops and breakers answer each time they are asked."""
    answers = iter(refusals)
    return Tracked(wanted, refusal=lambda _: next(answers, None))


class FrailChain:
    """The node through a pool, with a wire that the test cuts."""

    def __init__(self, pool: RpcPool) -> None:
        self.pool = pool
        self.reads = pool.reads(keep=Keep.NOTHING)
        self.on_send: Exception | None = None
        self.loses_sends = False
        self.sent: list[bytes] = []

    async def block(self, reference: object = "latest") -> Block:
        return await self.reads.block(reference)  # type: ignore[arg-type]

    async def nonce(self, account: Address, block: object = "latest") -> int:
        return await self.reads.nonce(account, block)  # type: ignore[arg-type]

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        return await self.reads.receipt(transaction_hash)

    async def knows(self, transaction_hash: bytes) -> bool:
        return await self.reads.knows(transaction_hash)

    async def fee_history(self, blocks: int = 20, percentiles: Sequence[float] = (60,)) -> FeeHistory:
        return await self.reads.fee_history(blocks, percentiles)

    async def send_raw(self, raw: bytes) -> bytes:
        self.sent.append(raw)
        if not self.loses_sends:
            known = await self.pool.send_raw(raw)
        if self.on_send is not None:
            raise self.on_send
        return known


@dataclass
class SlyKey:
    """A key that does as it is told by the test before it signs."""

    key: ThrowAwayKey
    answers: list[Exception | None] = field(default_factory=list)
    asked: list[UnsignedTransaction] = field(default_factory=list)
    capability_id: str = ""

    @property
    def address(self) -> Address:
        return self.key.address

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        self.asked.append(transaction)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return self.key.sign_now(transaction, intent_id=intent_id, plan_digest=plan_digest)


@dataclass
class Place:
    world: ExactWorld
    chain: FrailChain
    journal: Journal
    key: SlyKey
    network: Network

    def sender(self, **settings: object) -> Sender:
        return Sender(
            signer=self.key,
            chain=self.chain,
            journal=self.journal,
            network=self.network,
            settings=msgspec.convert(settings, SenderSettings),
        )

    def kinds(self, name: str = "one") -> list[str]:
        return [record.kind.value for record in self.journal.records(correlation_id=name)]

    def bodies(self, kind: RecordKind) -> list[dict[str, object]]:
        return [record.body for record in self.journal.records(kind=kind)]

    def in_mempool(self) -> list[bytes]:
        return list(self.world.waiting(self.key.address).values())


def pool_of(world: ExactWorld) -> RpcPool:
    """Return a pool of the one node, not started yet."""
    return RpcPool(devnet_network(CHAIN), [Endpoint("node", world.url, **PATIENT)], deadline_s=PATIENT_S)


@asynccontextmanager
async def place_of(
    world: ExactWorld, folder: Path, *, key: ThrowAwayKey | None = None, **network: object
) -> AsyncIterator[Place]:
    async with pool_of(world) as pool:
        with Journal.open(folder / "ledger.sqlite", clock=SystemClock()) as journal:
            yield Place(
                world,
                FrailChain(pool),
                journal,
                SlyKey(key or key_of()),
                msgspec.structs.replace(devnet_network(CHAIN), **network),
            )


async def sent(sender: Sender, one: Tracked) -> Tracked:
    """Sign and send; the first half of a transaction's life."""
    await sender.sign(one)
    await sender.send(one)
    return one
