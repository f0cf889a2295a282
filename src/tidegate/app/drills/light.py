"""A whole street with the lightest of desks: every intent is a transfer of nothing, signed and sent for real.

So a drill loads what it measures, the street, and not the search for a trade.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.app.devnet import Devnet, devnet_key, start_devnet
from tidegate.chain import Sender, devnet_network
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.custody import ThrowAwayKey
from tidegate.ledger import LEDGER, Journal
from tidegate.model import (
    Address,
    GuardResult,
    Intent,
    Operation,
    Plan,
    Probe,
    Receipt,
    Revert,
    SignedTransaction,
    Stage,
    SystemClock,
    UnsignedTransaction,
)
from tidegate.pipeline import NodeChain, Street
from tidegate.risk import LimitBook, LimitTable, RunLimits, StopBook

DESK = "drill"
_GAS_LIMIT = 30_000
_ACCOUNTS = 8
_DEADLINE_S = 2**32
_MANY = 10**9


class LightReader:
    """Reads plans back that change no balance."""

    def probe_data(self, plan: Plan) -> bytes:
        """Return the plan's own data: an account without code answers anything with nothing."""
        return plan.data

    def read_probe(self, plan: Plan, revert_data: bytes) -> Probe | None:  # noqa: ARG002
        """Return that nothing changed."""
        return Probe((), ())

    def explain(self, plan: Plan, revert_data: bytes) -> tuple[Revert, str | None]:  # noqa: ARG002
        """Return the revert data, undecoded."""
        return Revert("unknown", "0x" + revert_data.hex()), None

    def deltas(self, plan: Plan, receipt: Receipt) -> tuple[int, ...]:  # noqa: ARG002
        """Return no changes: the plan has no bounds."""
        return ()

    def holders(self, plan: Plan, deltas: tuple[int, ...]) -> tuple[Address, ...]:  # noqa: ARG002
        """Return no accounts: nothing changes."""
        return ()


class LightDesk:
    """Plans a transfer of nothing to ``recipient``, with the intent's id as data."""

    name = DESK

    def __init__(self, recipient: Address) -> None:
        self.reader = LightReader()
        self._recipient = recipient

    async def plan(self, intent: Intent) -> Plan:
        """Return the one plan there is."""
        return Plan(
            intent_id=intent.id,
            desk=DESK,
            chain_id=intent.chain_id,
            to=self._recipient,
            data=intent.id.encode(),
            value_wei=0,
            gas_limit=_GAS_LIMIT,
            max_fee_wei=100 * 10**9,
            max_priority_fee_wei=10**9,
            deadline_s=intent.deadline_s,
            bounds=(),
            steps=(),
            program_hash="",
            at_risk_usd_e6=0,
            flow_usd_e6=0,
            prices_usd_e8={"native": 0},
        )

    async def guards_before(self, plan: Plan) -> Sequence[GuardResult]:  # noqa: ARG002
        """Return no results: there is nothing to guard."""
        return ()

    async def guards_after(self, plan: Plan, receipt: Receipt) -> Sequence[GuardResult]:  # noqa: ARG002
        """Return no results."""
        return ()


@dataclass(slots=True)
class TimedSigner:
    """A throw-away key that notes when each signature was given, by the monotonic clock."""

    key: ThrowAwayKey
    signed: list[tuple[int, str]] = field(default_factory=list)

    @property
    def address(self) -> Address:
        """Return the key's account."""
        return self.key.address

    @property
    def capability_id(self) -> str:
        """Return that it needs none."""
        return self.key.capability_id

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        """Sign, then note the time: a signature counts from when it can leave."""
        signed = await self.key.sign_transaction(transaction, intent_id=intent_id, plan_digest=plan_digest)
        self.signed.append((time.monotonic_ns(), intent_id))
        return signed


@dataclass(slots=True)
class Light:
    """A street at work in ``home``, and what a drill needs to load and judge it."""

    home: Path
    chain_id: int
    street: Street
    stops: StopBook
    journal: Journal
    signer: TimedSigner
    count: int = 0

    def intent(self, operation: Operation = Operation.OPEN, *, name: str = "") -> Intent:
        """Return another intent, or the one called ``name``."""
        self.count += 1
        return Intent(
            id=name or f"drill {self.count}",
            desk=DESK,
            chain_id=self.chain_id,
            subject=DESK,
            reason="a drill",
            deadline_s=_DEADLINE_S,
            notional_usd_e6=1,
            body={},
            operation=operation,
            venues=(f"account {self.count % _ACCOUNTS}",),  # intents of one account wait for each other
        )


@asynccontextmanager
async def light_street(home: Path) -> AsyncIterator[Light]:
    """Start a devnet node and a street on it, with a ledger and stops of its own in ``home``.

    Raises
    ------
    Unavailable
        If anvil or the canonical contracts are not installed.
    """
    world, devnet = start_devnet()
    with world, Journal.open(home / LEDGER, clock=SystemClock()) as journal:
        async with light_street_on(world.url, devnet, home, journal) as light:
            yield light


@asynccontextmanager
async def light_street_on(url: str, devnet: Devnet, home: Path, journal: Journal) -> AsyncIterator[Light]:
    """Put a street on a node that runs, with a ledger that is open."""
    signer = TimedSigner(devnet_key("operator", chain_id=devnet.chain_id))
    network = devnet_network(devnet.chain_id)
    async with RpcPool(network, [Endpoint("node", url)]) as pool:
        chain = NodeChain(pool.reads(keep=Keep.NOTHING), pool.send_raw, network)
        stops = StopBook.open(home, clock=SystemClock(), journal=journal)
        street = Street(
            stage=Stage.PAPER,
            desk=LightDesk(devnet.accounts["treasury"]),
            chain=chain,
            sender=Sender(signer=signer, chain=chain, journal=journal, network=network),
            journal=journal,
            limits={DESK: RunLimits(max_runs_per_hour=_MANY, max_in_flight=_MANY)},
            book=LimitBook(LimitTable(stage=Stage.PAPER, allowed=dict.fromkeys(_COUNTED, _MANY))),
            stops=(stops,),
        )
        yield Light(home, devnet.chain_id, street, stops, journal, signer)


_COUNTED = ("open_intents", "open_transactions", "orders_per_minute", "gas_per_day_gwei")
