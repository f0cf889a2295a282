"""Paper: a world of a strategy's own with a market that has moved for a while, or a devnet that is up."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from tidegate.app.devnet import DevnetSpec, NodeRecord, read_book, read_devnet
from tidegate.app.ended import ended_node_named
from tidegate.app.market import Crowd, Market
from tidegate.app.runtime import Ground, Job, devnet_ground, forked, give_inventory, open_session
from tidegate.app.session import Session
from tidegate.chain import KeyLease
from tidegate.ledger import Journal
from tidegate.model import ConfigError, Denied, Reason, Stage, SystemClock, Unavailable
from tidegate.pipeline import STAGES, THROW_AWAY, rules_of
from tidegate.sim import AttachedWorld


class PaperMarket(msgspec.Struct, frozen=True):
    """The market that a paper world starts from: ``moves`` blocks of the seeded simulator."""

    seed: int = 7
    moves: int = 24


@asynccontextmanager
async def paper_session(
    jobs: Iterable[Job], *, stage: Stage, market: PaperMarket, ledger: Path, home: Path
) -> AsyncIterator[tuple[Session, Ground]]:
    """Start a node of ours, let its market move, and open a session of the desk on it.

    Stage fork runs on a second node that forks the first.

    Raises
    ------
    Denied
        ``stage`` if the stage does not run on a node of ours; ``role_missing`` if the desk's account may not
        operate an executor.
    ConfigError
        If a strategy names a chain that no node of ours holds.
    Unavailable
        If anvil or the canonical contracts are not installed, or another process holds the ledger.
    """
    demand_own_node(stage)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(ledger, clock=SystemClock()))
        ground = stack.enter_context(own_ground(jobs, market))
        if stage is Stage.FORK:
            ground = stack.enter_context(forked(ground))
        salt = blinds_salt(home)
        async with open_session(ground, journal, SystemClock(), stage=stage, salt=salt) as session:
            session.drop_orphans()  # a paper node ends with its process
            session.desk.demand_roles()
            with ended_node_named(ground.world, fix="run it again: what it left open is ended then"):
                yield session, ground


@contextmanager
def own_ground(jobs: Iterable[Job], market: PaperMarket) -> Iterator[Ground]:
    """Start a node of ours and let its market move.

    Raises
    ------
    ConfigError
        If a strategy names a chain that no node of ours holds.
    Unavailable
        If anvil or the canonical contracts are not installed.
    """
    jobs = tuple(jobs)
    _require_devnet(jobs)
    with devnet_ground(jobs) as ground:
        prepare_market(ground, market)
        yield ground


@asynccontextmanager
async def up_session(
    record: NodeRecord, jobs: Iterable[Job], *, ledger: Path, home: Path
) -> AsyncIterator[tuple[Session, Ground]]:
    """Open a session in stage paper on a devnet that is up.

    What was done there before stands, what a killed process left open is gone on with, and nobody is allowed
    anything: ``tidegate devnet allow`` does that.

    Raises
    ------
    Denied
        ``role_missing`` if the devnet's operator may not operate an executor.
    ConfigError
        If a strategy is written for another chain.
    Unavailable
        If the node does not answer, or another process holds the ledger or the operator's key.
    """
    devnet, book = read_devnet(home / "devnet", record.chain), read_book(home / "devnet", record.chain)
    assignments = tuple(job.assignment(book, devnet.accounts["operator"]) for job in jobs)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(ledger, clock=SystemClock()))
        lease = KeyLease.take(
            home / "leases", journal, chain_id=record.chain_id, account=devnet.accounts["operator"]
        )
        stack.callback(lease.release)
        world = stack.enter_context(AttachedWorld(record.url, chain_id=record.chain_id))
        ground = Ground(world, devnet, book, assignments)
        async with open_session(
            ground, journal, SystemClock(), stage=Stage.PAPER, salt=blinds_salt(home)
        ) as session:
            session.desk.demand_roles()
            await session.recover()
            yield session, ground


def demand_own_node(stage: Stage) -> None:
    """Refuse a stage whose plans do not run on a node that we start.

    Raises
    ------
    Denied
        ``stage``.
    """
    if rules_of(stage).signs_with != THROW_AWAY:
        raise Denied(
            Reason.STAGE,
            f"stage {stage.value} does not run on a node of ours",
            found=stage.value,
            allowed=", ".join(
                rules.stage.value for rules in STAGES.values() if rules.signs_with == THROW_AWAY
            ),
            fix=f"tidegate run --stage {stage.value} --once"
            if rules_of(stage).is_live
            else "tidegate backtest",
        )


def prepare_market(ground: Ground, market: PaperMarket, *, competes: bool = True) -> tuple[Market, Crowd]:
    """Give the executor its inventory and let everyone else trade for a while; return who goes on."""
    devnet, world = ground.devnet, ground.world
    give_inventory(ground)
    start = DevnetSpec().token("WETH").price_usd_e8
    simulator, crowd = (
        Market(devnet, seed=market.seed, start_usd_e8=start, after_block=world.block().number),
        Crowd(devnet, world, competes=competes),
    )
    world.set_mining("manual")
    for _ in range(market.moves):
        crowd.advance(simulator)
    world.set_mining("auto")
    return simulator, crowd


def blinds_salt(home: Path) -> str:
    """Return this home's secret salt for hashing blinds, made at its first use, readable by its owner alone.

    Raises
    ------
    Unavailable
        If it can neither be read nor made.
    """
    path = home / "blinds.salt"
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise Unavailable(
            f"{path} can not be made", found=str(error), fix="choose another TIDEGATE_HOME"
        ) from error
    salt = secrets.token_hex(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(salt)
    return salt


def _require_devnet(jobs: Iterable[Job]) -> None:
    ours = DevnetSpec().chain
    for job in jobs:
        if job.strategy.chain != ours:
            raise ConfigError(
                f"{job.strategy.name} is written for a chain that no node of ours holds",
                found=job.strategy.chain,
                allowed=ours,
                fix=f"set `chain: {ours}` to run it in paper",
                position=job.strategy.at("chain"),
            )
