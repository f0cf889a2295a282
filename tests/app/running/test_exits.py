"""A halt never blocks an exit: the leveraged position is closed on a real node, whatever holds openings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tidegate.app.config import PaperConfig, load_config
from tidegate.app.devnet.tables import token_tables
from tidegate.app.running import Pools, Safety, Site, Splits, assembled, limit_table, paper_site
from tidegate.app.running.assemble import Assembled
from tidegate.app.runtime import Job
from tidegate.desks.atomic import parse_strategy, template_text
from tidegate.ledger import Journal
from tidegate.model import (
    Denied,
    Intent,
    ManualClock,
    NullRecorder,
    Operation,
    Outcome,
    OutcomeKind,
    Reason,
    Stage,
)
from tidegate.risk import ResumeNote, RunLimits, StopOrder

OPEN, CLOSE = "leverage-open", "leverage-close"
DESK = "desk:atomic"
ATTEMPTS = 20
WIDE = RunLimits(max_loss_per_day_usd_e6=10**12)
_BLOCKS_TO_LAND = 5


@dataclass(frozen=True)
class Work:
    """A desk at work in paper, with everything that may say no, one block at a time."""

    site: Site
    safety: Safety
    desk: Assembled
    clock: ManualClock

    async def block(self) -> None:
        assert self.site.advance is not None
        assert self.site.world is not None
        self.site.advance()
        await self.desk.session.tick()
        head = self.site.world.block()
        self.safety.saw_block(base_fee_wei=head.base_fee_wei, reorg_depth=0)
        await self.desk.books.saw(head.number)

    async def run(self, subject: str) -> Outcome:
        """Let a strategy look by hand at the next block, and follow what it does to its end."""
        await self.block()
        session = self.desk.session
        look = session.look(subject, session.by_hand())
        assert look.decision.intent is not None, look.decision
        outcome = await session.act(look.decision.intent)
        for _ in range(_BLOCKS_TO_LAND):
            if outcome is not None:
                break
            await self.block()
            outcome = next(iter(await session.street.follow()), None)
        assert outcome is not None
        return outcome

    def fail(self, attempts: int) -> Intent:
        """Count attempts that reverted, as the street counts them; return an opening like them."""
        (intent,) = (run.intent for run in self.desk.session.street.watched_runs)
        for number in range(attempts):
            failed = msgspec.structs.replace(intent, id=f"{number:064x}", operation=Operation.CLOSE)
            now_s = self.clock.now_ms() // 1000
            self.safety.limits.reserve(failed, RunLimits(), now_s=now_s)
            self.safety.limits.close(failed, kind=OutcomeKind.REVERTED, now_s=now_s)
        return msgspec.structs.replace(intent, id="ab" * 32)


@asynccontextmanager
async def at_work(home: Path) -> AsyncIterator[Work]:
    tables = token_tables()
    names = (OPEN, CLOSE)
    jobs = [Job(parse_strategy(template_text(name).encode(), f"{name}.yaml", tables)) for name in names]
    config = load_config(None, {"desk.atomic.capital_usd": "1000000"}).config
    clock, recorder = ManualClock(), NullRecorder()
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(Journal.open(home / "ledger.sqlite", clock=clock))
        splits = Splits(clock)
        pools = Pools(journal, clock, recorder, splits)
        paper = PaperConfig(competition=False, warm_up_blocks=1)
        site = await stack.enter_async_context(paper_site(jobs, paper, pools))
        assert site.world is not None
        clock.set_ms(site.world.block().timestamp * 1000)
        safety = Safety.open(
            table=limit_table(config, Stage.PAPER, site.network, site.name),
            desk="atomic",
            network=site.network,
            journal=journal,
            clock=clock,
            home=home,
            splits=splits,
            recorder=recorder,
        )
        desk = await stack.enter_async_context(
            assembled(
                site,
                stage=Stage.PAPER,
                journal=journal,
                clock=clock,
                safety=safety,
                salt="salt",
                leases=home / "leases",
                reconcile_every_blocks=1_000,
                recorder=recorder,
            )
        )
        await desk.books.begin_anew(journal, stage=Stage.PAPER, desk="atomic")
        yield Work(site, safety, desk, clock)


def with_a_position(home: Path, then: Callable[[Work], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with at_work(home) as work:
            opened = await work.run(OPEN)
            assert opened.kind is OutcomeKind.LANDED, opened
            await then(work)

    asyncio.run(inside())


def is_refused(outcome: Outcome, reason: Reason) -> bool:
    return (outcome.kind, outcome.reason) == (OutcomeKind.DENIED, reason)


def order(work: Work, *who: str, allow_exit: bool) -> StopOrder:
    return StopOrder(
        scope=DESK, reason="odd", who=who, at_ms=work.clock.now_ms(), allow_exit=allow_exit
    )  # fmt: skip


def test_a_stopped_desk_still_closes_its_position_unless_two_people_forbid_it(tmp_path: Path) -> None:
    async def then(work: Work) -> None:
        work.safety.stops.set(order(work, "ann", allow_exit=True))
        assert is_refused(await work.run(OPEN), Reason.STOPPED)
        forbidding = work.safety.stops.set(order(work, "ann", "bob", allow_exit=False))
        assert is_refused(await work.run(CLOSE), Reason.STOPPED)
        for who in ("ann", "bob"):
            note = ResumeNote(
                scope=DESK, who=who, reason="seen", evidence="the journal", at_ms=work.clock.now_ms(),
                stop_id=forbidding.id,
            )  # fmt: skip
            work.safety.stops.folder.write_note(note)
        closed = await work.run(CLOSE)
        assert closed.kind is OutcomeKind.LANDED, closed
        assert is_refused(await work.run(OPEN), Reason.STOPPED), "the plain stop is still in force"

    with_a_position(tmp_path, then)


def test_a_full_failed_share_and_its_breaker_refuse_an_opening_and_let_the_position_be_closed(
    tmp_path: Path,
) -> None:
    async def then(work: Work) -> None:
        opening = work.fail(ATTEMPTS)
        with pytest.raises(Denied, match="failed_share_bps of desk:atomic has no room"):
            work.safety.limits.reserve(opening, WIDE, now_s=work.clock.now_ms() // 1000)
        assert is_refused(await work.run(OPEN), Reason.BREAKER)
        closed = await work.run(CLOSE)
        assert closed.kind is OutcomeKind.LANDED, closed

    with_a_position(tmp_path, then)
