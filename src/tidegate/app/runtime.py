"""Where rooms are put together: a node of ours, the atomic desk, and the street between them.

Paper runs on a devnet node that we start; fork runs on a second node that forks the first. Nothing
else differs: the same desk, the same street, the same pool of ``chain/``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from tidegate.app.devnet import Devnet, address_book, change_executor, devnet_key, start_devnet
from tidegate.app.session import Session, blinds_hashes, run_limits
from tidegate.chain import Sender, devnet_network
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.desks.atomic import (
    Assignment,
    AtomicDesk,
    Strategy,
    complete_blinds,
    joint_policy,
    loss_limits,
)
from tidegate.ledger import Journal
from tidegate.model import Address, Clock, Plan, Stage
from tidegate.pipeline import NodeChain, Rehearsal, Street, rules_of
from tidegate.risk import LimitBook, LimitTable
from tidegate.sim import ExactWorld, PinnedWorlds
from tidegate.venues import AddressBook, StateView, glossary_of
from tidegate.venues.executor import ExecutorReader, FlashKind
from tidegate.venues.flash import PENALTY_USD_E6
from tidegate.venues.tokens import transfer

BLOCK_TIME_S = 12
INVENTORY_WETH = 2 * 10**18
Blinds = Mapping[str, int | bool | str]


@dataclass(frozen=True, slots=True)
class Job:
    """A strategy, the blinds that a person gave it, and what caution adds to the cost of lenders."""

    strategy: Strategy
    blinds: Blinds = field(default_factory=dict)
    lender_penalties_usd_e6: Mapping[FlashKind, int] = field(default_factory=lambda: PENALTY_USD_E6)

    def assignment(self, book: AddressBook, operator: Address) -> Assignment:
        """Return it with a chain's names and the account that operates.

        Raises
        ------
        ConfigError
            If a blind is missing.
        """
        return Assignment(
            strategy=self.strategy,
            book=book,
            operator=operator,
            blinds=complete_blinds(self.strategy, self.blinds),
            lender_penalties_usd_e6=self.lender_penalties_usd_e6,
        )


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
        assignments = tuple(job.assignment(book, operator) for job in jobs)
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


@asynccontextmanager
async def open_session(
    ground: Ground,
    journal: Journal,
    clock: Clock,
    *,
    stage: Stage,
    salt: str,
    table: LimitTable | None = None,
) -> AsyncIterator[Session]:
    """Put the desk and the street on a node.

    Parameters
    ----------
    salt
        Hashed with each strategy's blinds, so that the journal does not give them away.
    table
        How much is allowed; the stage's defaults if None.

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
        network = devnet_network(devnet.chain_id, block_time_s=BLOCK_TIME_S)
        async with RpcPool(network, [Endpoint("node", world.url)]) as pool:
            chain = NodeChain(pool.reads(keep=Keep.NOTHING), pool.send_raw, network)

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
                blinds_hashes=blinds_hashes(ground.assignments, salt),
            )
            street = Street(
                stage=stage,
                desk=desk,
                chain=chain,
                sender=Sender(signer=signer, chain=chain, journal=journal, network=network),
                journal=journal,
                limits=run_limits(desk, ground.assignments),
                book=None if table is None else LimitBook(table),
            )
            session = Session(
                desk=desk, street=street, journal=journal, clock=clock, chain=chain, operator=signer.address
            )
            await session.tick()
            yield session
    finally:
        pinned.close()
