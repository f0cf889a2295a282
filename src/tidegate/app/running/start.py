"""From a configuration to a run: which site, whose signature, which ledger, and then the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.app.backtest import DeskRecorder
from tidegate.app.config import LoadedConfig
from tidegate.app.devnet import devnet_address
from tidegate.app.devnet.tables import token_tables
from tidegate.app.ended import ended_node_named
from tidegate.app.gateway import reads_gateway
from tidegate.app.metrics import PrometheusRecorder
from tidegate.app.paper import blinds_salt
from tidegate.app.places import RELAY_KEY, place_of
from tidegate.app.running.assemble import assembled
from tidegate.app.running.endpoints import Pools
from tidegate.app.running.executors import ExecutorWatch
from tidegate.app.running.heads import RunHeads, run_cursors
from tidegate.app.running.runner import Hooks, Runner, Until
from tidegate.app.running.safety import Safety, Splits, limit_table
from tidegate.app.running.signing import bound_signer
from tidegate.app.running.sites import Site, fork_site, live_site, paper_site
from tidegate.app.running.strangers import StrangersWatch
from tidegate.app.running.verified import demand_verified
from tidegate.app.runtime import Job
from tidegate.chain import NetworkKind
from tidegate.chain.heads import HeadFollower, MemoryCursors, NodeBlocks
from tidegate.chain.rpc import ANY, Keep, Priority
from tidegate.desks.atomic import TokenTables, load_blinds, load_strategy
from tidegate.ledger import Journal
from tidegate.ledger import Place as LedgerPlace
from tidegate.model import Address, Block, ConfigError, Plan, Recorder, Stage, SystemClock, Unavailable
from tidegate.pipeline import NodeChain, Rehearsal, rules_of
from tidegate.venues import NATIVE, AddressBook
from tidegate.venues.executor import FlashKind

_NATIVE_DECIMALS = 18
_USD_E6 = 10**6
_DESK = "atomic"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run is to do. ``record`` is where to write a tape of all that the strategies read.

    ``account`` is from whom plans run in shadow; the devnet's operator on a devnet if None.
    """

    loaded: LoadedConfig
    home: Path
    ledger: LedgerPlace
    stage: Stage
    chain: str
    until: Until = field(default_factory=Until)
    record: Path | None = None
    account: Address | None = None


async def run_desk(
    settings: RunSettings, hooks: Hooks, stop: asyncio.Event, *, recorder: Recorder | None = None
) -> dict[str, Any]:
    """Run the configured desk until it is over or ``stop`` is set, and return the figures.

    Raises
    ------
    ConfigError
        If there is nothing to run, or what is named is not there.
    Denied
        ``capability`` if a live stage has none; ``stage`` for a backtest, which has a verb of its own.
    Unavailable
        If a node, the signer or the ledger can not be reached, or another process holds the ledger or key.
    """
    _demand(settings)
    clock, recorder = SystemClock(), recorder or PrometheusRecorder()
    atomic = settings.loaded.config.desk.atomic
    splits = Splits(clock)
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(
            Journal.open(settings.ledger, clock=clock, recorder=recorder, on_full=_full_told(hooks))
        )
        pools = Pools(journal, clock, recorder, splits)
        site = await stack.enter_async_context(_site(settings, pools, recorder))
        safety = Safety.open(
            table=limit_table(settings.loaded.config, settings.stage, site.network, settings.chain),
            desk=_DESK,
            network=site.network,
            journal=journal,
            clock=clock,
            home=settings.home,
            splits=splits,
            recorder=recorder,
        )
        desk = await stack.enter_async_context(
            assembled(
                site,
                stage=settings.stage,
                journal=journal,
                clock=clock,
                safety=safety,
                salt=blinds_salt(settings.home),
                leases=settings.home / "leases",
                reconcile_every_blocks=settings.loaded.config.run.reconcile_every_blocks,
                recorder=recorder,
                usual_hours=(atomic.usual_from_hour, atomic.usual_to_hour),
            )
        )
        reads = site.pool.reads(ANY, Priority.CONFIRM, Keep.NOTHING)
        chain_id = site.network.chain_id

        def follower() -> HeadFollower:
            cursors = MemoryCursors() if site.is_new else run_cursors(journal, chain_id)
            return HeadFollower(NodeBlocks(reads), cursors, site.network, clock=clock, recorder=recorder)

        halts = desk.session.street.halts
        heads = RunHeads(follower, halts, f"chain:{chain_id}", hooks.trouble)
        if settings.record is not None:
            stack.callback(_recording(settings, site, hooks))
        if site.world is not None:
            stack.enter_context(ended_node_named(site.world, fix="run it again"))
        runner = Runner(settings.stage, site, pools, desk, safety, heads, settings.until, hooks)
        if site.world is None:  # a chain of others: someone may change who may do what
            runner.executors = ExecutorWatch(
                site.pool,
                site.book,
                sorted({one.strategy.executor for one in site.assignments}),
                chain=settings.chain,
                home=settings.home,
                journal=journal,
                clock=clock,
                recorder=recorder,
                every_blocks=settings.loaded.config.run.reconcile_every_blocks,
            )
            executors = sorted({one.executor for one in site.assignments})
            runner.strangers = StrangersWatch(site.pool, executors, desk.measures)
        return await runner.run(stop)


def _full_told(hooks: Hooks) -> Callable[[bool], None]:
    """Tell of a full disk as of any trouble: nothing new begins, exits go on while the reserve lasts."""

    def tell(is_full: bool) -> None:
        if is_full:
            hooks.trouble(
                Unavailable(
                    "the ledger's disk is full: nothing new is begun",
                    code="ledger_full",
                    allowed="exits, as long as the reserve of 1 MiB lasts",
                    fix="free space: new intents are taken again within seconds",
                )
            )

    return tell


def load_jobs(loaded: LoadedConfig, tables: TokenTables) -> tuple[Job, ...]:
    """Return the configured strategies with their blinds.

    Raises
    ------
    ConfigError
        If there is none, or a file can not be read.
    """
    wanted = loaded.config.desk.atomic
    if not wanted.strategies:
        raise ConfigError(
            "the atomic desk has no strategy",
            found="desk.atomic.strategies is empty",
            allowed="at least one file",
            fix="tidegate strategy new NAME, then name the file under [desk.atomic]",
        )
    penalties = {kind: getattr(wanted.penalty_usd, kind.name.lower()) * _USD_E6 for kind in FlashKind}
    jobs = []
    for name in wanted.strategies:
        strategy = load_strategy(loaded.folder / name, tables)
        blinds = wanted.blinds.get(strategy.name)
        given = (
            {} if blinds is None else load_blinds(loaded.folder / blinds, strategy, tables[strategy.chain])
        )
        jobs.append(Job(strategy, given, penalties))
    return tuple(jobs)


def tables_of(book: AddressBook) -> TokenTables:
    """Return the tokens that strategies may name on a book's chain, with their decimals."""
    return {
        book.chain: {
            **{symbol: token.decimals for symbol, token in book.tokens.items()},
            NATIVE: _NATIVE_DECIMALS,
        }
    }


@asynccontextmanager
async def _site(settings: RunSettings, pools: Pools, recorder: Recorder) -> AsyncIterator[Site]:
    config = settings.loaded.config
    stage = settings.stage
    if stage is Stage.PAPER or (stage is Stage.FORK and _is_devnet(settings)):
        jobs = load_jobs(settings.loaded, token_tables())
        async with paper_site(jobs, config.paper, pools, is_fork=stage is Stage.FORK) as site:
            yield site
        return
    place = place_of(settings.chain, settings.loaded, settings.home)
    jobs = load_jobs(settings.loaded, tables_of(place.require_book()))
    async with AsyncExitStack() as stack:
        worlds_url = stack.enter_context(
            reads_gateway(place.network, place.endpoints, pools.quarantined(place.network))
        )
        if stage is Stage.FORK:
            yield await stack.enter_async_context(fork_site(place, jobs, pools, worlds_url=worlds_url))
            return
        signer = None
        if rules_of(stage).signs:
            signer = await stack.enter_async_context(
                bound_signer(
                    config.signer,
                    settings.home,
                    desk=_DESK,
                    stage=stage,
                    chain_id=place.network.chain_id,
                    recorder=recorder,
                )
            )
        account = signer.address if signer is not None else _account(settings, place.network.kind)
        site = await stack.enter_async_context(
            live_site(
                place,
                jobs,
                pools,
                account=account,
                worlds_url=worlds_url,
                relay_key=settings.home / RELAY_KEY,
                signer=signer,
            )
        )
        if stage is Stage.PRODUCTION:
            await demand_verified(site.pool, site.book, {job.strategy.executor for job in jobs})
        yield site


def _is_devnet(settings: RunSettings) -> bool:
    """Say whether the chain is a devnet: paper and fork then start one of their own."""
    configured = settings.loaded.config.chains.get(settings.chain)
    return configured is None or configured.kind is NetworkKind.DEVNET


def _account(settings: RunSettings, kind: NetworkKind) -> Address:
    if settings.account is not None:
        return settings.account
    if kind is NetworkKind.DEVNET:
        return devnet_address("operator")
    raise ConfigError(
        "shadow needs to know from whom plans would run",
        found="no account",
        allowed="the address that operates the executors; its key is not needed",
        fix="add --account 0x…",
    )


def _demand(settings: RunSettings) -> None:
    desk = settings.loaded.config.run.desk
    if desk != _DESK:
        raise ConfigError("there is no such desk", found=desk, allowed=_DESK, fix="mend run.desk")
    if settings.stage is Stage.BACKTEST:
        raise ConfigError(
            "a backtest runs over a tape",
            found="stage backtest",
            allowed="paper, fork, shadow, canary, production",
            fix="tidegate backtest atomic --tape FILE",
        )


def _recording(settings: RunSettings, site: Site, hooks: Hooks) -> Any:
    """Let the run be recorded, and return what writes the tape at its end."""
    chain = NodeChain(site.pool.reads(ANY, Priority.BACKFILL, Keep.PINNED), None, site.network)

    async def rehearse(plan: Plan, block: Block) -> Rehearsal:
        return await chain.simulate(plan, sender=site.account, at=block)

    recorder = DeskRecorder(
        site.worlds_url,
        site.assignments,
        rehearse=rehearse,
        block_time_s=max(1, round(site.network.block_time_s)),
        texts=_texts(settings, site.assignments),
        source=f"{settings.stage.value} on {site.name}, chain {site.network.chain_id}",
    )
    hooks.block, hooks.rolled_back = recorder.add, recorder.forget_from

    def finish() -> None:
        assert settings.record is not None
        recorder.tape().save(settings.record)
        recorder.close()

    return finish


def _texts(settings: RunSettings, assignments: Sequence[Any]) -> dict[str, str]:
    files = settings.loaded.config.desk.atomic.strategies
    return {
        one.strategy.name: (settings.loaded.folder / file).read_text(encoding="utf-8")
        for one, file in zip(assignments, files, strict=True)
    }
