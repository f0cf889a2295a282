"""Desk and street put together on a site: what reads, who signs, who says no, what says how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.app.running.books import Books, ChainBalances, holdings_of
from tidegate.app.running.safety import Safety
from tidegate.app.running.sites import Site
from tidegate.app.session import Session, blinds_hashes, run_limits
from tidegate.chain import KeyLease, Sender
from tidegate.chain.rpc import ANY, Keep, Priority
from tidegate.desks.atomic import AtomicDesk, DeskMeasures
from tidegate.ledger import Journal, Reconciler
from tidegate.model import Clock, Plan, Recorder, Stage
from tidegate.pipeline import Judge, NodeChain, Rehearsal, Street
from tidegate.sim import PinnedWorlds
from tidegate.venues import StateView, glossary_of
from tidegate.venues.executor import ExecutorReader


@dataclass(frozen=True, slots=True)
class Assembled:
    """A session at work, its books, and the judge that goes on judging in shadow; None in other stages.

    ``measures`` measures the desk; ``state_at`` is a block's state, the newest block's for None.
    """

    session: Session
    judge: Judge | None
    books: Books
    measures: DeskMeasures
    state_at: Callable[[int | None], StateView]
    sender: Sender | None = None


@asynccontextmanager
async def assembled(
    site: Site,
    *,
    stage: Stage,
    journal: Journal,
    clock: Clock,
    safety: Safety,
    salt: str,
    leases: Path,
    reconcile_every_blocks: int,
    recorder: Recorder,
    usual_hours: tuple[int, int] = (0, 24),
) -> AsyncIterator[Assembled]:
    """Put the atomic desk and its street on a site.

    Parameters
    ----------
    salt
        Hashed with each strategy's blinds, so that the journal does not give them away.
    leases
        The folder of the leases of keys: one process owns the nonces of a key on a chain.
    usual_hours
        From which hour of the day (UTC) up to which runs are usual; measured, never refused.

    Raises
    ------
    Denied
        ``stage`` or ``capability`` if the site's hands do not fit the stage.
    Unavailable
        ``key_leased`` if another process uses the key.
    """
    async with AsyncExitStack() as stack:
        worlds = PinnedWorlds(site.worlds_url, block_time_s=max(1, round(site.network.block_time_s)))
        stack.callback(worlds.close)
        pool = site.pool
        decides = pool.reads(pool.policy_for_value, Priority.DECIDE, Keep.NOTHING)
        confirms = pool.reads(ANY, Priority.CONFIRM, Keep.NOTHING)
        chain = NodeChain(decides, pool.send_raw, site.network)

        def state_at(block: int | None) -> StateView:
            return worlds.at("latest" if block is None else block)

        async def rehearse(plan: Plan) -> Rehearsal:
            return await chain.simulate(plan, sender=site.account)

        reader = ExecutorReader(
            treasury=site.book.entry("treasury").address,
            weth=site.book.entry("weth.weth9").address,
            glossary=glossary_of(site.book),
        )
        desk = AtomicDesk(
            site.assignments,
            state_at=state_at,
            rehearse=rehearse,
            reader=reader,
            blinds_hashes=blinds_hashes(site.assignments, salt),
        )
        sender, judge = None, None
        if site.signer is None:
            judge = Judge(chain, reader, site.account)
        else:
            lease = KeyLease.take(leases, journal, chain_id=site.network.chain_id, account=site.account)
            stack.callback(lease.release)
            sender = Sender(
                signer=site.signer,
                chain=NodeChain(confirms, pool.send_raw, site.network),
                journal=journal,
                network=site.network,
                recorder=recorder,
                ways=site.ways,
            )
        payer = None if site.signer is None else site.account
        holdings, balances = holdings_of(site.assignments, payer), ChainBalances(confirms, site.network)
        reconciler = Reconciler(
            journal,
            balances,
            stage=stage,
            desk=desk.name,
            chain_id=site.network.chain_id,
            holdings=holdings,
            every_blocks=reconcile_every_blocks,
            recorder=recorder,
        )
        books = Books(reconciler, balances, holdings, chain_id=site.network.chain_id)
        street = Street(
            stage=stage,
            desk=desk,
            chain=chain,
            sender=sender,
            account=site.account,
            fate=judge,
            journal=journal,
            limits=run_limits(desk, site.assignments),
            book=safety.limits,
            stops=(safety.stops, books),
            breakers=(safety.breakers,),
            network=site.network,
            recorder=recorder,
        )
        session = Session(
            desk=desk, street=street, journal=journal, clock=clock, chain=chain, operator=site.account
        )
        measures = DeskMeasures(
            site.assignments,
            journal,
            recorder,
            chain=site.name,
            transaction_gas_max=site.network.transaction_gas_max,
            hours=usual_hours,
        )
        yield Assembled(session, judge, books, measures, state_at, sender)
