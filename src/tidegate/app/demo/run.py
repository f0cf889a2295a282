"""The demo: a devnet, a market that moves, and the atomic desk in paper at every block.

At each block the desk looks, decides and sends; then everyone else moves and the next block is mined, so
that the desk's transactions compete with theirs. The same settings give the same journal, byte for byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tidegate import __version__
from tidegate.app.demo.history import rebuild_chain
from tidegate.app.demo.observe import market_body
from tidegate.app.demo.place import Place, Settings, choose_place, open_journal
from tidegate.app.demo.positions import open_positions
from tidegate.app.devnet import DevnetSpec
from tidegate.app.devnet.tables import token_tables
from tidegate.app.ended import ended_node_named
from tidegate.app.market import Crowd, Market
from tidegate.app.progress import Progress
from tidegate.app.report import render_report
from tidegate.app.runtime import Ground, Job, devnet_ground, give_inventory, open_session
from tidegate.app.session import Session
from tidegate.desks.atomic import Event, Strategy, parse_strategy, template_text
from tidegate.ledger import DecisionBody, Journal
from tidegate.model import Intent, ManualClock, RecordKind, Stage
from tidegate.risk import LimitTable

ARBITRAGE = ("v2-v3-arb", "v3-v2-arb")
LEVERAGE_OPEN, LEVERAGE_CLOSE = "leverage-open", "leverage-close"
FAILED_SHARE_BPS = 5_000
"""The share of attempts that may fail here, where rivals outbid the desk on purpose."""

_LIMITS = LimitTable(
    stage=Stage.PAPER, allowed={"failed_share_bps": FAILED_SHARE_BPS, "consecutive_failures": 50}
)
ALL_BLOCKS, ASKED_TO_STOP = "all blocks", "asked to stop"
"""Why a run ended: what its summary says."""

_BLOCKS_TO_SETTLE = 5
_AGAIN = "run the same demo again: it goes on from its journal"


class Options(msgspec.Struct, frozen=True):
    """How to run. ``pace_s`` is the least time between blocks; 0 is as fast as it goes."""

    home: Path
    seed: int = 7
    blocks: int = 150
    pace_s: float = 0.0
    fresh: bool = False


class Result(msgspec.Struct, frozen=True):
    """How it went. ``summary`` is the same for the same settings."""

    summary: dict[str, Any]
    report: Path
    ledger: Path


Watch = Callable[[Progress], None]


def shipped_strategies() -> tuple[Strategy, ...]:
    """Return the strategies that the demo runs, as they stand in the package."""
    tables = token_tables()
    names = ("flash-arb", "flash-arb-reverse", "leverage-open", "leverage-close")
    return tuple(parse_strategy(template_text(name).encode(), f"{name}.yaml", tables) for name in names)


async def run_demo(options: Options, watch: Watch, stop: asyncio.Event) -> Result:
    """Run the demo, or continue one that was cut off, until its blocks are done or ``stop`` is set.

    Raises
    ------
    ConfigError
        If an unfinished run with other settings lies there.
    Tampered
        If an unfinished run's journal is not as it was written.
    Unavailable
        If anvil or the canonical contracts are not installed, or the node ends under the run.
    """
    strategies = shipped_strategies()
    settings = Settings(
        version=__version__,
        seed=options.seed,
        blocks=options.blocks,
        strategies={one.name: one.digest for one in strategies},
    )
    place = choose_place(options.home, settings, fresh=options.fresh)
    clock = ManualClock()
    with (
        devnet_ground([Job(one) for one in strategies]) as ground,
        ended_node_named(ground.world, fix=_AGAIN),
    ):
        give_inventory(ground)
        ground.world.set_mining("manual")
        clock.set_ms(ground.world.block().timestamp * 1000)
        with open_journal(place, settings, clock) as journal:
            salt = f"demo {options.seed}"
            async with open_session(
                ground, journal, clock, stage=Stage.PAPER, salt=salt, table=_LIMITS
            ) as session:
                demo = _Demo(options, ground, journal, session, watch)
                ended = await demo.run(stop)
            return _finish(journal, demo.progress, ended, settings, place, open_positions(ground))


class _Demo:
    def __init__(
        self, options: Options, ground: Ground, journal: Journal, session: Session, watch: Watch
    ) -> None:
        spec = DevnetSpec()
        self.progress = Progress()
        self._options, self._world = options, ground.world
        self._journal, self._session, self._watch = journal, session, watch
        self._market = Market(
            ground.devnet,
            seed=options.seed,
            start_usd_e8=spec.token("WETH").price_usd_e8,
            after_block=ground.world.block().number,
        )
        self._crowd = Crowd(ground.devnet, ground.world)

    async def run(self, stop: asyncio.Event) -> str:
        """Go on until the blocks are done or ``stop`` is set, and say which of both it was."""
        self._crowd.advance(self._market)  # a block at the market's base fee, before anyone looks
        newest = rebuild_chain(self._journal, self._market, self._crowd, self._world)
        self._catch_up()
        await self._session.tick()
        decided = self._decisions(newest.block) if newest is not None else {}
        await self._session.recover()
        if newest is None:
            self._observe()
        first = self.progress.first_block
        assert first is not None
        while self.progress.block < first + self._options.blocks and not stop.is_set():
            started = asyncio.get_running_loop().time()
            await self._act(self.progress.block - first, decided)
            decided = {}
            await self._next_block()
            wait = self._options.pace_s - (asyncio.get_running_loop().time() - started)
            await asyncio.sleep(max(wait, 0))
        ended = ALL_BLOCKS if self.progress.block >= first + self._options.blocks else ASKED_TO_STOP
        for _ in range(_BLOCKS_TO_SETTLE):
            await self._session.street.follow()
            if not self._session.street.open_runs:
                break
            await self._next_block()
        self._catch_up()
        return ended

    async def _act(self, turn: int, decided: dict[str, Intent | None]) -> None:
        await self._session.street.follow()
        for subject, event in self._due(turn):
            if subject in decided:
                intent = decided[subject]
            else:
                intent = self._session.look(subject, event).decision.intent
            if intent is not None:
                await self._session.act(intent)
            self._catch_up()

    def _due(self, turn: int) -> list[tuple[str, Event]]:
        """Return which strategies look at this block; the loop is opened and closed by hand."""
        block = Event(id=f"devnet block {self.progress.block}", kind="block")
        due = [(subject, block) for subject in ARBITRAGE]
        opens, closes = self._options.blocks // 10, self._options.blocks * 8 // 10
        if opens < closes:
            due += [(LEVERAGE_OPEN, _by_hand("open"))] if turn == opens else []
            due += [(LEVERAGE_CLOSE, _by_hand("close"))] if turn == closes else []
        return due

    async def _next_block(self) -> None:
        self._crowd.advance(self._market)
        await self._session.tick()
        self._observe()

    def _observe(self) -> None:
        self._journal.append(RecordKind.EVENT, market_body(self._world, self._market), actor="market")
        self._catch_up()

    def _decisions(self, block: int) -> dict[str, Intent | None]:
        """Return what was decided at ``block`` before the kill, and note when each strategy last acted."""
        found: dict[str, Intent | None] = {}
        for record in self._journal.records(kind=RecordKind.DECISION):
            body = DecisionBody.from_body(record.body)
            intent = msgspec.convert(body.result["intent"], Intent, strict=False) if body.acted else None
            self._session.remember(body.block, record.at_ms // 1000, intent)
            if body.block == block:
                found[body.subject] = intent
        return found

    def _catch_up(self) -> None:
        self.progress.take(self._journal.records(after=self.progress.seq))
        self._watch(self.progress)


def _by_hand(what: str) -> Event:
    return Event(id=f"demo {what} the loop", kind="manual")


def _finish(
    journal: Journal,
    progress: Progress,
    ended: str,
    settings: Settings,
    place: Place,
    positions: list[dict[str, Any]],
) -> Result:
    summary = {
        "seed": settings.seed,
        "ended": ended,
        **progress.summary(),
        "open_positions": positions,
        "failed_share_allowed_bps": FAILED_SHARE_BPS,
    }
    journal.append(RecordKind.SUMMARY, summary, actor="demo")
    journal.flush()
    report = journal.verify()
    meta = {
        "title": "Tidegate demo",
        "seed": str(settings.seed),
        "command": f"tidegate demo --seed {settings.seed} --blocks {settings.blocks}",
        "version": settings.version,
    }
    render_report(journal, place.report, meta)
    proof = {"records": report.records, "head": report.head_hash}
    return Result({**summary, "journal": proof}, place.report, place.ledger)
