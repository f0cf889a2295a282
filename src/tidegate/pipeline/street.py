"""The street: accept, limits, plan, guards, simulate, bounds, authorise, sign, send, confirm, book.

Each step writes its record before the next one starts. Up to the signature a refusal ends the
intent as *denied*; once signed bytes exist only the chain decides what became of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tidegate.ledger import (
    AuthorisationBody,
    Body,
    IntentBody,
    Journal,
    LimitsBody,
    NonceBody,
    OutcomeBody,
    PlanBody,
    Record,
    SentBody,
    SignatureBody,
)
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    Ambiguous,
    Denied,
    Intent,
    Outcome,
    OutcomeKind,
    Plan,
    Reason,
    RecordKind,
    Rejected,
    Stage,
    TransactionSigner,
    Unavailable,
    UnsignedTransaction,
)
from tidegate.pipeline.chain import ChainPort
from tidegate.pipeline.checks import (
    bounds_body,
    demand_bounds,
    demand_guards,
    guards_body,
    simulate,
    simulation_body,
)
from tidegate.pipeline.desk import Desk
from tidegate.pipeline.run import Run, read_run
from tidegate.pipeline.settle import settle
from tidegate.pipeline.stages import THROW_AWAY, StageRules, demand_hands, rules_of
from tidegate.pipeline.unsent import Fate
from tidegate.risk import LimitBook, LimitTable, RunLimits, restore_limits


class Street:
    """Walks intents of one desk on one chain in one stage.

    Parameters
    ----------
    stage
        Where we stand on the ladder; a stage that can not be walked is refused here.
    desk, chain, signer, journal
        Whom it asks for plans, which node it reads and sends to, who signs, where it writes. A stage that
        signs nothing never holds a signer.
    account
        From whom plans run; the signer's own where there is one.
    fate
        What says how a plan ends in a stage that signs nothing; None in all others.
    limits
        What each subject may do; a subject without an entry has the defaults.
    """

    def __init__(
        self,
        *,
        stage: Stage,
        desk: Desk,
        chain: ChainPort,
        signer: TransactionSigner | None,
        journal: Journal,
        limits: Mapping[str, RunLimits],
        book: LimitBook | None = None,
        account: Address | None = None,
        fate: Fate | None = None,
    ) -> None:
        self.rules = rules_of(stage)
        demand_hands(self.rules, has_signer=signer is not None, has_fate=fate is not None)
        self._desk = desk
        self._chain = chain
        self._signer = signer
        self._account = account or ZERO_ADDRESS if signer is None else signer.address
        self._fate = fate
        self._journal = journal
        self._limits = limits
        self._book = book or LimitBook(LimitTable(stage=_limits_of(self.rules)))
        self._open: dict[str, Run] = {}
        self._walking: dict[str, asyncio.Future[Outcome | None]] = {}
        self._nonce_lock = asyncio.Lock()

    @property
    def open_runs(self) -> tuple[Run, ...]:
        """Return the runs whose outcome the chain still owes."""
        return tuple(self._open.values())

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
        """Count what the journal holds of earlier processes: a restart resets no limit."""
        restore_limits(self._book, self._journal, stage=self.rules.stage, now_s=now_ms // 1000)

    def drop(self, run: Run, why: str) -> Outcome:
        """End an open run whose chain is gone: nothing of it can land any more."""
        self._book.restore(run.intent, at_s=run.accepted_at_ms // 1000)
        return self._finish(run, OutcomeKind.DROPPED, None, why)

    async def take_up(self, run: Run) -> Outcome | None:
        """Go on with a run that an earlier process left open, from what it made durable.

        Signed bytes are followed: only the chain decides them; so is an authorised plan where nothing is
        signed. A reserved nonce is signed for the recorded plan, the same bytes as before. Without either
        nothing can have left, and the intent is planned anew, if its deadline is not over.
        """
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
        ended: list[Outcome] = []
        trouble: Exception | None = None
        for run in self.open_runs:
            try:
                settled = await self._settle(run)
                if settled is not None:
                    ended.append(self._finish(run, settled.kind, None, settled.detail, settled))
            except Unavailable:
                continue
            except Exception as error:  # noqa: BLE001 - raised below, after the others had their turn
                trouble = trouble or error
        if trouble is not None and not ended:
            raise trouble
        return ended

    async def _settle(self, run: Run) -> Outcome | None:
        if self._fate is not None:
            assert run.plan is not None
            return await self._fate.of(run, run.plan, self._write)
        return await settle(run, desk=self._desk, chain=self._chain, write=self._write)

    async def _submit(self, intent: Intent) -> Outcome | None:
        known = read_run(self._journal.records(correlation_id=intent.id))
        if known is None:
            return await self._walk(Run(intent))
        if known.outcome is not None or intent.id in self._open:
            return known.outcome
        return await self.take_up(known)

    async def _walk(self, run: Run) -> Outcome | None:
        try:
            await self._accept(run)
            if run.plan is None or run.nonce is None:
                run.plan = await self._prepare(run)
            else:
                self._commit(run, run.plan)
            await self._sign(run, run.plan)
        except Denied as refusal:
            return self._finish(run, OutcomeKind.DENIED, refusal.reason, str(refusal))
        except Unavailable as silence:
            return self._finish(run, OutcomeKind.DENIED, Reason.UNAVAILABLE, str(silence))
        except Rejected as refusal:
            return self._finish(run, OutcomeKind.DENIED, Reason.SIMULATION_REVERTED, str(refusal))
        except Exception as error:
            self._finish(run, OutcomeKind.DENIED, Reason.FAILED, f"{type(error).__name__}: {error}")
            raise
        return await self._send(run)

    async def _accept(self, run: Run) -> None:
        head = await self._chain.block()
        intent = run.intent
        if RecordKind.INTENT not in run.written:
            body = IntentBody(intent=intent, stage=self.rules.stage)
            run.accepted_at_ms = self._write(run, body).at_ms
        if head.timestamp >= intent.deadline_s:
            raise Denied(
                Reason.DEADLINE_PASSED,
                "the intent's deadline is over",
                found=f"chain time {head.timestamp}",
                allowed=f"before {intent.deadline_s}",
            )
        limits = self._limits.get(intent.subject, RunLimits())
        checked = self._book.reserve(intent, limits, now_s=run.accepted_at_ms // 1000)
        self._write(run, LimitsBody(checked=checked))

    async def _prepare(self, run: Run) -> Plan:
        plan = await self._desk.plan(run.intent)
        self._write(run, PlanBody.of(plan))
        self._commit(run, plan)
        guards = await self._desk.guards_before(plan)
        self._write(run, guards_body(guards))
        demand_guards(guards)
        simulation, refusal = await simulate(
            plan, sender=self._account, chain=self._chain, reader=self._desk.reader
        )
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

    async def _sign(self, run: Run, plan: Plan) -> None:
        authorisation = AuthorisationBody(
            stage=self.rules.stage, signs_with=self.rules.signs_with, signer=self._account
        )
        self._write(run, authorisation)
        if self._signer is None:
            self._open[run.intent.id] = run  # nothing is signed: its fate is asked of later blocks
            return
        async with self._nonce_lock:
            if run.nonce is None:
                run.nonce = await self._next_nonce(self._account)
                self._write(run, NonceBody(nonce=run.nonce, account=self._account))
            signed = await self._signer.sign_transaction(
                UnsignedTransaction(
                    chain_id=plan.chain_id,
                    nonce=run.nonce,
                    to=plan.to,
                    data=plan.data,
                    value_wei=plan.value_wei,
                    gas_limit=plan.gas_limit,
                    max_fee_wei=plan.max_fee_wei,
                    max_priority_fee_wei=plan.max_priority_fee_wei,
                ),
                intent_id=run.intent.id,
                plan_digest=plan.digest,
            )
            body = SignatureBody(
                nonce=run.nonce,
                hash="0x" + signed.hash.hex(),
                raw="0x" + signed.raw.hex(),
                sender=signed.sender,
            )
            self._write(run, body)
            run.signed = signed  # only now: what is not on disk is never sent
            self._open[run.intent.id] = run

    async def _next_nonce(self, account: Address) -> int:
        """Return the lowest nonce that is neither included nor reserved: a gap is filled first."""
        reserved = {run.nonce for run in self._open.values()}
        nonce = await self._chain.nonce(account)
        while nonce in reserved:
            nonce += 1
        return nonce

    async def _send(self, run: Run) -> Outcome | None:
        if run.signed is None:
            return None
        try:
            await self._chain.send_raw(run.signed.raw)
        except Rejected as refusal:
            return self._finish(run, OutcomeKind.REJECTED, None, str(refusal))
        except (Ambiguous, Unavailable):
            return None  # unknown whether it is out: the run stays open until the chain answers
        self._write(run, SentBody(hash="0x" + run.signed.hash.hex()))
        return None

    def _finish(
        self,
        run: Run,
        kind: OutcomeKind,
        reason: Reason | None,
        detail: str,
        settlement: Outcome | None = None,
    ) -> Outcome:
        record = self._write(run, OutcomeBody(kind=kind, reason=reason, detail=detail))
        self._open.pop(run.intent.id, None)
        self._book.close(
            run.intent,
            kind=kind,
            value_usd_e6=run.booked_value_usd_e6,
            gas_cost_wei=0 if settlement is None else settlement.gas_cost_wei,
            now_s=record.at_ms // 1000,
        )
        run.outcome = settlement or Outcome(intent_id=run.intent.id, kind=kind, reason=reason, detail=detail)
        return run.outcome

    def _write(self, run: Run, body: Body) -> Record:
        record = self._journal.append(
            body.KIND, body, actor=f"street:{self._desk.name}", correlation_id=run.intent.id
        )
        run.written.add(body.KIND)
        return record


def _limits_of(rules: StageRules) -> Stage:
    """Return whose limits hold if nobody gave any: paper's, where no key of value signs."""
    return Stage.PAPER if rules.signs_with in (THROW_AWAY, "nothing") else rules.stage
