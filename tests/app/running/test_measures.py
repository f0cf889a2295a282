"""Every metric of the atomic desk, and the inputs of its alerts, from a street that runs in paper."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tidegate.app.config import FILE_NAME, STRATEGY, TEXT, load_config
from tidegate.app.devnet import address_book, build_devnet
from tidegate.app.devnet.tables import token_tables
from tidegate.app.metrics import PrometheusRecorder
from tidegate.app.running import Hooks, RunSettings, Until, run_desk
from tidegate.desks.atomic import Assignment, DeskMeasures, parse_strategy, template_text
from tidegate.ledger import (
    AdministrationBody,
    Body,
    BookingBody,
    Counted,
    Delta,
    GuardsBody,
    IntentBody,
    Journal,
    JournalReader,
    OutcomeBody,
    PlanBody,
    ReconciliationBody,
    Record,
    SignalBody,
    place_of,
)
from tidegate.model import (
    Block,
    GuardResult,
    ManualClock,
    Metric,
    OutcomeKind,
    Placement,
    RecordKind,
    Stage,
)
from tidegate.sim import FastWorld

NOW_MS = 1_900_000_000_000
ALL = [metric for metric in Metric if metric.name.startswith("ATOMIC_")]
ENOUGH_BLOCKS = 8
NEEDS_A_LOAN_MARKET = {Metric.ATOMIC_HEALTH_FACTOR}
"""Measured in ``tests/desks/atomic/machine/test_vitals.py``: this strategy lends nothing."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Record]]:
    """Two runs in paper, the first under a limit that denies: what Prometheus would read, and the journal."""
    folder: Path = tmp_path_factory.mktemp("measures")
    (folder / STRATEGY).parent.mkdir()
    (folder / FILE_NAME).write_text(TEXT, encoding="utf-8")
    (folder / STRATEGY).write_text(template_text("flash-arb"), encoding="utf-8")
    ledger, recorder = place_of(folder / "ledger.sqlite"), PrometheusRecorder()
    for limits in ({"limits.notional_per_transaction_usd": "1"}, {}):
        loaded = load_config(folder / FILE_NAME, limits)
        settings = RunSettings(
            loaded, folder / "home", ledger, Stage.PAPER, "devnet", Until(blocks=ENOUGH_BLOCKS)
        )
        asyncio.run(run_desk(settings, Hooks(), asyncio.Event(), recorder=recorder))
    with JournalReader.open(ledger) as reader:
        return recorder.exposition().decode(), list(reader.records())


def series(exposition: str, metric: Metric) -> list[tuple[str, float]]:
    name = metric.metric_name
    lines = [line for line in exposition.splitlines() if line.startswith((f"{name}{{", f"{name}_count{{"))]
    return [(line.rpartition(" ")[0], float(line.rpartition(" ")[2])) for line in lines]


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.metric_name)
def test_every_metric_of_the_desk_is_recorded_by_a_run(played, metric):
    exposition, _ = played
    found = series(exposition, metric)
    assert bool(found) is (metric not in NEEDS_A_LOAN_MARKET)
    for labels, _ in found:
        assert 'strategy="v2-v3-arb"' in labels
        assert 'chain="devnet"' in labels
        assert 'executor="main1"' in labels


def test_runs_are_counted_as_the_journal_has_them(played):
    exposition, records = played
    kinds = [OutcomeBody.from_body(one.body).kind for one in records if one.kind is RecordKind.OUTCOME]
    counted = series(exposition, Metric.ATOMIC_RUNS)
    assert sum(value for _, value in counted) == len(kinds)
    landed = sum(value for labels, value in counted if 'outcome="landed"' in labels)
    assert landed == kinds.count(OutcomeKind.LANDED) > 0
    included = kinds.count(OutcomeKind.LANDED) + kinds.count(OutcomeKind.REVERTED)
    assert [value for _, value in series(exposition, Metric.ATOMIC_SUCCESS_RATIO)] == [
        kinds.count(OutcomeKind.LANDED) / included
    ]


def test_where_nothing_is_wrong_no_signal_is_written(played):
    _, records = played
    assert not [SignalBody.from_body(one.body) for one in records if one.kind is RecordKind.SIGNAL]


class Fold:
    """A desk's measures over a journal that a test writes, beside what they were told to measure."""

    def __init__(self, folder: Path, job: Assignment, records: list[Record]) -> None:
        self.journal = Journal.open(folder / "ledger.sqlite", clock=ManualClock(NOW_MS))
        self.recorder = PrometheusRecorder()
        self.job, self.seq = job, 0
        self.intent = next(one for one in records if one.kind is RecordKind.INTENT)
        self.plan = PlanBody.from_body(next(one for one in records if one.kind is RecordKind.PLAN).body)
        self.measures = self.opened()

    def opened(self) -> DeskMeasures:
        measures = DeskMeasures(
            [self.job], self.journal, self.recorder, chain="devnet", transaction_gas_max=2**24
        )
        measures.recall(NOW_MS)
        return measures

    def run(self, *bodies: Body) -> None:
        """Play a run: its intent, then these records of it."""
        body = self.intent.body
        known = f"{self.seq:064x}"
        intent = IntentBody.from_body({**body, "intent": {**body["intent"], "id": known}})
        for one in (intent, *bodies):
            self.journal.append(one.KIND, one, actor="test", correlation_id=known)
        self.catch_up()

    def catch_up(self) -> None:
        records = list(self.journal.records(after=self.seq))
        self.seq = records[-1].seq
        self.measures.take(records)

    def told(self) -> list[tuple[str, str, str]]:
        bodies = [SignalBody.from_body(one.body) for one in self.journal.records(RecordKind.SIGNAL)]
        return [(one.what, one.about, one.level) for one in bodies]


@pytest.fixture(scope="module")
def job() -> Assignment:
    world = FastWorld()
    devnet = build_devnet(world)
    book = address_book(devnet, world)
    strategy = parse_strategy(template_text("flash-arb").encode(), "flash-arb.yaml", token_tables())
    return Assignment(strategy, book, devnet.accounts["operator"], {})


@pytest.fixture
def fold(tmp_path: Path, job: Assignment, played: tuple[str, list[Record]]) -> Iterator[Fold]:
    one = Fold(tmp_path, job, played[1])
    with one.journal:
        yield one


def guard(*, passed: bool, on_failure: str = "revert", name: str = "price_range") -> GuardsBody:
    result = GuardResult(
        guard=name,
        placement=Placement.POST,
        passed=passed,
        code="ok" if passed else "out_of_range",
        measured=150,
        bound=100,
        unit="bps",
        at_block=9,
        on_failure=on_failure,
    )
    return GuardsBody(placement=Placement.POST, results=(result,))


def test_each_guard_that_fails_is_a_signal_and_the_first_that_passes_again_ends_it(fold):
    for body in (guard(passed=False), guard(passed=False), guard(passed=True), guard(passed=True)):
        fold.run(body)
    what = ("guard_failure", "price_range post")
    assert fold.told() == [(*what, "critical"), (*what, "critical"), (*what, "quiet")]
    fold.run(guard(passed=False, on_failure="warn"))
    assert fold.told()[-1] == (*what, "warning"), "a guard set to warn is a warning"


def test_a_check_that_fails_on_chain_is_a_guard_failure_in_place(fold):
    why = "step guards: price of WETH was 3,100.5, at most 1 % from 3,000 was demanded"
    fold.run(fold.plan, OutcomeBody(kind=OutcomeKind.REVERTED, detail=why))
    assert ("guard_failure", "price of WETH in", "critical") in fold.told()
    fold.run(fold.plan, OutcomeBody(kind=OutcomeKind.LANDED))
    assert fold.told()[-1] == ("guard_failure", "price of WETH in", "quiet")
    labels = {"strategy": "v2-v3-arb", "chain": "devnet", "executor": "main1", "place": "in"}
    results = Metric.ATOMIC_GUARD_RESULTS
    assert fold.recorder.value(results, **labels, guard="price of WETH", passed="no") == 1
    assert fold.recorder.value(results, **labels, guard="price of WETH", passed="yes") == 1
    assert fold.recorder.value(results, **labels, guard="price of USDC", passed="no") is None


def test_realised_slippage_above_one_percent_is_a_signal(fold):
    fold.run(guard(passed=True, name="slippage"))
    assert fold.told() == [("slippage", "", "warning")]
    labels = {"strategy": "v2-v3-arb", "chain": "devnet", "executor": "main1"}
    assert fold.recorder.value(Metric.ATOMIC_SLIPPAGE_BPS, **labels) == 150


def test_failures_are_a_signal_over_a_restart_too(fold):
    ended = [OutcomeKind.LANDED] * 18 + [OutcomeKind.REVERTED]
    for kind in ended:
        fold.run(OutcomeBody(kind=kind))
    assert fold.told() == [], "nineteen runs are too few to know"
    fold.measures = fold.opened()
    fold.run(OutcomeBody(kind=OutcomeKind.REVERTED))
    assert fold.told() == [("transaction_failures", "", "critical")]
    labels = {"strategy": "v2-v3-arb", "chain": "devnet", "executor": "main1"}
    assert fold.recorder.value(Metric.ATOMIC_FAILURE_RATIO, **labels) == 0.1


def test_a_run_far_larger_than_those_before_it_is_unusual(fold):
    for place in range(30):
        size = str(10**18 + place % 7 * 10**16)
        fold.run(msgspec.structs.replace(fold.plan, notes={**fold.plan.notes, "size": size}))
    told = len(fold.told())
    huge = {**fold.plan.notes, "size": str(10**19)}
    fold.run(msgspec.structs.replace(fold.plan, notes=huge, flow_usd_e6=4 * fold.plan.flow_usd_e6))
    assert {one[0] for one in fold.told()[told:]} >= {"unusual_size", "unusual_value"}


def test_a_run_outside_the_configured_hours_is_unusual(tmp_path):
    (tmp_path / STRATEGY).parent.mkdir()
    (tmp_path / FILE_NAME).write_text(TEXT, encoding="utf-8")
    (tmp_path / STRATEGY).write_text(template_text("flash-arb"), encoding="utf-8")
    hour, key = datetime.now(UTC).hour, "desk.atomic.usual_{}_hour"
    hours = {key.format("from"): str((hour + 2) % 24), key.format("to"): str((hour + 4) % 24)}
    ledger, loaded = place_of(tmp_path / "ledger.sqlite"), load_config(tmp_path / FILE_NAME, hours)
    settings = RunSettings(loaded, tmp_path / "home", ledger, Stage.PAPER, "devnet", Until(blocks=8))
    asyncio.run(run_desk(settings, Hooks(), asyncio.Event()))
    with JournalReader.open(ledger) as reader:
        told = [SignalBody.from_body(one.body).what for one in reader.records(RecordKind.SIGNAL)]
    assert told == ["unusual_hour"]


def test_one_lender_of_every_loan_is_a_signal_from_the_second_on(fold):
    fold.run(fold.plan)
    assert fold.told() == []
    fold.run(fold.plan)
    assert fold.told() == [("lender_share", "", "warning")]


def test_a_plan_near_the_ceiling_of_gas_is_a_signal(fold):
    fold.measures.saw(Block(number=9, timestamp=1, base_fee_wei=1, gas_limit=30_000_000), FastWorld())
    fold.run(msgspec.structs.replace(fold.plan, gas_limit=13_421_773))
    assert fold.told() == [("gas", "", "critical")]


def test_residue_of_a_token_that_no_bound_names_is_a_signal(fold):
    left = Delta("0x" + "00" * 20, "USDC", 6, 5)
    paid_out = Delta("0x" + "00" * 20, "DAI", 18, 5, "0x" + "11" * 20)
    fold.run(BookingBody(deltas=(left, paid_out), gas_cost_wei=1))
    assert fold.told() == [("residue", "USDC", "warning")]


def test_administration_that_nobody_announced_and_a_new_spender_are_signals(fold):
    for announced in (True, False):
        body = AdministrationBody(
            chain_id=31337,
            executor=fold.job.executor,
            name="main1",
            what="applied",
            detail="spender 0x11 allowed",
            announced=announced,
            at_block=9,
        )
        fold.journal.append(body.KIND, body, actor="executors")
    fold.catch_up()
    assert [one[0] for one in fold.told()] == ["administration", "new_spender"]


def test_a_balance_that_moved_outside_a_run_is_a_signal_until_it_is_explained(fold):
    for verdict, found in (("equal", 5), ("different", 6), ("explained", 6)):
        body = ReconciliationBody(
            stage=Stage.PAPER,
            desk="atomic",
            chain_id=31337,
            block_number=9,
            block_hash="",
            verdict=verdict,
            counted=(Counted(fold.job.executor, "0x" + "00" * 20, "WETH", 18, 5, found),),
        )
        fold.journal.append(body.KIND, body, actor="books")
    fold.catch_up()
    assert [(one[0], one[2]) for one in fold.told()] == [
        ("balance_moved", "warning"),
        ("balance_moved", "quiet"),
    ]
