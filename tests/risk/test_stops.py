"""Stops: seen at once, whatever the file holds; ended by people's notes alone; restart-proof."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.ledger import Journal, JournalReader, ResumeBody, StopBody
from tidegate.model import (
    ConfigError,
    ManualClock,
    Metric,
    NullRecorder,
    Operation,
    Reason,
    RecordKind,
    Unavailable,
)
from tidegate.risk import Place, ResumeNote, Scope, Stop, StopBook, StopFolder, StopOrder

ATOMIC = Place("atomic", 10, ("uniswap",), "0x12")


class House:
    """A home, a journal, and the process that owns them; it can be restarted."""

    def __init__(self, home: Path, journal: Journal, clock: ManualClock) -> None:
        self.home, self.journal, self.clock = home, journal, clock
        self.restart()

    def restart(self) -> None:
        self.book = StopBook.open(self.home, clock=self.clock, journal=self.journal)

    def drop(self, name: str, content: bytes = b"") -> Path:
        path = self.home / "stop.d" / name
        path.write_bytes(content)
        return path

    def order(self, **changes: object) -> StopOrder:
        fields: dict[str, object] = {
            "scope": "global",
            "reason": "a test",
            "who": ("ann",),
            "at_ms": self.clock.now_ms(),
        }
        return StopOrder(**{**fields, **changes})  # type: ignore[arg-type]

    def stop(self, **changes: object) -> Stop:
        return self.book.set(self.order(**changes))

    def note(self, stop: Stop, who: str = "ann", **changes: object) -> None:
        fields: dict[str, object] = {
            "scope": str(stop.scope),
            "who": who,
            "reason": "mended",
            "evidence": "ticket 7",
            "at_ms": self.clock.now_ms(),
            "stop_id": stop.id,
        }
        self.book.folder.write_note(ResumeNote(**{**fields, **changes}))  # type: ignore[arg-type]

    def is_stopped(self, *, is_exit: bool = False, **place: object) -> bool:
        operation = Operation.CLOSE if is_exit else Operation.OPEN
        return self.book.blocking(msgspec.structs.replace(ATOMIC, **place), operation) is not None

    def records(self, kind: RecordKind) -> list[dict[str, object]]:
        return [record.body for record in self.journal.records(kind=kind)]


@pytest.fixture
def house(tmp_path: Path, journal: Journal, clock: ManualClock) -> House:
    return House(tmp_path, journal, clock)


def test_without_a_stop_nothing_is_blocked(house: House) -> None:
    assert not house.is_stopped()


def test_a_stop_is_seen_by_the_very_next_look_and_names_scope_reason_and_who(house: House) -> None:
    house.stop(scope="desk:atomic", reason="gas is wild", who=("ann",))
    stop = house.book.blocking(ATOMIC, Operation.OPEN)
    assert stop is not None
    refusal = stop.as_denied()
    assert refusal.reason is Reason.STOPPED
    assert "gas is wild" in refusal.message
    assert (refusal.found, refusal.allowed) == ("stop of desk:atomic by ann", "exits")


def test_two_stops_in_one_tick_of_the_file_system_are_both_seen(house: House) -> None:
    """A folder's time has a tick of milliseconds: comparing it would miss the second of two stops."""
    house.drop("one", b"chain:99")
    assert not house.is_stopped()
    seen = (house.home / "stop.d").stat().st_mtime_ns
    house.drop("two", b"desk:atomic")
    os.utime(house.home / "stop.d", ns=(seen, seen))
    assert house.is_stopped()


CONTENTS: list[bytes] = [
    b"",
    b"please stop",
    b"{",
    b'{"scope": "desk:momentum"}',
    b'{"scope":"desk:momentum","reason":"r","who":["ann"],"at_ms":1,"surprise":2}',
    b'{"scope":"elsewhere","reason":"r","who":["ann"],"at_ms":1}',
    b"desk:momentum and more",
    b"\xff\xfe\x00",
    b"x" * 10**6,
]


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_a_file_that_is_dropped_by_hand_stops_everything_whatever_it_holds(
    house: House, content: bytes
) -> None:
    house.drop("STOP", content)
    assert house.is_stopped()
    assert house.is_stopped(desk="liquidation", chain_id=1, venues=(), market="")
    assert not house.is_stopped(is_exit=True)


@given(content=st.binary(max_size=300))
def test_no_content_of_a_file_makes_it_less_than_a_stop(content: bytes) -> None:
    stop = Stop.of_file("x", 1, content)
    assert stop.blocks(ATOMIC, Operation.OPEN) or stop.scope.parts
    assert stop.allow_exit
    stop.body.to_body()


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/nowhere"), os.mkfifo])
def test_whatever_lies_in_the_folder_is_a_stop(house: House, make: Callable[[Path], None]) -> None:
    make(house.home / "stop.d" / "thing")
    assert house.is_stopped()


def test_a_name_that_no_text_can_hold_is_a_stop_and_is_journaled(house: House) -> None:
    descriptor = os.open(
        os.fsencode(str(house.home / "stop.d")) + b"/bad\xff\nname", os.O_CREAT | os.O_WRONLY
    )
    os.close(descriptor)
    assert house.is_stopped()
    (body,) = house.records(RecordKind.STOP)
    assert body["name"] == "bad\\xff\\x0aname"
    (stop,) = house.book.in_force()
    house.note(stop)
    assert not house.is_stopped()
    assert list((house.home / "stop.d").iterdir()) == []


def test_one_line_that_writes_a_scope_is_the_scope(house: House) -> None:
    house.drop("narrow", b" desk:atomic, chain:10 \n")
    assert house.is_stopped()
    assert not house.is_stopped(chain_id=1)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("global", True),
        ("desk:atomic", True),
        ("desk:momentum", False),
        ("chain:10", True),
        ("chain:1", False),
        ("venue:uniswap", True),
        ("venue:aave", False),
        ("market:0x12", True),
        ("market:0x13", False),
        ("desk:atomic,chain:10", True),
        ("chain:10,desk:atomic", True),
        ("desk:atomic,chain:1", False),
        ("desk:atomic,chain:10,venue:uniswap,market:0x12", True),
        ("desk:atomic,chain:10,venue:uniswap,market:0x13", False),
    ],
)
def test_scopes_joined_by_a_comma_must_all_match(house: House, scope: str, covered: bool) -> None:
    house.stop(scope=scope)
    assert house.is_stopped() is covered


def test_a_stop_of_a_venue_covers_an_intent_that_does_not_say_which_it_touches(house: House) -> None:
    house.stop(scope="venue:aave")
    assert house.is_stopped(venues=())


@pytest.mark.parametrize(
    "text", ["", "desk", "desk:", "desk:a,desk:b", "chain:ten", "planet:mars", "global,desk:a", "desk:a b"]
)
def test_a_scope_that_is_not_written_so_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no such scope"):
        Scope.parse(text)


def test_a_plain_stop_never_forbids_an_exit(house: House) -> None:
    house.stop()
    assert not house.is_stopped(is_exit=True)


def test_two_people_can_forbid_exits_and_one_person_named_twice_can_not(house: House) -> None:
    house.stop(who=("ann", " ANN "), allow_exit=False)
    assert not house.is_stopped(is_exit=True)
    house.stop(who=("ann", "bob"), allow_exit=False)
    assert house.is_stopped(is_exit=True)


def test_a_vanished_file_stays_in_force_until_it_is_resumed(house: House) -> None:
    path = house.drop("halt")
    assert house.is_stopped()
    (stop,) = house.book.in_force()
    path.unlink()
    assert house.is_stopped()
    house.restart()
    assert house.is_stopped()
    house.note(stop)
    assert not house.is_stopped()


def test_a_folder_that_vanished_or_can_not_be_read_is_a_stop(house: House) -> None:
    (house.home / "stop.d").rename(house.home / "gone")
    assert house.is_stopped()
    assert not house.is_stopped(is_exit=True)
    assert [stop.id for stop in house.book.in_force()] == ["unreadable"]
    (house.home / "gone").rename(house.home / "stop.d")
    assert not house.is_stopped()


def test_a_stop_survives_any_number_of_restarts(house: House) -> None:
    house.stop(scope="desk:atomic", reason="why", who=("ann",), set_by="machine")
    for _ in range(5):
        house.restart()
        (stop,) = house.book.in_force()
        assert (str(stop.scope), stop.reason, stop.who, stop.set_by) == (
            "desk:atomic",
            "why",
            ("ann",),
            "machine",
        )
        assert house.is_stopped()
    assert len(house.records(RecordKind.STOP)) == 1


def test_the_journal_holds_the_stop_and_its_release_with_who_why_and_evidence(house: House) -> None:
    stop = house.stop(scope="chain:10", reason="reorgs", who=("ann",))
    house.note(stop, who="bob", reason="settled", evidence="https://status")
    house.book.refresh()
    body = StopBody.from_body(house.records(RecordKind.STOP)[0])  # type: ignore[arg-type]
    assert (body.id, body.scope, body.reason, body.who) == (stop.id, "chain:10", "reorgs", ("ann",))
    resume = ResumeBody.from_body(house.records(RecordKind.RESUME)[0])  # type: ignore[arg-type]
    assert (resume.stop_id, resume.who, resume.reason, resume.evidence) == (
        stop.id,
        ("bob",),
        "settled",
        "https://status",
    )


def test_the_release_is_in_the_journal_before_it_is_acted_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = house.stop()

    def fail(*_: object, **__: object) -> None:
        raise Unavailable("no space left on the disk")

    house.note(stop)
    with monkeypatch.context() as broken:
        broken.setattr(house.journal, "append", fail)
        assert house.is_stopped()
    assert not house.is_stopped()


def test_a_stop_that_could_not_be_journaled_holds_and_is_journaled_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Unavailable("no space left on the disk")

    with monkeypatch.context() as broken:
        broken.setattr(house.journal, "append", fail)
        path = house.drop("halt")
        assert house.is_stopped()
    assert house.is_stopped()
    path.unlink()
    house.restart()
    assert house.is_stopped()


def test_what_was_released_is_taken_away_and_does_not_come_back(house: House) -> None:
    stop = house.stop()
    house.note(stop)
    assert not house.is_stopped()
    assert list((house.home / "stop.d").iterdir()) == list((house.home / "resume.d").iterdir()) == []
    house.restart()
    assert not house.is_stopped()


def test_a_name_that_is_dropped_again_is_another_stop(house: House) -> None:
    path = house.drop("halt")
    (first,) = house.book.in_force()
    os.utime(path, ns=(1, 1))
    house.note(first)
    assert house.is_stopped()
    assert path.exists()
    (second,) = house.book.in_force()
    house.note(second)
    assert not house.is_stopped()
    house.drop("halt")
    assert house.is_stopped()


def test_a_kill_between_the_release_and_the_cleaning_up_releases_once(house: House, journal: Journal) -> None:
    stop = house.stop()
    house.note(stop)
    body = ResumeBody(scope="global", who=("ann",), reason="r", evidence="e", at_ms=1, stop_id=stop.id)
    journal.append(body.KIND, body, actor="stops")
    house.restart()
    assert not house.is_stopped()
    other = house.stop()
    assert house.is_stopped()
    assert [one.id for one in house.book.in_force()] == [other.id]
    assert list((house.home / "resume.d").iterdir()) == []


@pytest.mark.parametrize("field", ["who", "reason", "evidence"])
def test_a_note_without_who_why_or_evidence_releases_nothing(house: House, field: str) -> None:
    stop = house.stop()
    house.note(stop, **{field: "  "})
    assert house.is_stopped()


@pytest.mark.parametrize("content", [b"", b"{}", b"resume", b'{"who": "ann"}'])
def test_a_note_that_is_garbage_releases_nothing(house: House, content: bytes) -> None:
    house.stop()
    (house.home / "resume.d" / "note").write_bytes(content)
    assert house.is_stopped()


def test_a_stop_of_a_machine_needs_one_person(house: House) -> None:
    stop = house.stop(set_by="machine", who=("abort rule",))
    house.note(stop, who="ann")
    assert not house.is_stopped()


def test_a_stop_without_exits_needs_two_different_people(house: House) -> None:
    stop = house.stop(who=("ann", "bob"), allow_exit=False)
    house.note(stop, who="ann")
    assert house.is_stopped(is_exit=True)
    house.note(stop, who="Ann ")
    assert house.is_stopped(is_exit=True)
    assert set(house.book.agreed(stop)) == {"ann", "Ann"}
    house.note(stop, who="carol")
    assert not house.is_stopped()


def test_a_stop_ends_by_the_clock_when_it_was_set_for_a_time(house: House) -> None:
    until = house.clock.now_ms() + 1_800_000
    house.stop(until_ms=until)
    house.clock.set_ms(until - 1)
    assert house.is_stopped()
    house.clock.set_ms(until)
    assert not house.is_stopped()
    (body,) = house.records(RecordKind.RESUME)
    assert body["reason"] == "its time is over"


def test_a_clock_that_jumps_ends_no_stop(tmp_path: Path, journal: Journal, clock: ManualClock) -> None:
    class Jumping:
        def __init__(self) -> None:
            self.now, self.passed_ns = clock.now_ms(), 0

        def now_ms(self) -> int:
            return self.now

        def monotonic_ns(self) -> int:
            return self.passed_ns

    jumping = Jumping()
    book = StopBook.open(tmp_path, clock=jumping, journal=journal)
    book.set(StopOrder(scope="global", reason="r", who=("ann",), at_ms=1, until_ms=jumping.now + 1_000))
    jumping.now += 10**9
    assert book.blocking(ATOMIC, Operation.OPEN) is not None
    jumping.passed_ns += 10**9
    assert book.blocking(ATOMIC, Operation.OPEN) is None


def test_another_process_sees_the_same_and_changes_nothing(house: House) -> None:
    other = StopBook.watch(house.home, clock=house.clock, reader=house.journal)
    path = house.drop("halt")
    assert other.blocking(ATOMIC, Operation.OPEN) is not None
    assert house.records(RecordKind.STOP) == []
    (stop,) = house.book.in_force()
    path.unlink()
    assert other.blocking(ATOMIC, Operation.OPEN) is not None
    house.note(stop)
    assert not house.is_stopped()
    assert other.blocking(ATOMIC, Operation.OPEN) is None


def test_a_process_that_starts_later_knows_a_vanished_stop_from_the_journal(house: House) -> None:
    path = house.drop("halt")
    assert house.is_stopped()
    path.unlink()
    with JournalReader.open(house.home / "ledger.sqlite") as reader:
        other = StopBook.watch(house.home, clock=house.clock, reader=reader)
        assert other.blocking(ATOMIC, Operation.OPEN) is not None


def test_a_stop_is_on_disk_under_its_whole_name_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = StopFolder(tmp_path)
    name = folder.write_stop(StopOrder(scope="global", reason="r", who=("ann",), at_ms=5))
    assert name.startswith("5-")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resume.d", "stop.d"]
    assert [path.name for path in folder.stops.iterdir()] == [name]


def test_a_home_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="nothing is stopped or resumed"):
        StopFolder(tmp_path / "file")


def test_stops_in_force_are_measured_by_scope(tmp_path: Path, journal: Journal, clock: ManualClock) -> None:
    class Seen(NullRecorder):
        def __init__(self) -> None:
            self.values: dict[str, float] = {}

        def set(self, metric: Metric, value: float, **labels: str) -> None:
            assert metric is Metric.STOPS
            self.values[labels["scope"]] = value

    seen = Seen()
    book = StopBook.open(tmp_path, clock=clock, journal=journal, recorder=seen)
    book.set(StopOrder(scope="desk:atomic", reason="r", who=("ann",), at_ms=1))
    stop = book.set(StopOrder(scope="global", reason="r", who=("ann",), at_ms=2))
    assert seen.values == {"desk:atomic": 1, "global": 1}
    book.folder.write_note(
        ResumeNote(scope="global", who="ann", reason="r", evidence="e", at_ms=3, stop_id=stop.id)
    )
    book.refresh()
    assert seen.values == {"desk:atomic": 1, "global": 0}
