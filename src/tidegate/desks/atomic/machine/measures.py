"""The atomic desk's metrics and the inputs of its alerts, folded from the journal of a run.

Everything but what is polled of the chain comes from records, so a replay of the journal gives the same
figures. A signal is written when it leaves its bound or comes back, and again for each run that is beyond it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.desks.atomic.machine import signals, unusual
from tidegate.desks.atomic.machine.decide import DESK
from tidegate.desks.atomic.machine.loans import flash_steps
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.signals import WINDOW_RUNS, Ended, Level, Signal, shares_of
from tidegate.desks.atomic.machine.vitals import POLL_S, Vital, vitals_of
from tidegate.ledger import (
    AdministrationBody,
    BookingBody,
    BoundsBody,
    GuardsBody,
    IntentBody,
    Journal,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    ReconciliationBody,
    Record,
    SignalBody,
    SimulationBody,
)
from tidegate.model import (
    BPS,
    Address,
    Block,
    GuardResult,
    Metric,
    OutcomeKind,
    Placement,
    Recorder,
    RecordKind,
)
from tidegate.venues import StateView

ACTOR = "measures"
_PAST = 100
_NOTE_MAX = 500
_CHECK = "check "
"""How the compiler labels what a guard has the chain compare."""
_WEEK_MS = 7 * 86_400_000
_NEVER_INCLUDED = frozenset({OutcomeKind.DENIED, OutcomeKind.REJECTED})
_SLIPPAGE, _ORACLE = "slippage", "oracle_sanity"


@dataclass(slots=True)
class _Run:
    """What the next record of a run is measured by."""

    subject: str
    size: int | None = None
    at_ms: int = 0
    plan: PlanBody | None = None
    block: int = 0


@dataclass(slots=True)
class _Past:
    """What a strategy's signals are judged by: its own newest runs."""

    ended: deque[Ended] = field(default_factory=lambda: deque(maxlen=2 * WINDOW_RUNS))
    sizes: deque[int] = field(default_factory=lambda: deque(maxlen=_PAST))
    values: deque[int] = field(default_factory=lambda: deque(maxlen=_PAST))
    lent: deque[tuple[int, str, int]] = field(default_factory=deque)
    loans: dict[tuple[str, str], int] = field(default_factory=dict)
    looks: int = 0
    blind: int = 0


class DeskMeasures:
    """Measures one atomic desk on one chain while it runs.

    Parameters
    ----------
    jobs
        Its strategies; what is not theirs is not measured here.
    chain
        The chain's name, as every other metric of its executors has it.
    transaction_gas_max
        The protocol's cap for one transaction; None where only the block's limit counts.
    hours
        From which hour of the day (UTC) up to which runs are usual.
    """

    def __init__(
        self,
        jobs: Iterable[Assignment],
        journal: Journal,
        recorder: Recorder,
        *,
        chain: str,
        transaction_gas_max: int | None,
        hours: tuple[int, int] = (0, 24),
    ) -> None:
        self._jobs = {job.strategy.name: job for job in jobs}
        self._journal, self._recorder = journal, recorder
        self._chain, self._gas_max, self._hours = chain, transaction_gas_max, hours
        self._past: dict[str, _Past] = defaultdict(_Past)
        self._runs: dict[str, _Run] = {}
        self._levels: dict[str, str] = {}
        self._block_gas_limit = 0
        self._block = 0
        self._polled_s = 0
        self._writes = False

    def recall(self, now_ms: int) -> None:
        """Know again what earlier processes did: windows of a day and a week survive a restart."""
        self._levels = {one.name: one.body["level"] for one in self._journal.standing(SignalBody.TOPIC)}
        for kind in (RecordKind.INTENT, RecordKind.PLAN, RecordKind.OUTCOME):
            for record in self._journal.last_records(_PAST * len(self._jobs), kind):
                if record.at_ms > now_ms - _WEEK_MS:
                    self._remember(record)
        self._writes = True

    def saw(self, block: Block, view: StateView) -> None:
        """Poll the chain, at most every ten seconds of its time.

        Raises
        ------
        TidegateError
            If the state can not be read; what was known before stays as it was.
        """
        self._block, self._block_gas_limit = block.number, block.gas_limit
        if block.timestamp - self._polled_s < POLL_S:
            return
        self._polled_s = block.timestamp
        for subject, job in self._jobs.items():
            for vital in vitals_of(job, view, self._past[subject].loans):
                self._vital(subject, vital)

    def looked(self, subject: str, *, could: bool) -> None:
        """Count a look at a strategy: whether it could decide, or something was out of reach."""
        past = self._past[subject]
        past.looks += 1
        past.blind += not could
        self._set(Metric.ATOMIC_UPTIME_RATIO, subject, (past.looks - past.blind) / past.looks)

    def knocked(self, block: int, strangers: Mapping[Address, Sequence[str]]) -> None:
        """Take who sent reverting transactions to callbacks of executors in a block."""
        self._block = max(block, self._block)
        for subject, job in self._jobs.items():
            who = strangers.get(Address(job.executor.lower()), ())
            level = Level.WARNING if who else Level.QUIET
            note = "; ".join(who)[:_NOTE_MAX]
            self._tell(subject, Signal("stranger_callback", level, len(who), 0, "transactions", note=note))

    def take(self, records: Iterable[Record]) -> None:
        """Measure records that follow those taken before."""
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        self._remember(record)
        run = self._runs.get(record.correlation_id)
        match record.kind:
            case RecordKind.ADMINISTRATION:
                self._administration(AdministrationBody.from_body(record.body))
            case RecordKind.RECONCILIATION:
                self._reconciliation(ReconciliationBody.from_body(record.body))
            case _ if run is None:
                return
            case RecordKind.PLAN:
                self._plan(run, record)
            case RecordKind.GUARDS:
                self._guards(run, record, GuardsBody.from_body(record.body))
            case RecordKind.SIMULATION:
                self._simulation(run, record, SimulationBody.from_body(record.body))
            case RecordKind.BOUNDS:
                self._bounds(run, BoundsBody.from_body(record.body))
            case RecordKind.RECEIPT:
                receipt = ReceiptBody.from_body(record.body)
                run.block = receipt.block_number
                self._set(Metric.ATOMIC_GAS_USED, run.subject, receipt.gas_used)
            case RecordKind.BOOKING:
                self._booking(run, record, BookingBody.from_body(record.body))
            case RecordKind.OUTCOME:
                self._outcome(run, record, OutcomeBody.from_body(record.body))
            case _:
                pass
        if run is not None:
            run.at_ms = record.at_ms
        if record.kind is RecordKind.FINALISED:
            self._runs.pop(record.correlation_id, None)

    def _remember(self, record: Record) -> None:
        """Keep what windows and medians need; nothing is measured or judged here."""
        intent_id = record.correlation_id
        if record.kind is RecordKind.INTENT:
            intent = IntentBody.from_body(record.body).intent
            if intent.desk == DESK and intent.subject in self._jobs:
                self._runs[intent_id] = _Run(intent.subject, at_ms=record.at_ms)
        if intent_id not in self._runs:
            return
        run = self._runs[intent_id]
        if record.kind is RecordKind.PLAN:
            self._remember_plan(run, record)
        elif record.kind is RecordKind.OUTCOME:
            kind = OutcomeBody.from_body(record.body).kind
            self._past[run.subject].ended.append(Ended(kind, record.at_ms))

    def _remember_plan(self, run: _Run, record: Record) -> None:
        plan = run.plan = PlanBody.from_body(record.body)
        past = self._past[run.subject]
        if self._writes:
            self._judge_size(run, record, plan)
        if plan.notes.get("size") is not None:
            past.sizes.append(int(plan.notes["size"]))
        past.values.append(plan.flow_usd_e6)
        for loan in plan.notes.get("borrowed", ()):
            asset, amount = _asset_of(self._jobs[run.subject], loan["step_id"]), int(loan["amount"])
            key = (loan["lender"], asset)
            past.loans[key] = max(past.loans.get(key, 0), amount)
        for lender, usd_e6 in _lent(plan):
            past.lent.append((record.at_ms, lender, usd_e6))
        while past.lent and past.lent[0][0] <= record.at_ms - _WEEK_MS:
            past.lent.popleft()

    def _judge_size(self, run: _Run, record: Record, plan: PlanBody) -> None:
        past, intent_id = self._past[run.subject], record.correlation_id
        if plan.notes.get("size") is not None:
            self._tell(run.subject, unusual.size(past.sizes, int(plan.notes["size"])), intent_id)
        self._tell(run.subject, unusual.value(past.values, plan.flow_usd_e6), intent_id)
        self._tell(run.subject, unusual.hour(record.at_ms, *self._hours), intent_id)

    def _plan(self, run: _Run, record: Record) -> None:
        assert run.plan is not None
        self._observe(Metric.ATOMIC_PLAN_SECONDS, run.subject, record.at_ms - run.at_ms)
        if self._block_gas_limit:
            signal = signals.gas(run.plan.gas_limit, self._block_gas_limit, self._gas_max)
            most = min(self._block_gas_limit, self._gas_max or self._block_gas_limit)
            self._set(Metric.ATOMIC_GAS_CEILING_RATIO, run.subject, run.plan.gas_limit / most)
            self._tell(run.subject, signal, record.correlation_id)
        lent: dict[str, int] = defaultdict(int)
        for _, lender, usd_e6 in self._past[run.subject].lent:
            lent[lender] += usd_e6
        share = signals.lender_share(lent, len(self._past[run.subject].lent))
        if share is not None:
            self._set(Metric.ATOMIC_LENDER_SHARE_RATIO, run.subject, share.value / BPS)
            self._tell(run.subject, share, record.correlation_id)

    def _guards(self, run: _Run, record: Record, body: GuardsBody) -> None:
        for one in body.results:
            labels = {"guard": one.guard, "place": one.placement.value, "passed": _yes(one.passed)}
            self._count(Metric.ATOMIC_GUARD_RESULTS, run.subject, **labels)
            self._tell(run.subject, _of_guard(one), record.correlation_id)
            if one.guard == _ORACLE and one.unit == "bps" and one.measured is not None:
                pair = one.note.partition(" at ")[0]
                self._set(Metric.ATOMIC_PRICE_GAP_BPS, run.subject, one.measured, pair=pair)
        if body.placement is Placement.POST:
            lost = [
                one.measured for one in body.results if one.guard == _SLIPPAGE and one.measured is not None
            ]
            if lost:
                self._set(Metric.ATOMIC_SLIPPAGE_BPS, run.subject, max(lost))
                self._tell(run.subject, signals.slippage(max(lost)), record.correlation_id)

    def _simulation(self, run: _Run, record: Record, body: SimulationBody) -> None:
        self._observe(Metric.ATOMIC_SIM_SECONDS, run.subject, record.at_ms - run.at_ms)
        for step, gas in body.gas_by_step:
            self._set(Metric.ATOMIC_GAS_PER_STEP, run.subject, gas, step=step)

    def _bounds(self, run: _Run, body: BoundsBody) -> None:
        margins = [
            int(one.margin) * BPS / max(abs(int(one.floor)), abs(int(one.delta)))
            for one in body.margins
            if int(one.floor) or int(one.delta)
        ]
        if margins:
            self._set(Metric.ATOMIC_BOUND_MARGIN_BPS, run.subject, min(margins))

    def _booking(self, run: _Run, record: Record, body: BookingBody) -> None:
        self._set(Metric.ATOMIC_PROFIT_USD, run.subject, body.value_usd_e6 / 1_000_000)
        bound = {one.token for one in self._jobs[run.subject].strategy.bounds}
        for one in body.deltas:
            if one.symbol not in bound and not one.account:
                self._tell(run.subject, signals.residue(one.symbol, one.amount), record.correlation_id)

    def _checks(self, run: _Run, record: Record, body: OutcomeBody) -> None:
        """Take the verdicts of the checks that the chain made: all held where a run landed."""
        if run.plan is None:
            return
        labels = dict.fromkeys(
            step.label.removeprefix(_CHECK) for step in run.plan.steps if step.label.startswith(_CHECK)
        )
        failed = next((one for one in labels if f"{one} was " in body.detail), None)
        if body.kind is not OutcomeKind.LANDED:
            labels = dict.fromkeys([failed] if failed is not None else [])
        for label in labels:
            level = Level.CRITICAL if label == failed else Level.QUIET
            passed = _yes(label != failed)
            self._count(Metric.ATOMIC_GUARD_RESULTS, run.subject, guard=label, place="in", passed=passed)
            note = body.detail[:_NOTE_MAX] if label == failed else ""
            signal = Signal("guard_failure", level, 0, 0, "", f"{label} in", note)
            self._tell(run.subject, signal, record.correlation_id)

    def _outcome(self, run: _Run, record: Record, body: OutcomeBody) -> None:
        subject = run.subject
        self._checks(run, record, body)
        self._count(Metric.ATOMIC_RUNS, subject, outcome=body.kind.value)
        if body.reason is not None:
            self._count(Metric.ATOMIC_DENIED, subject, reason=body.reason.value)
        shares = shares_of(tuple(self._past[subject].ended), record.at_ms)
        self._set(Metric.ATOMIC_FAILURE_RATIO, subject, shares.failure_ratio)
        self._set(Metric.ATOMIC_SUCCESS_RATIO, subject, shares.success_ratio)
        self._set(Metric.ATOMIC_INCLUSION_RATIO, subject, shares.inclusion_ratio)
        self._tell(subject, signals.failures(shares))
        if body.kind in _NEVER_INCLUDED:
            del self._runs[record.correlation_id]

    def _administration(self, body: AdministrationBody) -> None:
        for subject, job in self._jobs.items():
            if job.executor != body.executor or body.announced:
                continue
            note = f"{body.what} {body.detail}".strip()
            self._tell(subject, Signal("administration", Level.CRITICAL, 1, 0, "events", body.what, note))
            if body.what == "applied" and _is_new_spender(body.detail):
                self._tell(subject, Signal("new_spender", Level.WARNING, 1, 0, "events", body.detail))

    def _reconciliation(self, body: ReconciliationBody) -> None:
        for one in body.counted:
            level = Level.WARNING if body.verdict == "different" and one.difference else Level.QUIET
            about = f"{one.symbol} of {one.account}"
            signal = Signal("balance_moved", level, one.found, one.booked, "base units", about)
            self._tell("", signal)

    def _vital(self, subject: str, vital: Vital) -> None:
        self._set(vital.metric, subject, vital.value, **vital.labels)
        if vital.signal is not None:
            self._tell(subject, vital.signal)

    def _tell(self, subject: str, signal: Signal, intent_id: str = "") -> None:
        """Write a signal that changed its level, and each run's that is beyond its bound."""
        body = SignalBody(
            desk=DESK,
            chain_id=self._chain_id,
            subject=subject,
            what=signal.what,
            level=signal.level.value,
            value=signal.value,
            bound=signal.bound,
            unit=signal.unit,
            about=signal.about,
            note=signal.note,
            at_block=self._block,
        )
        (name,) = body.names
        before = self._levels.get(name, Level.QUIET.value)
        if body.level == before and not (body.stands and intent_id):
            return
        self._levels[name] = body.level
        self._journal.append(body.KIND, body, actor=ACTOR, correlation_id=intent_id)

    @property
    def _chain_id(self) -> int:
        return next(iter(self._jobs.values())).book.chain_id

    def _labels(self, subject: str) -> Mapping[str, str]:
        executor = self._jobs[subject].strategy.executor
        return {"strategy": subject, "chain": self._chain, "executor": executor}

    def _set(self, metric: Metric, subject: str, value: float, **labels: str) -> None:
        self._recorder.set(metric, value, **self._labels(subject), **labels)

    def _count(self, metric: Metric, subject: str, **labels: str) -> None:
        self._recorder.count(metric, 1, **self._labels(subject), **labels)

    def _observe(self, metric: Metric, subject: str, milliseconds: int) -> None:
        self._recorder.observe(metric, milliseconds / 1000, **self._labels(subject))


def _of_guard(result: GuardResult) -> Signal:
    """Return a guard's failure as a signal: critical, or a warning where the guard itself only warns."""
    level = Level.WARNING if result.on_failure == "warn" else Level.CRITICAL
    return Signal(
        "guard_failure",
        Level.QUIET if result.passed else level,
        result.measured or 0,
        result.bound or 0,
        result.unit,
        f"{result.guard} {result.placement.value}",
        result.note or ("" if result.passed else result.code),
    )


def _is_new_spender(detail: str) -> bool:
    """Say whether a change's own words let a spender in, as ``change_text`` writes them."""
    return detail.startswith("spender ") and not detail.endswith("no more")


def _asset_of(job: Assignment, step_id: str) -> str:
    return next((one.asset for one in flash_steps(job.strategy) if one.id == step_id), "")


def _lent(plan: PlanBody) -> Iterable[tuple[str, int]]:
    noted = plan.notes.get("borrowed_usd_e6") or {"loans": []}
    return [(lender, int(usd_e6)) for lender, usd_e6 in noted["loans"]]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
