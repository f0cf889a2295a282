"""Plans without a run: a desk that looks at one block of a chain, and neither signs nor sends nor records.

It does not matter whose chain that is: a paper world, a devnet that is up, or a chain of the configuration.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from tidegate.app.gateway import reads_gateway
from tidegate.app.places import Place
from tidegate.app.runtime import BLOCK_TIME_S, Ground
from tidegate.app.session import blinds_hashes
from tidegate.chain import Network, NetworkKind, devnet_network
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.desks.atomic import Assignment, AtomicDesk, Decision, Event, Situation
from tidegate.model import Address, Block, Plan, Unavailable
from tidegate.pipeline import NodeChain, Rehearsal
from tidegate.sim import PinnedWorlds
from tidegate.venues import AddressBook, StateView, glossary_of
from tidegate.venues.executor import ExecutorReader

_ASKED = Event(id="asked for a plan", kind="manual")
"""One event for all plans: the same block gives the same plan, its intent's id included."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A chain as it is read, and the strategies that are planned there.

    Attributes
    ----------
    worlds_url
        Where fast worlds fetch state from: on this machine.
    account
        From whom plans would run.
    name
        What people call it.
    """

    network: Network
    endpoints: tuple[Endpoint, ...]
    worlds_url: str
    book: AddressBook
    assignments: tuple[Assignment, ...]
    account: Address
    name: str


@dataclass(frozen=True, slots=True)
class Planning:
    """A desk at one block. ``at`` is None for the newest, whose next block may be some time away."""

    stand: Stand
    desk: AtomicDesk
    view: StateView
    chain: NodeChain
    at: Block | None

    def decide(self, subject: str) -> Decision:
        """Return what a strategy would decide at the block if a person asked for it."""
        return self.desk.look(subject, _ASKED, Situation()).decision

    async def rehearse(self, plan: Plan) -> Rehearsal:
        """Run a plan's own bytes and its probe on top of the block, sending nothing."""
        probe_data = self.desk.reader.probe_data(plan)
        return await self.chain.simulate(plan, sender=self.stand.account, probe_data=probe_data, at=self.at)


def stand_on(ground: Ground) -> Stand:
    """Return where plans are made in a world of ours."""
    return Stand(
        network=devnet_network(ground.devnet.chain_id, block_time_s=BLOCK_TIME_S),
        endpoints=(Endpoint("node", ground.world.url),),
        worlds_url=ground.world.url,
        book=ground.book,
        assignments=ground.assignments,
        account=ground.devnet.accounts["operator"],
        name="a paper world of its own",
    )


@contextmanager
def stand_at(place: Place, assignments: tuple[Assignment, ...], account: Address) -> Iterator[Stand]:
    """Yield where plans are made on a chain that is there.

    Raises
    ------
    Unavailable
        If no endpoint of the chain answers.
    """
    with ExitStack() as stack:
        is_devnet = place.network.kind is NetworkKind.DEVNET
        url = (
            place.endpoints[0].url
            if is_devnet
            else stack.enter_context(reads_gateway(place.network, place.endpoints))
        )
        yield Stand(
            network=place.network,
            endpoints=place.endpoints,
            worlds_url=url,
            book=place.require_book(),
            assignments=assignments,
            account=account,
            name=f"the devnet {place.name}" if is_devnet else place.name,
        )


@asynccontextmanager
async def planning(stand: Stand, *, salt: str, block: int | None = None) -> AsyncIterator[Planning]:
    """Put a desk at a block, the newest if None is named.

    Parameters
    ----------
    salt
        Hashed with each strategy's blinds.

    Raises
    ------
    Unavailable
        If the node does not answer, or does not have the block.
    """
    worlds = PinnedWorlds(stand.worlds_url, block_time_s=max(1, round(stand.network.block_time_s)))
    try:
        async with RpcPool(stand.network, stand.endpoints) as pool:
            chain = NodeChain(pool.reads(keep=Keep.NOTHING), pool.send_raw, stand.network)
            view = worlds.at("latest" if block is None else block)
            at = None if block is None else _demand_state(view, stand)

            async def rehearse(plan: Plan) -> Rehearsal:
                return await chain.simulate(plan, sender=stand.account, at=at)

            desk = AtomicDesk(
                stand.assignments,
                state_at=lambda number: view if number is None else worlds.at(number),
                rehearse=rehearse,
                reader=ExecutorReader(
                    treasury=stand.book.entry("treasury").address,
                    weth=stand.book.entry("weth.weth9").address,
                    glossary=glossary_of(stand.book),
                ),
                blinds_hashes=blinds_hashes(stand.assignments, salt),
            )
            yield Planning(stand, desk, view, chain, at)
    finally:
        worlds.close()


def _demand_state(view: StateView, stand: Stand) -> Block:
    """Return the block, if its state can be read: many nodes keep old headers and forget what was then."""
    block = view.block()
    try:
        view.balance(stand.account)
    except Unavailable as error:
        raise Unavailable(
            f"{stand.name} has no state of block {block.number}",
            code="no_state",
            found=error.message,
            allowed="a block whose state the node still keeps",
            fix="name a newer block, or an endpoint that is an archive",
        ) from error
    return block
