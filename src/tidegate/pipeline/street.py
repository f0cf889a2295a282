"""The street: accept, limits, plan, guards, simulate, bounds, authorise, sign, send, confirm, book.

Each step writes its record before the next one starts. Up to the signature a refusal ends the
intent as *denied*; once signed bytes exist only the chain decides what became of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tidegate.chain import Network, Sender, State, Tracked
from tidegate.ledger import (
    Attempt,
    AuthorisationBody,
    Body,
    BookingBody,
    IntentBody,
    Journal,
    LimitsBody,
    OutcomeBody,
    PlanBody,
    Record,
)
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    Denied,
    Intent,
    Metric,
    NullRecorder,
    Outcome,
    OutcomeKind,
    Plan,
    Reason,
    Recorder,
    RecordKind,
    Rejected,
    Stage,
    Unavailable,
)
from tidegate.pipeline.affordable import demand_affordable, demand_data_fee
from tidegate.pipeline.chain import ChainPort
from tidegate.pipeline.checks import (
    bounds_body,
    demand_bounds,
    demand_guards,
    guards_body,
    refused,
    simulate,
    simulation_body,
)
from tidegate.pipeline.desk import Desk
from tidegate.pipeline.halts import HaltBook
from tidegate.pipeline.ports import BreakersPort, Permission, StopsPort
from tidegate.pipeline.queue import Queue
from tidegate.pipeline.run import Run, read_run
from tidegate.pipeline.settings import StreetSettings
from tidegate.pipeline.settle import book, book_back, book_cancel, why_reverted
from tidegate.pipeline.stages import SIGNER, StageRules, demand_hands, rules_of
from tidegate.pipeline.steps import Accounts, Steps
from tidegate.pipeline.unsent import Fate
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
        self._desk = desk
        self._chain = chain
        self._sender = sender
        self._account = account or ZERO_ADDRESS if sender is None else sender.account
        self._network = network if sender is None else sender.network
        self._fate = fate
        self._journal = journal
        self._limits = limits
        self._book = book or LimitBook(LimitTable(stage=_limits_of(self.rules)))
        self._permission = Permission((self.halts, *stops), breakers)
        self._recorder = recorder or NullRecorder()
        self._steps = Steps(self._recorder)
        self._queue = Queue(walking_max=self.settings.walking_max, waiting_max=self.settings.waiting_max)
        self._accounts = Accounts()
        self._open: dict[str, Run] = {}
        self._watched: dict[str, Run] = {}
        self._walking: dict[str, asyncio.Future[Outcome | None]] = {}

    @property
    def open_runs(self) -> tuple[Run, ...]:
        """Return the runs whose outcome the chain still owes."""
        return tuple(self._open.values())

    @property
    def watched_runs(self) -> tuple[Run, ...]:
        """Return the runs that have an outcome which a reorg may still take away, or a nonce to use up."""
        return tuple(self._watched.values())

    def concerns(self, attempt: Attempt) -> bool:
        """Say whether an attempt of the ledger is of this street's stage, desk and chain."""
        is_here = self._network is None or attempt.chain_id == self._network.chain_id
        return attempt.stage is self.rules.stage and attempt.desk == self._desk.name and is_here

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
        return self._finish(run, OutcomeKind.DROPPED, None, why)

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
            await self._sender.start([self._attached(run) for run in found if run.tracked is not None])

    async def take_up(self, run: Run) -> Outcome | None:
        """Go on with a run that an earlier process left open, from what it made durable.

        Signed bytes are followed: only the chain decides them; so is an authorised plan where nothing is
        signed. A reserved nonce is signed for the recorded plan, the same bytes as before. Without either
        nothing can have left, and the intent is planned anew, if its deadline is not over.
        """
        if run.tracked is not None:
            self._attached(run)
        if run.outcome is not None:
            self._watched[run.intent.id] = run
            return run.outcome
        is_fated = self._fate is not None and RecordKind.AUTHORISATION in run.written
        if run.may_have_left or is_fated:
            self._book.restore(run.intent, run.plan, at_s=run.accepted_at_ms // 1000)
            self._open[run.intent.id] = run
            return None
        return await self._walk(run)

    async def follow(self) -> list[Outcome]:
        """Ask the chain about every open run; return the outcomes that became final.

        A run about which nothing can be learnt just now stays open.

        Raises
        ------
        Divergence, and whatever else keeps a run from being settled
            By a call in which nothing ended: one run's trouble neither starves nor hides the others.
        """
        runs = (*self._open.values(), *self._watched.values())
        trouble: list[Exception] = []
        if self._sender is not None:
            tracked = [run.tracked for run in runs if run.tracked is not None]
            try:
                trouble += await self._sender.follow(tracked)
            except Unavailable:
                return []  # the chain does not answer: nothing is learnt, so nothing is concluded
        ended: list[Outcome] = []
        for run in runs:
            if self._fate is None and run.has_nothing_new:
                continue
            try:
                outcome = await self._conclude(run)
            except Unavailable:
                continue
            except Exception as error:  # noqa: BLE001 - raised below, after the others had their turn
                trouble.append(error)
                continue
            if outcome is not None:
                ended.append(outcome)
        self._measure_open()
        if trouble and not ended:
            raise trouble[0]
        return ended

    async def _submit(self, intent: Intent) -> Outcome | None:
        known = None
        if self._journal.has_intent(intent.id):
            known = read_run(self._journal.records(correlation_id=intent.id))
        if known is not None and (known.outcome is not None or intent.id in self._open):
            return known.outcome
        run = known or Run(intent)
        if RecordKind.INTENT not in run.written:
            await self._note(run)
        try:
            await self._queue.enter(is_exit=intent.operation.is_exit)
        except Denied as overload:
            return self._finish(run, OutcomeKind.DENIED, overload.reason, str(overload))
        try:
            return await (self._walk(run) if known is None else self.take_up(run))
        finally:
            self._queue.leave()

    async def _walk(self, run: Run) -> Outcome | None:
        async with self._accounts.of(run.intent):
            try:
                await self._to_signature(run)
            except Denied as refusal:
                return self._finish(run, OutcomeKind.DENIED, refusal.reason, str(refusal))
            except Unavailable as silence:
                return self._finish(run, OutcomeKind.DENIED, Reason.UNAVAILABLE, str(silence))
            except Rejected as refusal:
                denied = refused(refusal)
                return self._finish(run, OutcomeKind.DENIED, denied.reason, str(denied))
            except Exception as error:
                self._finish(run, OutcomeKind.DENIED, Reason.FAILED, f"{type(error).__name__}: {error}")
                raise
            return await self._send(run)

    async def _to_signature(self, run: Run) -> None:
        times = self.settings
        head = await self._steps.run("accept", times.accept_s, self._chain.block())
        await self._accept(run, head.timestamp)
        if run.plan is None or run.nonce is None:
            run.plan = await self._prepare(run)
        else:
            self._commit(run, run.plan)
        if self._network is not None:
            demand_affordable(run.plan, self._network, head)
            if self._network.data_fee.is_charged and not run.intent.operation.is_exit:
                fee = self._chain.data_fee_wei(run.plan, sender=self._account)
                demand_data_fee(run, await self._steps.run("data_fee", times.simulate_s, fee))
        self._authorise(run)
        if self._sender is None:
            self._open[run.intent.id] = run  # nothing is signed: its fate is asked of later blocks
            return
        run.track(run.plan)
        await self._steps.run("sign", None, self._sender.sign(self._attached(run)))
        self._open[run.intent.id] = run  # only now: what is not on disk is never sent

    async def _accept(self, run: Run, chain_time_s: int) -> None:
        intent = run.intent
        if RecordKind.INTENT not in run.written:
            await self._note(run)
        if chain_time_s >= intent.deadline_s:
            raise Denied(
                Reason.DEADLINE_PASSED,
                "the intent's deadline is over",
                found=f"chain time {chain_time_s}",
                allowed=f"before {intent.deadline_s}",
            )
        self._permission.demand(intent)
        limits = self._limits.get(intent.subject, RunLimits())
        checked = self._book.reserve(intent, limits, now_s=run.accepted_at_ms // 1000)
        self._write(run, LimitsBody(checked=checked))

    async def _prepare(self, run: Run) -> Plan:
        times = self.settings
        plan = await self._steps.run("plan", times.plan_s, self._desk.plan(run.intent))
        await self._write_and_wait(run, PlanBody.of(plan))
        self._commit(run, plan)
        guards = await self._steps.run("guards", times.guards_s, self._desk.guards_before(plan))
        self._write(run, guards_body(guards))
        demand_guards(guards)
        rehearsed = simulate(plan, sender=self._account, chain=self._chain, reader=self._desk.reader)
        simulation, refusal = await self._steps.run("simulate", times.simulate_s, rehearsed)
        run.simulated = simulation_body(simulation)
        self._write(run, run.simulated)
        if refusal is not None:
            raise refusal
        self._write(run, bounds_body(plan, simulation))
        demand_bounds(plan, simulation)
        return plan

    def _commit(self, run: Run, plan: Plan) -> None:
        limits = self._limits.get(run.intent.subject, RunLimits())
        self._book.commit(run.intent, plan, limits, now_s=run.accepted_at_ms // 1000)

    def _authorise(self, run: Run) -> None:
        self._permission.demand(run.intent)
        authorisation = AuthorisationBody(
            stage=self.rules.stage,
            signs_with=self.rules.signs_with,
            signer=self._account,
            capability_id="" if self._sender is None else self._sender.capability_id,
        )
        self._write(run, authorisation)

    async def _send(self, run: Run) -> Outcome | None:
        if self._sender is None:
            return None
        assert run.tracked is not None
        try:
            await self._steps.run("send", None, self._sender.send(run.tracked))
        except Rejected as refusal:
            return self._finish(run, OutcomeKind.REJECTED, None, str(refusal))
        self._measure_open()
        return None

    async def _conclude(self, run: Run) -> Outcome | None:
        """Bring the books to what the chain said of a run; return its outcome if it has just got one."""
        assert run.plan is not None
        if self._fate is not None:
            outcome = await self._fate.of(run, run.plan, self._write)
            return None if outcome is None else self._finish(run, outcome.kind, None, outcome.detail, outcome)
        tracked = run.tracked
        assert tracked is not None
        assert self._sender is not None
        if run.is_booked_wrong:
            book_back(run, write=self._write)
        if tracked.withdrawals > run.seen_withdrawals:
            self._reopen(run)
        if tracked.included is None:
            return self._given_up(run, tracked)
        if run.booking is None or run.outcome is None:
            settled = await self._steps.run("settle", self.settings.settle_s, self._settle(run, tracked))
            if run.outcome is None:
                return self._finish(run, settled.kind, None, settled.detail, settled)
            self._charge(run, settled)
        if tracked.state is State.FINALISED:
            self._watched.pop(run.intent.id, None)
            self._book.finalise(run.intent.id)
        return None

    async def _settle(self, run: Run, tracked: Tracked) -> Outcome:
        assert run.plan is not None
        assert tracked.included is not None
        assert self._sender is not None
        if tracked.included.is_cancel:
            outcome = book_cancel(run, run.plan, tracked.included, write=self._write)
        else:
            receipt = await self._sender.receipt_of(tracked)
            why = ""
            if receipt.status != 1:
                why = await why_reverted(
                    run.plan, receipt.transaction_hash, desk=self._desk, chain=self._chain
                )
            outcome = await book(run, run.plan, receipt, desk=self._desk, write=self._write, why=why)
        self._recorder.count(
            Metric.GAS_SPENT_WEI, outcome.gas_cost_wei, desk=self._desk.name, chain=self._chain_id
        )
        return outcome

    def _reopen(self, run: Run) -> None:
        """Owe an outcome again: a reorg took the block that decided it."""
        run.withdraw()
        if run.outcome is not None:
            self._book.uncharge(run.intent.id)
        elif run.intent.id in self._watched:
            self._book.reopen(run.intent, run.plan, at_s=run.accepted_at_ms // 1000)
            self._open[run.intent.id] = self._watched.pop(run.intent.id)

    def _given_up(self, run: Run, tracked: Tracked) -> Outcome | None:
        assert self._sender is not None
        if run.outcome is not None or not self._sender.gave_up(tracked):
            return None
        why = "its nonce was used by bytes of others; a person has looked and lifted the halt"
        return self._finish(run, OutcomeKind.DROPPED, None, why)

    def _finish(
        self,
        run: Run,
        kind: OutcomeKind,
        reason: Reason | None,
        detail: str,
        settlement: Outcome | None = None,
    ) -> Outcome:
        body = OutcomeBody(kind=kind, reason=reason, detail=detail)
        record = self._write(run, body)
        self._open.pop(run.intent.id, None)
        self._close(run, kind, record.at_ms, settlement)
        run.outcome = settlement or Outcome(intent_id=run.intent.id, kind=kind, reason=reason, detail=detail)
        if self._sender is not None and run.tracked is not None:
            run.tracked.take(body.KIND, body)
            if self._sender.ended(run.tracked):
                self._watched[run.intent.id] = run
        self._recorder.count(
            Metric.INTENTS,
            desk=self._desk.name,
            chain=self._chain_id,
            stage=self.rules.stage.value,
            outcome=kind.value,
            reason="" if reason is None else reason.value,
        )
        return run.outcome

    def _close(
        self, run: Run, kind: OutcomeKind, ended_at_ms: int, settlement: Outcome | None = None
    ) -> None:
        outcome = settlement or run.outcome
        self._book.close(
            run.intent,
            kind=kind,
            value_usd_e6=run.booked_value_usd_e6,
            gas_cost_wei=0 if outcome is None else outcome.gas_cost_wei,
            now_s=ended_at_ms // 1000,
        )

    def _charge(self, run: Run, settled: Outcome) -> None:
        """Count what an intent cost after its end: the cancel of what was denied or rejected."""
        self._book.charge(
            run.intent,
            value_usd_e6=run.booked_value_usd_e6,
            gas_cost_wei=settled.gas_cost_wei,
            now_s=run.booked_at_ms // 1000,
        )

    def _attached(self, run: Run) -> Tracked:
        """Let the run's transaction ask this street's stops before each signature, and tell it of denials."""
        assert run.tracked is not None
        run.tracked.denied = self._halt_if_changed
        run.tracked.refusal = lambda operation: self._permission.refusal(run.intent, operation)
        return run.tracked

    def _halt_if_changed(self, refusal: Denied) -> None:
        """Halt the desk if bytes changed between plan and signature: nothing of it may go on."""
        if refusal.reason is Reason.PLAN_DIGEST_MISMATCH:
            self.halts.halt(f"desk:{self._desk.name}", str(refusal))

    @property
    def _chain_id(self) -> str:
        return "" if self._network is None else str(self._network.chain_id)

    def _measure_open(self) -> None:
        self._recorder.set(
            Metric.OPEN_TRANSACTIONS, len(self._open), desk=self._desk.name, chain=self._chain_id
        )

    async def _note(self, run: Run) -> None:
        body = IntentBody(intent=run.intent, stage=self.rules.stage)
        run.accepted_at_ms = (await self._write_and_wait(run, body)).at_ms

    async def _write_and_wait(self, run: Run, body: Body) -> Record:
        """Write what must be on disk before the next step, and let other intents walk meanwhile."""
        record = await self._journal.append_and_wait(
            body.KIND, body, actor=f"street:{self._desk.name}", correlation_id=run.intent.id
        )
        run.written.add(body.KIND)
        return record

    def _write(self, run: Run, body: Body) -> Record:
        record = self._journal.append(
            body.KIND, body, actor=f"street:{self._desk.name}", correlation_id=run.intent.id
        )
        run.written.add(body.KIND)
        if isinstance(body, BookingBody):
            run.booked_at_ms = record.at_ms
        return record


def _limits_of(rules: StageRules) -> Stage:
    """Return whose limits hold if nobody gave any: paper's, where no key of value signs."""
    return rules.stage if rules.signs_with == SIGNER else Stage.PAPER
