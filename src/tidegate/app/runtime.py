"""Where rooms are put together: a node of ours, the atomic desk, and the street between them.

Paper runs on a devnet node that we start; fork runs on a second node that forks the first. Nothing
else differs: the same desk, the same street, the same client of ``chain/``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from tidegate.app.devnet import Devnet, address_book, change_executor, devnet_key, start_devnet
from tidegate.chain import ChainClient
from tidegate.desks.atomic import (
    Assignment,
    AtomicDesk,
    DeskConfig,
    Event,
    Look,
    Situation,
    Strategy,
    complete_blinds,
    decision_body,
    joint_policy,
    loss_limits,
)
from tidegate.ledger import Journal
from tidegate.model import Address, Clock, Intent, ManualClock, Outcome, Plan, RecordKind, Stage, digest
from tidegate.pipeline import NodeChain, Rehearsal, Street, drop_orphans, recover, rules_of
from tidegate.risk import RunLimits
from tidegate.sim import ExactWorld, PinnedWorlds
from tidegate.venues import AddressBook, StateView, glossary_of
from tidegate.venues.executor import ExecutorReader
from tidegate.venues.tokens import transfer

BLOCK_TIME_S = 12
_LOOK_AGAIN_S = 0.02
INVENTORY_WETH = 2 * 10**18
Blinds = Mapping[str, int | bool | str]


@dataclass(frozen=True, slots=True)
class Job:
    """A strategy and the blinds that a person gave it."""

    strategy: Strategy
    blinds: Blinds = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ground:
    """A node of ours with a devnet on it, and the executor's policy for the jobs in force."""

    world: ExactWorld
    devnet: Devnet
    book: AddressBook
    assignments: tuple[Assignment, ...]


@contextmanager
def devnet_ground(jobs: Iterable[Job], *, mining: str = "auto") -> Iterator[Ground]:
    """Start a devnet node and have its owner's Safe allow exactly what the jobs need.

    What the executor may lose of any token they move is limited on chain, too.

    Raises
    ------
    Unavailable
        If anvil or the canonical contracts are not installed.
    """
    world, devnet = start_devnet(block_time_s=BLOCK_TIME_S, order="fees")
    with world:
        book = address_book(devnet, world)
        operator = devnet.accounts["operator"]
        assignments = tuple(
            Assignment(job.strategy, book, operator, complete_blinds(job.strategy, job.blinds))
            for job in jobs
        )
        policy = joint_policy(assignments, world)
        change_executor(world, devnet, [*policy, *loss_limits(assignments)])
        world.set_mining(mining)
        yield Ground(world, devnet, book, assignments)


@contextmanager
def forked(ground: Ground, *, mining: str = "auto") -> Iterator[Ground]:
    """Start a second node that forks the first at its newest block."""
    head = ground.world.block()
    with ExactWorld(
        chain_id=ground.devnet.chain_id,
        block_time_s=BLOCK_TIME_S,
        mining=mining,
        order="fees",
        fork_url=ground.world.url,
        fork_block=head.number,
    ) as world:
        yield Ground(world, ground.devnet, ground.book, ground.assignments)


def give_inventory(ground: Ground) -> None:
    """Give the paper executor funds of its own: enough for the strategies that ship."""
    devnet = ground.devnet
    holder = devnet.accounts["trader"]
    transfer(ground.world, devnet.weth, devnet.executor, INVENTORY_WETH, holder=holder)


class Session:
    """The atomic desk at work: looks, decides, walks the street, follows what it sent."""

    def __init__(
        self,
        *,
        desk: AtomicDesk,
        street: Street,
        journal: Journal,
        clock: Clock,
        chain: NodeChain,
        operator: Address,
    ) -> None:
        self._operator = operator
        self.desk, self.street, self.journal = desk, street, journal
        self._clock, self._chain = clock, chain
        self._last: dict[str, tuple[int, int]] = {}

    async def tick(self) -> None:
        """Set a manual clock to the newest block's time; what is journaled until the next one bears it."""
        if isinstance(self._clock, ManualClock):
            head = await self._chain.block()
            self._clock.set_ms(max(self._clock.now_ms(), head.timestamp * 1000))

    def look(self, subject: str, event: Event) -> Look:
        """Look at the newest block for one strategy, decide, and journal the decision."""
        opened = sum(run.intent.subject == subject for run in self.street.open_runs)
        block, at_s = self._last.get(subject, (None, None))
        look = self.desk.look(subject, event, Situation(opened, block, at_s))
        body = decision_body(look.inputs, look.config, look.decision)
        self.journal.append(RecordKind.DECISION, body, actor=f"desk:{self.desk.name}")
        self.remember(look.inputs.block_number, look.inputs.block_timestamp_s, look.decision.intent)
        return look

    def remember(self, block: int, at_s: int, intent: Intent | None) -> None:
        """Note when a strategy last acted: its cooldown begins there."""
        if intent is not None:
            self._last[intent.subject] = (block, at_s)

    async def act(self, intent: Intent) -> Outcome | None:
        """Walk an intent down the street as far as sending."""
        return await self.street.submit(intent)

    def by_hand(self) -> Event:
        """Return a new event that says: a person asked for this run."""
        return Event(id=f"by hand {secrets.token_hex(16)}", kind="manual")

    async def rehearse(self, plan: Plan) -> Rehearsal:
        """Run a plan's own bytes and its probe on the newest block, sending nothing."""
        probe_data = self.desk.reader.probe_data(plan)
        return await self._chain.simulate(plan, sender=self._operator, probe_data=probe_data)

    async def recover(self) -> int:
        """Go on with what an earlier process left open; return how many runs that were."""
        for record in self.journal.records(kind=RecordKind.PLAN):
            self.desk.recall(record.body["notes"])
        return len(await recover(self.street, self.journal, now_ms=self._clock.now_ms()))

    async def settled(self, intent_id: str) -> Outcome:
        """Follow until the intent has its outcome.

        Raises
        ------
        Unavailable
            If the node stops answering; the run stays open in the journal.
        """
        while True:
            for outcome in await self.street.follow():
                if outcome.intent_id == intent_id:
                    return outcome
            await self._chain.block()  # a node that is gone is noticed here
            await asyncio.sleep(_LOOK_AGAIN_S)

    def drop_orphans(self) -> int:
        """End what an earlier process left open on a node that is gone; return how many runs that were."""
        return len(drop_orphans(self.street, self.journal, now_ms=self._clock.now_ms()))


@asynccontextmanager
async def open_session(
    ground: Ground, journal: Journal, clock: Clock, *, stage: Stage, salt: str
) -> AsyncIterator[Session]:
    """Put the desk and the street on a node.

    Parameters
    ----------
    salt
        Hashed with each strategy's blinds, so that the journal does not give them away.

    Raises
    ------
    Denied
        ``stage`` if the stage can not be walked.
    """
    rules_of(stage)
    devnet, world = ground.devnet, ground.world
    pinned = PinnedWorlds(world.url, block_time_s=BLOCK_TIME_S)
    signer = devnet_key("operator", chain_id=devnet.chain_id)
    try:
        async with ChainClient(world.url, devnet.chain_id) as client:
            chain = NodeChain(client)

            def state_at(block: int | None) -> StateView:
                return pinned.at("latest" if block is None else block)

            async def rehearse(plan: Plan) -> Rehearsal:
                return await chain.simulate(plan, sender=signer.address)

            desk = AtomicDesk(
                ground.assignments,
                state_at=state_at,
                rehearse=rehearse,
                reader=ExecutorReader(
                    treasury=devnet.accounts["treasury"], weth=devnet.weth, glossary=glossary_of(ground.book)
                ),
                blinds_hashes={one.strategy.name: _blinds_hash(one, salt) for one in ground.assignments},
            )
            street = Street(
                stage=stage,
                desk=desk,
                chain=chain,
                signer=signer,
                journal=journal,
                limits={
                    one.strategy.name: _limits(one, desk.config(one.strategy.name))
                    for one in ground.assignments
                },
            )
            session = Session(
                desk=desk, street=street, journal=journal, clock=clock, chain=chain, operator=signer.address
            )
            await session.tick()
            yield session
    finally:
        pinned.close()


def _limits(assignment: Assignment, config: DeskConfig) -> RunLimits:
    limits = assignment.strategy.limits
    return RunLimits(
        max_runs_per_hour=limits.max_runs_per_hour,
        max_in_flight=config.max_in_flight,
        max_loss_per_day_usd_e6=limits.max_loss_per_day_usd_e6,
    )


def _blinds_hash(assignment: Assignment, salt: str) -> str:
    given = {name: str(value) for name, value in sorted(assignment.blinds.items())}
    return digest({"salt": salt, "blinds": given})
