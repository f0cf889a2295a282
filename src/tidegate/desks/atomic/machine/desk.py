"""The atomic desk on the street: it looks, decides, plans, and judges its own plans."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec

from tidegate.desks.atomic.machine.configure import configure
from tidegate.desks.atomic.machine.decide import (
    DESK,
    NATIVE_PRICE,
    Decision,
    DeskConfig,
    DeskInputs,
    Event,
    Obstacle,
    Outlook,
    decide,
    hold,
)
from tidegate.desks.atomic.machine.judging import judgement_of
from tidegate.desks.atomic.machine.lent import LentBook, lent_notes
from tidegate.desks.atomic.machine.loans import flash_steps
from tidegate.desks.atomic.machine.operation import demand_exit, operation_of
from tidegate.desks.atomic.machine.optional import drop_failing_groups, without_groups
from tidegate.desks.atomic.machine.permission import role_refusal
from tidegate.desks.atomic.machine.planner import (
    Draft,
    draft_faults,
    draft_plan,
    faults_refusal,
    finish_plan,
    refuse_reverted,
)
from tidegate.desks.atomic.machine.prospect import Prospect, quote
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.realised import realised_amounts
from tidegate.desks.atomic.machine.search import search_size
from tidegate.desks.atomic.machine.serving import REPLANS_MAX
from tidegate.desks.atomic.machine.triggers import readings_of
from tidegate.desks.atomic.machine.watching import observe
from tidegate.model import ConfigError, Denied, GuardResult, Intent, Plan, Reason, Receipt, Rejected
from tidegate.pipeline import PlanReader, Rehearsal
from tidegate.venues import NATIVE, StateView

StateAt: TypeAlias = Callable[[int | None], StateView]
"""A block's state, pinned in the fast world; the newest block for None."""

Rehearse: TypeAlias = Callable[[Plan], Awaitable[Rehearsal]]
"""Runs a plan's own bytes from the operator on the newest block of the exact world."""


GAS_NOTE = "gas_needed"
"""Where a plan notes what it needed in the exact world; the next decision weighs with it."""


class Situation(msgspec.Struct, frozen=True):
    """What the street says about a strategy: how many runs are open, and when the last one began."""

    open_attempts: int = 0
    last_action_block: int | None = None
    last_action_s: int | None = None


class Look(msgspec.Struct, frozen=True):
    """One decision with everything that it was made from; ``decision_body`` makes its record."""

    inputs: DeskInputs
    config: DeskConfig
    decision: Decision


class AtomicDesk:
    """Keeps ``pipeline.Desk`` for any number of strategies on one chain.

    Parameters
    ----------
    assignments
        The strategies, each with a name of its own.
    state_at
        Where states are read.
    rehearse
        Where gas is measured.
    reader
        What reads the executor's plans back.
    blinds_hashes
        The salted hash of each strategy's blinds, by strategy name.
    """

    def __init__(
        self,
        assignments: Iterable[Assignment],
        *,
        state_at: StateAt,
        rehearse: Rehearse,
        reader: PlanReader,
        blinds_hashes: Mapping[str, str],
    ) -> None:
        self._jobs = {job.strategy.name: job for job in assignments}
        self._configs = {
            name: configure(job, blinds_hashes.get(name, "")) for name, job in self._jobs.items()
        }
        self._state_at = state_at
        self._rehearse = rehearse
        self._reader = reader
        self._gas_used: dict[str, int] = {}
        self._lent = LentBook()
        self._memory: dict[str, dict[str, int]] = {}

    @property
    def name(self) -> str:
        """Return ``atomic``."""
        return DESK

    @property
    def reader(self) -> PlanReader:
        """Return what reads this desk's plans back."""
        return self._reader

    @property
    def subjects(self) -> tuple[str, ...]:
        """Return the names of the strategies, in the order given."""
        return tuple(self._jobs)

    def config(self, subject: str) -> DeskConfig:
        """Return what a person chose for a strategy. Raises ``ConfigError`` if there is none."""
        self._job(subject)
        return self._configs[subject]

    def demand_roles(self) -> None:
        """Refuse to begin with a strategy whose account may not operate its executor: it would only refuse.

        Raises
        ------
        Denied
            ``role_missing``, with what gives the role.
        Unavailable
            If the state can not be read.
        """
        view = self._state_at(None)
        for job in self._jobs.values():
            refusal = role_refusal(job, view)
            if refusal is not None:
                raise refusal

    def look(self, subject: str, event: Event, situation: Situation) -> Look:
        """Look at the newest block for one strategy and decide.

        Nothing is quoted when the answer is "no" already: not due, cooling, or as many open as allowed.

        Raises
        ------
        ConfigError
            If there is no such strategy, or it can not be compiled.
        Unavailable
            If the state can not be read.
        """
        job, config, view = self._job(subject), self._configs[subject], self._state_at(None)
        block = view.block()
        inputs = DeskInputs(
            block_number=block.number,
            block_timestamp_s=block.timestamp,
            base_fee_wei=block.base_fee_wei,
            event=event,
            open_attempts=situation.open_attempts,
            last_action_block=situation.last_action_block,
            last_action_s=situation.last_action_s,
            gas_used=self._gas_used.get(subject),
            readings=observe(readings_of(config.trigger), job.book, job.executor, view),
            memory=self._memory.get(subject, {}),
        )
        if hold(inputs, config) is None:
            inputs = _observe(job, config, view, inputs)
        decision = decide(inputs, config)
        self._memory[subject] = decision.memory
        return Look(inputs, config, decision)

    async def plan(self, intent: Intent) -> Plan:
        """Compile the intent to bytes with bounds, at the newest block.

        Raises
        ------
        Denied
            With the reason, when no plan exists that keeps the strategy's rules; ``not_an_exit`` if an
            exit was decided and the bytes are none.
        """
        job = _sized(self._job(intent.subject), intent.body.get("size"))
        draft, gas_needed = await self._measured(intent, job)
        plan = finish_plan(draft, gas_needed)
        demand_exit(intent, plan, job.book)
        self._gas_used[intent.subject] = gas_needed
        at_s = intent.deadline_s - job.strategy.deadline_s
        lent = lent_notes(at_s, _borrowed_usd(draft), self._lent.before(at_s))
        plan = msgspec.structs.replace(plan, notes={**plan.notes, **lent, GAS_NOTE: gas_needed})
        self._lent.take(plan.notes)
        return plan

    def recall(self, notes: Mapping[str, Any]) -> None:
        """Take out of an earlier plan's notes what it needed and borrowed: a restart decides as before."""
        self._lent.take(notes)
        if notes.get("strategy") in self._jobs and GAS_NOTE in notes:
            self._gas_used[notes["strategy"]] = notes[GAS_NOTE]

    def remember(self, decision: Mapping[str, Any]) -> None:
        """Take what a trigger remembered out of a recorded decision: a restart misses no event.

        One of another file, or of a strategy that is not here, is nobody's.
        """
        config = self._configs.get(decision["subject"])
        if config is not None and decision["config"].get("strategy_digest") == config.strategy_digest:
            memory = decision["result"].get("memory", {})
            self._memory[config.subject] = {key: int(value) for key, value in memory.items()}

    async def _measured(self, intent: Intent, job: Assignment) -> tuple[Draft, int]:
        """Return a draft that works in the exact world, and what it needs of gas there.

        A draft that a lender fails is drawn up again at the newest block, three times at most and not
        past the intent's deadline: who paused, was drained or raised a fee meanwhile is seen there.

        Raises
        ------
        Denied
            ``flash_liquidity`` if lenders fail to the last, else as ``plan``.
        """
        for replans in range(REPLANS_MAX + 1):
            draft = draft_plan(intent, job, self._state_at(None))
            try:
                return draft, await self._gas_needed(draft)
            except Denied as error:
                view = self._state_at(None)
                faults = draft_faults(draft, view) if error.reason is Reason.SIMULATION_REVERTED else {}
                if not faults:
                    raise
                if replans == REPLANS_MAX or view.block().timestamp >= intent.deadline_s:
                    raise faults_refusal(draft, faults) from error
        raise AssertionError("the last draft is returned or refused")

    async def _gas_needed(self, draft: Draft) -> int:
        """Return what the draft needs, be it more than it may have: too little gas looks like any failure.

        Raises
        ------
        Denied
            ``simulation_reverted`` if it reverts with all the gas that a transaction may have, too.
        """
        rehearsal = await self._rehearse(draft.plan)
        if not rehearsal.succeeded and draft.gas_limit < draft.gas_ceiling:
            with suppress(Rejected):  # a sender who can not pay for that much: what the first one said stands
                rehearsal = await self._rehearse(draft.unlimited_plan)
        if not rehearsal.succeeded:
            raise refuse_reverted(draft, rehearsal.output)
        return rehearsal.gas_needed

    async def guards_before(self, plan: Plan) -> Sequence[GuardResult]:
        """Judge the plan at the newest block. A guard that can not be evaluated fails."""
        return judgement_of(plan, self._job_of(plan)).before(self._state_at(None))

    async def guards_after(self, plan: Plan, receipt: Receipt) -> Sequence[GuardResult]:
        """Judge what was included, at the block of inclusion."""
        job = self._job_of(plan)
        judgement = judgement_of(plan, job)
        realised = realised_amounts(receipt.logs, judgement.base.steps, plan.to, job.book)
        view = self._state_at(receipt.block_number)
        return judgement.after(view, lambda: self._state_at(receipt.block_number - 1), receipt, realised)

    def _job_of(self, plan: Plan) -> Assignment:
        job = _sized(self._job(str(plan.notes["strategy"])), plan.notes["size"])
        return without_groups(job, plan.notes["dropped_groups"])

    def _job(self, subject: str) -> Assignment:
        if subject not in self._jobs:
            raise ConfigError(
                f"the atomic desk has no strategy {subject}",
                found=subject,
                allowed=", ".join(self._jobs) or "none",
                fix="give the desk its file",
            )
        return self._jobs[subject]


def _observe(job: Assignment, config: DeskConfig, view: StateView, inputs: DeskInputs) -> DeskInputs:
    """Return the inputs with a search and a quote, or with what stands in the way of them."""
    size: int | None = None
    try:
        if config.searched_blind:
            result = search_size(job, view)
            inputs = msgspec.structs.replace(inputs, tried=result.tried)
            if result.best is None:
                return inputs
            size = result.best.size
            job = job.with_blind(config.searched_blind, size)
        job, _ = drop_failing_groups(job, view)
        prospect = quote(job, view)
    except Denied as error:
        return msgspec.structs.replace(inputs, obstacle=Obstacle(error.reason, _in_words(error)))
    return msgspec.structs.replace(
        inputs,
        prices_usd_e8=_prices(prospect),
        outlook=Outlook(
            deltas=dict(prospect.quoted.deltas),
            flow_usd_e6=_flow_usd_e6(job, prospect),
            size=size,
            operation=operation_of(job, prospect).operation,
        ),
    )


def _prices(prospect: Prospect) -> dict[str, int]:
    prices = {symbol: price.price_usd_e8 for symbol, price in prospect.prices.items() if symbol != NATIVE}
    return prices | {NATIVE_PRICE: prospect.prices[NATIVE].price_usd_e8}


def _flow_usd_e6(job: Assignment, prospect: Prospect) -> int:
    """Return what moves, in millionths of a dollar: the loans, and whatever of our own is spent."""
    moved = [(step.asset, prospect.quoted.values[step.id, "amount"]) for step in flash_steps(job.strategy)]
    moved += [(symbol, -delta) for symbol, delta in prospect.quoted.deltas.items() if delta < 0]
    return sum(prospect.prices[symbol].usd_e6(amount) for symbol, amount in moved)


def _borrowed_usd(draft: Draft) -> list[tuple[str, int]]:
    """Return the lender and the dollars, in millionths, of each loan."""
    loans, prices = draft.prospect.base.loans, draft.prospect.prices
    assets = {step.id: step.asset for step in flash_steps(draft.job.strategy)}
    return [(loan.lender, prices[assets[loan.step_id]].usd_e6(loan.amount)) for loan in loans]


def _sized(job: Assignment, size: object) -> Assignment:
    blind = job.searched_blind
    if blind is None or size is None:
        return job
    return job.with_blind(blind.name, int(str(size)))


def _in_words(refusal: Denied) -> str:
    """Return why there is no quote; where only a person can mend it, also how."""
    is_for_a_person = refusal.reason in {Reason.ROLE_MISSING, Reason.POLICY_MISSING}
    return str(refusal) if is_for_a_person else refusal.message
