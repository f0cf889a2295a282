"""The street: accept, limits, plan, guards, simulate, bounds, authorise, sign, send, confirm, book.

Here stands who walks it and when. The steps are ``walk``'s until the bytes are out, and ``conclude``'s from
what the chain says on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tidegate.chain import Network, Sender
from tidegate.ledger import Attempt, Journal
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    Denied,
    Intent,
    NullRecorder,
    Outcome,
    OutcomeKind,
    Recorder,
    RecordKind,
    Stage,
    Unavailable,
)
from tidegate.pipeline.chain import ChainPort
from tidegate.pipeline.conclude import Conclusion
from tidegate.pipeline.desk import Desk
from tidegate.pipeline.halts import HaltBook
from tidegate.pipeline.means import Means
from tidegate.pipeline.offers import Offers
from tidegate.pipeline.pen import Pen
from tidegate.pipeline.ports import BreakersPort, Permission, StopsPort
from tidegate.pipeline.queue import Queue
from tidegate.pipeline.run import Run, read_run
from tidegate.pipeline.runs import Runs
from tidegate.pipeline.settings import StreetSettings
from tidegate.pipeline.stages import SIGNER, StageRules, demand_hands, rules_of
from tidegate.pipeline.steps import Steps
from tidegate.pipeline.unsent import Fate
from tidegate.pipeline.walk import Walk
from tidegate.risk import LimitBook, LimitTable, RunLimits, restore_limits


class Street:
    """Walks intents of one desk on one chain in one stage.

    Parameters
    ----------
    stage
        Where we stand on the ladder; hands that do not fit the stage are refused here.
    desk, chain, journal
        Whom it asks for plans, which chain it looks at, where it writes first.
    sender
        What signs, sends and follows; several streets may share one. None in a stage that signs nothing.
    account
        From whom plans run; the sender's own where there is one.
    fate
        What says how a plan ends in a stage that signs nothing; None in all others.
    limits, book
        What each subject may do (one without an entry has the defaults), and where it is counted.
    stops, breakers
        Who may say no at every step. Halts of the desk and of its chain are asked in any case.
    network
        What is particular about the chain; the sender's own where there is one.
    """

    def __init__(
        self,
        *,
        stage: Stage,
        desk: Desk,
        chain: ChainPort,
        sender: Sender | None,
        journal: Journal,
        limits: Mapping[str, RunLimits],
        book: LimitBook | None = None,
        account: Address | None = None,
        fate: Fate | None = None,
        stops: Sequence[StopsPort] = (),
        breakers: Sequence[BreakersPort] = (),
        network: Network | None = None,
        settings: StreetSettings | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.rules = rules_of(stage)
        demand_hands(self.rules, sender=sender, has_fate=fate is not None)
        self.settings = settings or StreetSettings()
        self.halts = HaltBook(journal)
        self._sender = sender
        self._journal = journal
        self._book = book or LimitBook(LimitTable(stage=_limits_of(self.rules)))
        recorder = recorder or NullRecorder()
        self._means = Means(
            rules=self.rules,
            settings=self.settings,
            desk=desk,
            chain=chain,
            network=network if sender is None else sender.network,
            account=account or ZERO_ADDRESS if sender is None else sender.account,
            sender=sender,
            fate=fate,
            journal=journal,
            limits=limits,
            book=self._book,
            halts=self.halts,
            permission=Permission((self.halts, *stops), breakers),
            recorder=recorder,
            steps=Steps(recorder),
        )
        self._pen = Pen(journal, desk=desk.name, stage=stage)
        self._runs = Runs(self._means, self._pen)
        self._walk = Walk(self._means, self._pen, self._runs)
        self._conclusion = Conclusion(self._means, self._pen, self._runs)
        self._offers = Offers(self._means)
        self._queue = Queue(walking_max=self.settings.walking_max, waiting_max=self.settings.waiting_max)
        self._walking: dict[str, asyncio.Future[Outcome | None]] = {}

    @property
    def open_runs(self) -> tuple[Run, ...]:
        """Return the runs whose outcome the chain still owes."""
        return tuple(self._runs.open.values())

    @property
    def watched_runs(self) -> tuple[Run, ...]:
        """Return the runs that have an outcome which a reorg may still take away, or a nonce to use up."""
        return tuple(self._runs.watched.values())

    def concerns(self, attempt: Attempt) -> bool:
        """Say whether an attempt of the ledger is of this street's stage, desk and chain."""
        network, desk = self._means.network, self._means.desk.name
        is_here = network is None or attempt.chain_id == network.chain_id
        return attempt.stage is self.rules.stage and attempt.desk == desk and is_here

    async def submit(self, intent: Intent) -> Outcome | None:
        """Walk the intent as far as sending.

        Returns
        -------
        Outcome or None
            The outcome if it has one already (denied, rejected, or walked before), else None:
            the bytes are out, or may be, and ``follow`` will say what became of them.

        Raises
        ------
        Tampered, Divergence, Halted
            What stops a desk; the intent is denied first if nothing has left.
        """
        walking = self._walking.get(intent.id)
        if walking is not None:
            return await asyncio.shield(walking)
        walking = asyncio.ensure_future(self._submit(intent))
        self._walking[intent.id] = walking
        try:
            return await walking
        finally:
            del self._walking[intent.id]

    def remember(self, *, now_ms: int) -> None:
        """Count what earlier processes did, from the journal: a restart resets no limit."""
        restore_limits(self._book, self._journal, stage=self.rules.stage, now_s=now_ms // 1000)

    def drop(self, run: Run, why: str) -> Outcome:
        """End an open run whose chain is gone: nothing of it can land any more."""
        self._book.restore(run.intent, at_s=run.accepted_at_ms // 1000)
        run.tracked = None
        return self._runs.finish(run, OutcomeKind.DROPPED, None, why)

    def begin_anew(self) -> None:
        """Say that the chain began anew: what the ledger knows of its nonces counts no more."""
        if self._sender is not None:
            self._sender.expect_new_world()

    async def start(self, found: Sequence[Run]) -> None:
        """Have the sender compare the ledger with the chain, and know every nonce that is not used for good.

        Raises
        ------
        Divergence
            If the chain has a transaction of our key that the ledger does not know; the key is halted.
        """
        if self._sender is not None:
            await self._sender.start([self._walk.attached(run) for run in found if run.tracked is not None])

    async def take_up(self, run: Run) -> Outcome | None:
        """Go on with a run that an earlier process left open, from what it made durable.

        Signed bytes are followed: only the chain decides them; so is an authorised plan where nothing is
        signed. A reserved nonce is signed for the recorded plan, the same bytes as before. Without either
        nothing can have left, and the intent is planned anew, if its deadline is not over.
        """
        if run.tracked is not None:
            self._walk.attached(run)
        if run.outcome is not None:
            self._runs.watched[run.intent.id] = run
            return run.outcome
        is_fated = self._means.fate is not None and RecordKind.AUTHORISATION in run.written
        if run.may_have_left or is_fated:
            self._book.restore(run.intent, run.plan, at_s=run.accepted_at_ms // 1000)
            self._runs.open[run.intent.id] = run
            return None
        return await self._walk.walk(run)

    async def follow(self) -> list[Outcome]:
        """Ask the chain about every open run; return the outcomes that became final.

        A run about which nothing can be learnt just now stays open.

        Raises
        ------
        Divergence, and whatever else keeps a run from being settled
            By a call in which nothing ended: one run's trouble neither starves nor hides the others.
        """
        runs = (*self._runs.open.values(), *self._runs.watched.values())
        trouble: list[Exception] = []
        if self._sender is not None:
            tracked = [run.tracked for run in runs if run.tracked is not None]
            try:
                await self._offers.ask_again(runs)
                trouble += await self._sender.follow(tracked)
            except Unavailable:
                return []  # the chain does not answer: nothing is learnt, so nothing is concluded
        ended: list[Outcome] = []
        for run in runs:
            if self._means.fate is None and run.has_nothing_new:
                continue
            try:
                outcome = await self._conclusion.of(run)
            except Unavailable:
                continue
            except Exception as error:  # noqa: BLE001 - raised below, after the others had their turn
                trouble.append(error)
                continue
            if outcome is not None:
                ended.append(outcome)
        self._runs.measure()
        if trouble and not ended:
            raise trouble[0]
        return ended

    async def take_back(self) -> None:
        """Take back at once what relays hold and a stop, breaker or guard forbids by now.

        ``follow`` does the rest at the next block. Raises ``Unavailable`` if the chain is silent.
        """
        if self._sender is not None:
            runs = self._runs.open.values()
            await self._sender.take_back([run.tracked for run in runs if run.tracked is not None])

    async def _submit(self, intent: Intent) -> Outcome | None:
        known = None
        if self._journal.has_intent(intent.id):
            known = read_run(self._journal.records(correlation_id=intent.id))
        if known is not None and (known.outcome is not None or intent.id in self._runs.open):
            return known.outcome
        run = known or Run(intent)
        if RecordKind.INTENT not in run.written:
            await self._pen.note(run)
        try:
            await self._queue.enter(is_exit=intent.operation.is_exit)
        except Denied as overload:
            return self._runs.finish(run, OutcomeKind.DENIED, overload.reason, str(overload))
        try:
            return await (self._walk.walk(run) if known is None else self.take_up(run))
        finally:
            self._queue.leave()


def _limits_of(rules: StageRules) -> Stage:
    """Return whose limits hold if nobody gave any: paper's, where no key of value signs."""
    return rules.stage if rules.signs_with == SIGNER else Stage.PAPER
