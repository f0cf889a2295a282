"""An intent's way from its acceptance until its bytes are out: each step a record before the next.

Up to the signature a refusal ends the intent as *denied*; once signed bytes exist only the chain decides what
became of them.
"""

from __future__ import annotations

from tidegate.chain import Tracked
from tidegate.ledger import AuthorisationBody, LimitsBody, PlanBody
from tidegate.model import (
    Denied,
    Outcome,
    OutcomeKind,
    Plan,
    Reason,
    RecordKind,
    Rejected,
    Unavailable,
)
from tidegate.pipeline.affordable import demand_affordable, demand_data_fee
from tidegate.pipeline.checks import (
    bounds_body,
    demand_bounds,
    demand_guards,
    guards_body,
    refused,
    simulate,
    simulation_body,
)
from tidegate.pipeline.means import Means
from tidegate.pipeline.pen import Pen
from tidegate.pipeline.run import Run
from tidegate.pipeline.runs import Runs
from tidegate.pipeline.steps import Accounts


class Walk:
    """Walks runs of one street, one at a time on each account of the desk."""

    def __init__(self, means: Means, pen: Pen, runs: Runs) -> None:
        self._means = means
        self._pen = pen
        self._runs = runs
        self._accounts = Accounts()

    async def walk(self, run: Run) -> Outcome | None:
        """Walk a run as far as sending; return its outcome if it has one already.

        Raises
        ------
        Tampered, Divergence, Halted
            What stops a desk; the intent is denied first if nothing has left.
        """
        async with self._accounts.of(run.intent):
            try:
                await self._to_signature(run)
            except Denied as refusal:
                return self._deny(run, refusal.reason, str(refusal))
            except Unavailable as silence:
                return self._deny(run, Reason.UNAVAILABLE, str(silence))
            except Rejected as refusal:
                denied = refused(refusal)
                return self._deny(run, denied.reason, str(denied))
            except Exception as error:
                self._deny(run, Reason.FAILED, f"{type(error).__name__}: {error}")
                raise
            return await self._send(run)

    def attached(self, run: Run) -> Tracked:
        """Let the run's transaction ask this street's stops before each signature, and tell it of denials."""
        assert run.tracked is not None
        run.tracked.denied = self._halt_if_changed
        run.tracked.refusal = lambda operation: self._means.permission.refusal(run.intent, operation)
        return run.tracked

    async def _to_signature(self, run: Run) -> None:
        means, times = self._means, self._means.settings
        head = await means.steps.run("accept", times.accept_s, means.chain.block())
        await self._accept(run, head.timestamp)
        if run.plan is None or run.nonce is None:
            run.plan = await self._prepare(run)
        else:
            self._commit(run, run.plan)
        if means.network is not None:
            demand_affordable(run.plan, means.network, head)
            if means.network.data_fee.is_charged and not run.intent.operation.is_exit:
                fee = means.chain.data_fee_wei(run.plan, sender=means.account)
                demand_data_fee(run, await means.steps.run("data_fee", times.simulate_s, fee))
        self._authorise(run)
        if means.sender is None:
            self._runs.open[run.intent.id] = run  # nothing is signed: its fate is asked of later blocks
            return
        run.track(run.plan)
        await means.steps.run("sign", None, means.sender.sign(self.attached(run)))
        self._runs.open[run.intent.id] = run  # only now: what is not on disk is never sent

    async def _accept(self, run: Run, chain_time_s: int) -> None:
        intent = run.intent
        if RecordKind.INTENT not in run.written:
            await self._pen.note(run)
        if chain_time_s >= intent.deadline_s:
            raise Denied(
                Reason.DEADLINE_PASSED,
                "the intent's deadline is over",
                found=f"chain time {chain_time_s}",
                allowed=f"before {intent.deadline_s}",
            )
        self._means.permission.demand(intent)
        limits = self._means.limits_of(intent)
        checked = self._means.book.reserve(intent, limits, now_s=run.accepted_at_ms // 1000)
        self._pen.write(run, LimitsBody(checked=checked))

    async def _prepare(self, run: Run) -> Plan:
        means, times = self._means, self._means.settings
        plan = await means.steps.run("plan", times.plan_s, means.desk.plan(run.intent))
        await self._pen.write_and_wait(run, PlanBody.of(plan))
        self._commit(run, plan)
        guards = await means.steps.run("guards", times.guards_s, means.desk.guards_before(plan))
        self._pen.write(run, guards_body(guards))
        demand_guards(guards)
        rehearsed = simulate(plan, sender=means.account, chain=means.chain, reader=means.desk.reader)
        simulation, refusal = await means.steps.run("simulate", times.simulate_s, rehearsed)
        run.simulated = simulation_body(simulation)
        self._pen.write(run, run.simulated)
        if refusal is not None:
            raise refusal
        self._pen.write(run, bounds_body(plan, simulation))
        demand_bounds(plan, simulation)
        return plan

    def _commit(self, run: Run, plan: Plan) -> None:
        limits = self._means.limits_of(run.intent)
        self._means.book.commit(run.intent, plan, limits, now_s=run.accepted_at_ms // 1000)

    def _authorise(self, run: Run) -> None:
        means = self._means
        means.permission.demand(run.intent)
        authorisation = AuthorisationBody(
            stage=means.rules.stage,
            signs_with=means.rules.signs_with,
            signer=means.account,
            capability_id="" if means.sender is None else means.sender.capability_id,
        )
        self._pen.write(run, authorisation)

    async def _send(self, run: Run) -> Outcome | None:
        sender = self._means.sender
        if sender is None:
            return None
        assert run.tracked is not None
        try:
            await self._means.steps.run("send", None, sender.send(run.tracked))
        except Rejected as refusal:
            return self._runs.finish(run, OutcomeKind.REJECTED, None, str(refusal))
        self._runs.measure()
        return None

    def _deny(self, run: Run, reason: Reason, why: str) -> Outcome:
        return self._runs.finish(run, OutcomeKind.DENIED, reason, why)

    def _halt_if_changed(self, refusal: Denied) -> None:
        """Halt the desk if bytes changed between plan and signature: nothing of it may go on."""
        if refusal.reason is Reason.PLAN_DIGEST_MISMATCH:
            self._means.halts.halt(f"desk:{self._means.desk.name}", str(refusal))
