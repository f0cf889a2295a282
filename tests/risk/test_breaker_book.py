"""The book of breakers: durable through the journal, silent means tripped, an exit is never masked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.risk.conftest import intent_of

from tidegate.ledger import BreakerBody, Journal, ResumeBody
from tidegate.model import (
    ConfigError,
    Denied,
    Halted,
    ManualClock,
    Metric,
    NullRecorder,
    Operation,
    OutcomeKind,
    Reason,
    RecordKind,
    Stage,
    Unavailable,
)
from tidegate.risk import (
    Breaker,
    BreakerBook,
    FirstOf,
    InputBoard,
    Level,
    LimitBook,
    LimitInputs,
    LimitTable,
    Place,
    Reading,
    ResumeNote,
    RunLimits,
    StopFolder,
    desk_breakers,
    release_failures,
)

HERE = Place("atomic", 31337)
DRAWDOWN = Breaker(
    name="drawdown",
    scope="desk:atomic",
    input="drawdown_bps",
    levels=(Level(1_000), Level(1_500)),
    clear=(900, 1_400),
    min_hold_s=600,
    cooldown_s=60,
    max_input_age_s=10,
    latched_from=2,
)


class World:
    """A clock, a journal, measures, and a book that can be lost and made again."""

    def __init__(
        self, journal: Journal, clock: ManualClock, breakers: Iterable[Breaker] = (DRAWDOWN,)
    ) -> None:
        self.journal, self.clock, self.breakers = journal, clock, tuple(breakers)
        self.board = InputBoard(clock)
        self.measure(0)
        self.book = self.opened()

    def opened(self) -> BreakerBook:
        return BreakerBook.open(self.breakers, inputs=self.board, clock=self.clock, journal=self.journal)

    def measure(self, value: float) -> None:
        self.board.write("drawdown_bps", "desk:atomic", value)

    def after(self, seconds: int, value: float) -> int:
        self.clock.set_ms(self.clock.now_ms() + seconds * 1000)
        self.measure(value)
        self.book.evaluate()
        return self.level

    @property
    def level(self) -> int:
        return self.book.state("desk:atomic", "drawdown").level


@pytest.fixture
def world(journal: Journal, clock: ManualClock) -> World:
    return World(journal, clock)


def break_the_store(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Unavailable("no space left on the disk")

    monkeypatch.setattr(journal, "_commit", fail)


def test_a_tripped_breaker_denies_what_it_masks_and_says_why(world: World) -> None:
    assert world.book.masked(HERE, Operation.OPEN) is None
    world.after(1, 1_000)
    masked = world.book.masked(HERE, Operation.OPEN)
    assert masked is not None
    refusal = masked.as_denied()
    assert refusal.reason is Reason.BREAKER
    assert "drawdown of desk:atomic is at level 1 (tripped)" in refusal.message
    assert (refusal.found, refusal.allowed) == ("drawdown_bps 1000", "below 1000, or an exit")
    assert world.book.masked(Place("momentum", 31337), Operation.OPEN) is None


@pytest.mark.parametrize("operation", [operation for operation in Operation if operation.is_exit])
def test_an_exit_is_never_masked_at_any_level_blind_or_silent(world: World, operation: Operation) -> None:
    world.after(1, 9_999)
    assert world.book.masked(HERE, operation) is None
    world.after(1, float("nan"))
    assert world.book.masked(HERE, operation) is None
    world.clock.set_ms(world.clock.now_ms() + 10**9)
    assert world.book.masked(HERE, operation) is None


def test_an_exception_while_a_measure_is_read_trips(journal: Journal, clock: ManualClock) -> None:
    class Broken:
        def read(self, name: str, scope: str) -> Reading | None:
            raise RuntimeError("the feed is gone")

    book = BreakerBook.open([DRAWDOWN], inputs=Broken(), clock=clock, journal=journal)
    masked = book.masked(HERE, Operation.OPEN)
    assert masked is not None
    assert (masked.level, masked.code) == (2, "breaker_blind")


def test_a_measure_that_nothing_can_be_done_with_trips(journal: Journal, clock: ManualClock) -> None:
    world = World(journal, clock)
    world.board.write("drawdown_bps", "desk:atomic", 10**400)
    world.clock.set_ms(world.clock.now_ms() + 1_000)
    assert [transition.code for _, transition in world.book.evaluate()] == ["breaker_blind"]


def test_a_breaker_that_was_never_evaluated_masks(journal: Journal, clock: ManualClock) -> None:
    book = BreakerBook([DRAWDOWN], inputs=InputBoard(clock), clock=clock, journal=journal)
    masked = book.masked(HERE, Operation.OPEN)
    assert masked is not None
    assert masked.code == "breaker_silent"


def test_a_breaker_that_is_silent_for_3_periods_is_tripped_and_the_trip_is_durable(world: World) -> None:
    world.clock.set_ms(world.clock.now_ms() + 3_000)
    assert world.book.masked(HERE, Operation.OPEN) is None
    world.clock.set_ms(world.clock.now_ms() + 1)
    masked = world.book.masked(HERE, Operation.OPEN)
    assert masked is not None
    assert (masked.level, masked.code) == (2, "breaker_silent")
    world.measure(0)
    assert [transition.code for _, transition in world.book.evaluate()] == ["breaker_silent"]
    assert world.after(1, 0) == 2
    assert world.opened().state("desk:atomic", "drawdown").level == 2


def test_a_breaker_that_writes_its_state_and_then_reverts_the_write_is_impossible(world: World) -> None:
    """What follows a trip, a refusal and a failure of the caller, takes back neither record nor state."""

    def evaluate_and_fail() -> None:
        world.after(1, 1_600)
        masked = world.book.masked(HERE, Operation.OPEN)
        assert masked is not None
        raise masked.as_denied()

    with pytest.raises(Denied):
        evaluate_and_fail()
    written = [
        BreakerBody.from_body(record.body) for record in world.journal.records(kind=RecordKind.BREAKER)
    ]
    assert [(body.code, body.level) for body in written][-1] == ("tripped", 2)
    assert world.level == 2
    again = world.opened()
    assert again.state("desk:atomic", "drawdown").level == 2
    assert again.state("desk:atomic", "drawdown").is_latched


def test_a_trip_holds_although_it_could_not_be_written_and_is_written_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        break_the_store(world.journal, broken)
        with pytest.raises(Unavailable):
            world.after(1, 1_000)
        assert world.book.masked(HERE, Operation.OPEN) is not None
    world.after(1, 1_000)
    assert world.opened().state("desk:atomic", "drawdown").level == 1


def test_a_step_down_that_could_not_be_written_does_not_happen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.after(1, 1_000)
    for _ in range(300):
        world.after(2, 0)
    with monkeypatch.context() as broken:
        break_the_store(world.journal, broken)
        with pytest.raises(Unavailable):
            world.after(2, 0)
        assert world.level == 1
        assert world.book.masked(HERE, Operation.OPEN) is not None
    assert world.after(1, 0) == 0


@pytest.mark.parametrize("value", [1_000, 1_600, float("nan")])
def test_a_restart_never_lowers_a_level(world: World, value: float) -> None:
    world.after(1, value)
    before = world.level
    world.measure(0)
    again = world.opened()
    assert again.state("desk:atomic", "drawdown").level == before
    assert again.masked(HERE, Operation.OPEN) is not None


def test_a_hold_begins_anew_with_a_restart_because_nobody_looked(world: World) -> None:
    world.after(1, 1_000)
    for _ in range(299):
        world.after(2, 0)
    world.book = world.opened()
    assert world.after(2, 0) == 1
    for _ in range(300):
        world.after(2, 0)
    assert world.level == 0


def test_a_definition_with_fewer_levels_keeps_what_was_tripped(world: World) -> None:
    world.after(1, 1_600)
    world.breakers = (
        Breaker(**{**fields(DRAWDOWN), "levels": (Level(1_000),), "clear": 900, "latched_from": 1}),
    )
    assert world.opened().state("desk:atomic", "drawdown").level == 1


def fields(breaker: Breaker) -> dict[str, object]:
    return {name: getattr(breaker, name) for name in Breaker.__struct_fields__}


def test_state_input_and_transition_are_in_one_record(world: World) -> None:
    world.after(1, 1_234)
    *_, record = world.journal.records(kind=RecordKind.BREAKER)
    body = BreakerBody.from_body(record.body)
    assert (body.breaker, body.scope, body.code) == ("drawdown", "desk:atomic", "tripped")
    assert (body.previous, body.level, body.value) == (0, 1, "1234")
    assert body.value_at_ms == body.since_ms == body.evaluated_ms == world.clock.now_ms()


def written(world: World) -> list[BreakerBody]:
    return [BreakerBody.from_body(record.body) for record in world.journal.records(kind=RecordKind.BREAKER)]


def test_an_evaluation_that_changes_nothing_is_not_written_not_even_at_a_start(world: World) -> None:
    for _ in range(200):
        world.after(1, 0)
    world.opened()
    assert [(body.code, body.value) for body in written(world)] == [("measured", "0")]


def test_a_measure_that_changes_within_a_level_is_written_at_most_once_a_minute(world: World) -> None:
    for second in range(1, 120):
        world.after(1, second)
    assert [body.value for body in written(world)] == ["0", "60"]


def test_a_move_is_written_at_once_whatever_was_written_just_before(world: World) -> None:
    for value in (1, 1_000, 1_600):
        world.after(1, value)
    assert [(body.previous, body.level, body.value) for body in written(world)] == [
        (0, 0, "0"),
        (0, 1, "1000"),
        (1, 2, "1600"),
    ]


def test_a_person_resumes_a_latched_breaker_and_it_is_written_who_why_and_on_what_evidence(
    world: World,
) -> None:
    world.after(1, 1_600)
    world.after(1, 0)
    moved = world.book.resume("desk:atomic", "drawdown", who="ann", reason="feed mended", evidence="ticket 7")
    assert (moved.previous, moved.level) == (2, 0)
    *_, record = world.journal.records(kind=RecordKind.RESUME)
    body = ResumeBody.from_body(record.body)
    assert (body.breaker, body.who, body.reason, body.evidence) == (
        "drawdown",
        ("ann",),
        "feed mended",
        "ticket 7",
    )
    assert world.opened().masked(HERE, Operation.OPEN) is None


@pytest.mark.parametrize("missing", ["who", "reason", "evidence"])
def test_a_release_without_who_why_or_evidence_is_refused(world: World, missing: str) -> None:
    world.after(1, 1_600)
    given = {"who": "ann", "reason": "r", "evidence": "e", missing: " "}
    with pytest.raises(ConfigError, match="somebody, for a reason, on evidence"):
        world.book.resume("desk:atomic", "drawdown", **given)
    assert world.level == 2


def test_a_blind_breaker_is_not_resumed_and_nothing_is_written(world: World) -> None:
    world.after(1, float("nan"))
    with pytest.raises(Halted, match="blind"):
        world.book.resume("desk:atomic", "drawdown", who="ann", reason="r", evidence="e")
    assert list(world.journal.records(kind=RecordKind.RESUME)) == []


def test_a_breaker_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(ConfigError, match="no such breaker"):
        world.book.resume("desk:atomic", "drawdawn", who="ann", reason="r", evidence="e")


def note_of(world: World, **changes: object) -> ResumeNote:
    fields: dict[str, object] = {
        "scope": "desk:atomic",
        "breaker": "drawdown",
        "who": "ann",
        "reason": "r",
        "evidence": "e",
        "at_ms": world.clock.now_ms(),
    }
    return ResumeNote(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_note_of_another_process_resumes_once(world: World, tmp_path: Path) -> None:
    folder = StopFolder(tmp_path)
    world.after(1, 1_600)
    folder.write_note(note_of(world))
    world.after(1, 0)
    assert [moved.level for moved in world.book.take_notes(folder)] == [0]
    world.after(1, 1_600)
    assert world.book.take_notes(folder) == ()
    assert world.level == 2


@pytest.mark.parametrize(
    "changes", [{"at_ms": 0}, {"breaker": "other"}, {"scope": "chain:1"}, {"evidence": ""}]
)
def test_a_note_that_is_old_or_of_another_or_incomplete_releases_nothing(
    world: World, tmp_path: Path, changes: dict[str, object]
) -> None:
    folder = StopFolder(tmp_path)
    world.after(1, 1_600)
    folder.write_note(note_of(world, **changes))
    world.after(1, 0)
    assert world.book.take_notes(folder) == ()
    assert world.level == 2


def test_a_note_waits_while_the_breaker_is_blind(world: World, tmp_path: Path) -> None:
    folder = StopFolder(tmp_path)
    world.after(1, 1_600)
    folder.write_note(note_of(world))
    world.after(1, float("nan"))
    assert world.book.take_notes(folder) == ()
    world.after(1, 0)
    assert [moved.level for moved in world.book.take_notes(folder)] == [0]


def test_two_breakers_of_one_name_and_scope_are_refused(journal: Journal, clock: ManualClock) -> None:
    with pytest.raises(ConfigError, match="two breakers"):
        World(journal, clock, [DRAWDOWN, DRAWDOWN])


def test_level_and_heartbeat_are_measured(journal: Journal, clock: ManualClock) -> None:
    class Seen(NullRecorder):
        def __init__(self) -> None:
            self.values: dict[Metric, float] = {}

        def set(self, metric: Metric, value: float, **labels: str) -> None:
            assert labels == {"breaker": "drawdown", "scope": "desk:atomic"}
            self.values[metric] = value

    seen, board = Seen(), InputBoard(clock)
    board.write("drawdown_bps", "desk:atomic", 1_600)
    book = BreakerBook.open([DRAWDOWN], inputs=board, clock=clock, journal=journal, recorder=seen)
    assert seen.values == {Metric.BREAKER_LEVEL: 2, Metric.BREAKER_HEARTBEAT_AGE_S: 0}
    clock.set_ms(clock.now_ms() + 7_000)
    book.masked(HERE, Operation.OPEN)
    assert seen.values[Metric.BREAKER_HEARTBEAT_AGE_S] == 7


@pytest.fixture
def losing(journal: Journal, clock: ManualClock) -> tuple[LimitBook, BreakerBook]:
    table = LimitTable(
        stage=Stage.CANARY,
        capital_usd_e6={"atomic": 10_000},
        allowed=dict.fromkeys(NOTIONAL, 10**9) | {"gas_per_day_gwei": 10**9},
    )
    limits = LimitBook(table)
    breakers = BreakerBook.open(
        desk_breakers("atomic"),
        inputs=FirstOf(InputBoard(clock), LimitInputs(limits, clock)),
        clock=clock,
        journal=journal,
        on_resume=lambda body: release_failures(limits, body),
    )
    return limits, breakers


NOTIONAL = ("notional_per_transaction_usd_e6", "notional_per_hour_usd_e6", "notional_per_day_usd_e6")


def end(limits: LimitBook, clock: ManualClock, name: str, kind: OutcomeKind, value: int = 0) -> None:
    now_s = clock.now_ms() // 1000
    limits.reserve(intent_of(name, operation=Operation.CLOSE), RunLimits(), now_s=now_s)
    limits.close(intent_of(name), kind=kind, value_usd_e6=value, now_s=now_s)


def test_the_desks_breakers_see_losses_and_failures_of_the_limits(
    losing: tuple[LimitBook, BreakerBook], clock: ManualClock
) -> None:
    limits, breakers = losing
    assert breakers.masked(HERE, Operation.OPEN) is None
    end(limits, clock, "a", OutcomeKind.LANDED, -160)  # of 200 for a day
    clock.set_ms(clock.now_ms() + 1_000)
    breakers.evaluate()
    assert breakers.state("desk:atomic", "loss").level == 2
    for number in range(5):
        end(limits, clock, f"bad{number}", OutcomeKind.REVERTED)
    clock.set_ms(clock.now_ms() + 1_000)
    breakers.evaluate()
    assert breakers.state("desk:atomic", "consecutive_failures").is_latched


def test_resuming_the_failures_breaker_lets_the_limit_count_anew(
    losing: tuple[LimitBook, BreakerBook], clock: ManualClock
) -> None:
    limits, breakers = losing
    for number in range(5):
        end(limits, clock, f"bad{number}", OutcomeKind.REVERTED)
    clock.set_ms(clock.now_ms() + 1_000)
    breakers.evaluate()
    moved = breakers.resume("desk:atomic", "consecutive_failures", who="ann", reason="r", evidence="e")
    assert moved.level == 0
    assert limits.used("consecutive_failures", "desk:atomic", now_s=clock.now_ms() // 1000) == 0
