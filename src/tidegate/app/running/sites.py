"""Where a desk works: a chain as it is read and sent to, and what stands on it for the desk.

Paper and fork start nodes of their own; shadow, canary and production reach a chain that is there. From
here on nothing asks which of them it is.
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.app.config import PaperConfig
from tidegate.app.devnet import devnet_key
from tidegate.app.market import PaperBlocks
from tidegate.app.operate import let_operate
from tidegate.app.paper import PaperMarket, prepare_market
from tidegate.app.places import Place
from tidegate.app.running.endpoints import Pools
from tidegate.app.runtime import BLOCK_TIME_S, Ground, Job, devnet_ground, forked
from tidegate.chain import Network, NetworkKind, devnet_network
from tidegate.chain.relays import BundleRelay, Dispatch
from tidegate.chain.rpc import Endpoint, RpcPool, Tier
from tidegate.custody import RelayKey, ThrowAwayKey
from tidegate.desks.atomic import Assignment
from tidegate.model import Address, ConfigError, Stage, TransactionSigner
from tidegate.sim import ExactWorld
from tidegate.venues import AddressBook


@dataclass(frozen=True, slots=True)
class Site:
    """One chain and what the desk has there.

    Attributes
    ----------
    pool
        How the chain is read and sent to. Started.
    worlds_url
        Where fast worlds fetch state from: on this machine. Never shown.
    account
        From whom plans run; the signer's own where there is one.
    signer
        Who signs; None where nothing is signed.
    advance
        Makes the next block, in a world of ours whose time is ours; None where blocks come by themselves.
    ways
        How signed bytes leave; None where the only way is the node itself, which nobody else reads.
    world
        The node of ours under it, to say why it ended; None for a chain of others.
    is_new
        Whether the chain began with this process, so that nothing of an earlier one can still land on it.
    """

    name: str
    network: Network
    pool: RpcPool
    worlds_url: str
    book: AddressBook
    assignments: tuple[Assignment, ...]
    account: Address
    signer: TransactionSigner | None = None
    advance: Callable[[], object] | None = None
    ways: Dispatch | None = None
    world: ExactWorld | None = None
    is_new: bool = False


@asynccontextmanager
async def paper_site(
    jobs: Sequence[Job], paper: PaperConfig, pools: Pools, *, is_fork: bool = False
) -> AsyncIterator[Site]:
    """Start a devnet node whose market moves with each block that is asked for.

    With ``is_fork`` the desk works on a second node that forks the first, and so does everybody else.

    Raises
    ------
    Unavailable
        If anvil or the canonical contracts are not installed.
    """
    async with AsyncExitStack() as stack:
        ground = stack.enter_context(devnet_ground(jobs))
        market = PaperMarket(paper.seed, paper.warm_up_blocks)
        simulator, crowd = prepare_market(ground, market, competes=paper.competition)
        if is_fork:
            ground = stack.enter_context(forked(ground))
            crowd = crowd.on(ground.world)
        ground.world.set_mining("manual")
        operator = ground.devnet.accounts["operator"]
        blocks = PaperBlocks(
            ground.world,
            simulator,
            crowd,
            operator,
            seed=paper.seed,
            delay_blocks=paper.inclusion_delay_blocks,
            failure_share=paper.failure_share,
        )
        yield await _own_site(ground, blocks.advance, pools, stack)


async def _own_site(
    ground: Ground, advance: Callable[[], object], pools: Pools, stack: AsyncExitStack
) -> Site:
    devnet = ground.devnet
    network = devnet_network(devnet.chain_id, name=devnet.chain, block_time_s=BLOCK_TIME_S)
    endpoint = Endpoint(name="own", url=ground.world.url, operator="us", trusted=True)
    signer = devnet_key("operator", chain_id=devnet.chain_id)
    return Site(
        name=devnet.chain,
        network=network,
        pool=await stack.enter_async_context(pools.open(network, [endpoint])),
        worlds_url=ground.world.url,
        book=ground.book,
        assignments=ground.assignments,
        account=signer.address,
        signer=signer,
        advance=advance,
        world=ground.world,
        is_new=True,
    )


@asynccontextmanager
async def live_site(
    place: Place,
    jobs: Sequence[Job],
    pools: Pools,
    *,
    account: Address,
    worlds_url: str,
    relay_key: Path,
    signer: TransactionSigner | None = None,
) -> AsyncIterator[Site]:
    """Reach a chain that is there; its blocks come by themselves.

    Parameters
    ----------
    relay_key
        The file of the key by which relays know us; made where there are relays and something is signed.
    account
        From whom plans run; the signer's own where there is one.
    worlds_url
        Where fast worlds fetch state from.

    Raises
    ------
    ConfigError
        If the chain has no address book, a strategy is written for another chain, or it names a builder
        that is no relay of the chain.
    Unavailable
        If no endpoint of the chain answers.
    """
    if signer is not None:
        demand_builders(place, jobs)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pools.open(place.network, place.endpoints))
        ways = None if signer is None else await stack.enter_async_context(ways_of(place, pool, relay_key))
        yield Site(
            name=place.name,
            network=place.network,
            pool=pool,
            ways=ways,
            worlds_url=worlds_url,
            book=place.require_book(),
            assignments=assignments_of(place.require_book(), jobs, account),
            account=account,
            signer=signer,
        )


@asynccontextmanager
async def fork_site(
    place: Place, jobs: Sequence[Job], pools: Pools, *, worlds_url: str
) -> AsyncIterator[Site]:
    """Start a node of ours that forks a chain at its newest block, with the executor set up for the jobs.

    The fork keeps the chain's id, so it is signed for by a throw-away key, and sent to alone. Its owner is
    impersonated to let that key operate the executor, with exactly what the jobs need.

    Raises
    ------
    ConfigError, Unavailable
        As ``live_site``; or if the node can not be started.
    """
    network, book = place.network, place.require_book()
    block_time_s = max(1, round(network.block_time_s))
    signer = ThrowAwayKey("fork operator", stage=Stage.FORK, chain_ids=frozenset({network.chain_id}))
    assignments = assignments_of(book, jobs, signer.address)
    with ExactWorld(
        chain_id=network.chain_id,
        block_time_s=block_time_s,
        order="fees",
        fork_url=worlds_url,
    ) as world:
        let_operate(world, assignments, signer.address)
        world.set_mining("manual")
        endpoint = Endpoint(name="fork", url=world.url, operator="us", trusted=True)
        async with pools.open(network, [endpoint]) as pool:
            yield Site(
                name=place.name,
                network=network,
                pool=pool,
                worlds_url=world.url,
                book=book,
                assignments=assignments,
                account=signer.address,
                signer=signer,
                advance=world.mine,
                world=world,
                is_new=True,
            )


@asynccontextmanager
async def ways_of(place: Place, pool: RpcPool, relay_key: Path) -> AsyncIterator[Dispatch | None]:
    """Reach the relays of a chain; None on a devnet without any other way than its own node.

    On a devnet nobody but us reads what waits, so its node is as private as any; as soon as a relay or a
    private endpoint is configured there, it is treated like every other chain.
    """
    is_private = any(endpoint.tier is Tier.PRIVATE for endpoint in place.endpoints)
    if place.network.kind is NetworkKind.DEVNET and not place.relays and not is_private:
        yield None
        return
    async with AsyncExitStack() as stack:
        relays = []
        if place.relays:
            identity = RelayKey(relay_key)
            relays = [BundleRelay(one, identity) for one in place.relays]
        for relay in relays:
            stack.push_async_callback(relay.close)
        dispatch = Dispatch(pool, relays)
        stack.push_async_callback(dispatch.close)
        yield dispatch


def demand_builders(place: Place, jobs: Sequence[Job]) -> None:
    """Refuse a strategy that names a builder which is no relay of its chain.

    Raises
    ------
    ConfigError
        With the strategy's position, the names that are known, and the nearest.
    """
    known = [relay.name for relay in place.relays]
    for job in jobs:
        for name in job.strategy.relay.builders:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise ConfigError(
                    f"{job.strategy.name} names a builder that is no relay of {place.name}",
                    found=name,
                    allowed=", ".join(known) or "none is configured",
                    fix=f"{near[0]}?" if near else f"add it under [[chains.{place.name}.relays]]",
                    position=job.strategy.at("relay"),
                )


def assignments_of(book: AddressBook, jobs: Sequence[Job], account: Address) -> tuple[Assignment, ...]:
    """Return each strategy with the chain's names, its blinds, and who operates.

    Raises
    ------
    ConfigError
        If a strategy is written for another chain, or a blind is missing.
    """
    for job in jobs:
        if job.strategy.chain != book.chain:
            raise ConfigError(
                f"{job.strategy.name} is written for another chain",
                found=job.strategy.chain,
                allowed=book.chain,
                fix=f"set `chain: {book.chain}`, or name that chain with --chain",
                position=job.strategy.at("chain"),
            )
    return tuple(job.assignment(book, account) for job in jobs)
