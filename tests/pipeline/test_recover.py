import asyncio
import shutil
from pathlib import Path

import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, intent
from tests.pipeline.harness import WHOLE_STREET, kinds, street_of

from tidegate.ledger import Journal
from tidegate.model import (
    ManualClock,
    OutcomeKind,
    Reason,
    RecordKind,
)
from tidegate.pipeline import Street, drop_orphans, recover


class Killed(BaseException):
    """Stands for SIGKILL: nothing below catches it."""


class DyingJournal:
    """A journal whose process dies right before, or right after, its n-th record."""

    def __init__(self, journal: Journal, copy_to: Path, dies_at: int, *, after: bool) -> None:
        self._journal, self._copy_to, self._left, self._after = journal, copy_to, dies_at, after

    def append(self, *arguments: object, **named: object) -> object:
        self._count()
        record = self._journal.append(*arguments, **named)  # type: ignore[arg-type]
        if self._left == 0:
            self._die()
        return record

    async def append_and_wait(self, *arguments: object, **named: object) -> object:
        self._count()
        record = await self._journal.append_and_wait(*arguments, **named)  # type: ignore[arg-type]
        if self._left == 0:
            self._die()
        return record

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            self._die()

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)

    def _die(self) -> None:
        self._copy_to.mkdir()
        for part in self._journal.place.file.parent.glob("ledger.sqlite*"):
            if "lease" not in part.name and "lock" not in part.name:
                shutil.copy(part, self._copy_to / part.name)
        raise Killed


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("dies_at", range(1, len(WHOLE_STREET) + 1))
def test_killed_at_any_record_nothing_is_lost_and_nothing_repeated(
    tmp_path: Path, chain: FakeChain, desk: FakeDesk, dies_at: int, after: bool
) -> None:
    first = Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock())
    dying = DyingJournal(first, tmp_path / "found", dies_at, after=after)

    async def walk(street: Street) -> None:
        await street.submit(intent())
        chain.mine()
        await street.follow()

    with pytest.raises(Killed):
        asyncio.run(walk(street_of(dying, chain, desk)))  # type: ignore[arg-type]
    first.close()

    second = Journal.open(tmp_path / "found" / "ledger.sqlite", clock=ManualClock())
    street = street_of(second, chain, desk)
    asyncio.run(recover(street, second, now_ms=0))
    for _ in range(3):
        asyncio.run(street.submit(intent()))
        chain.mine()
        asyncio.run(street.follow())
    assert street.open_runs == ()
    assert second.verify().records > 0
    assert len(chain.included) == 1, "lost, or executed twice"
    found = kinds(second)
    for once in (RecordKind.INTENT, RecordKind.NONCE, RecordKind.SIGNATURE, RecordKind.BOOKING):
        assert found.count(once) == 1
    assert found.count(RecordKind.OUTCOME) == 1
    second.close()


def test_an_intent_left_open_beyond_its_deadline_is_denied_and_nothing_leaves(
    tmp_path: Path, chain: FakeChain, desk: FakeDesk
) -> None:
    first = Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock())
    planned = 1 + WHOLE_STREET.index(RecordKind.PLAN)
    dying = DyingJournal(first, tmp_path / "found", planned, after=True)
    with pytest.raises(Killed):
        asyncio.run(street_of(dying, chain, desk).submit(intent()))  # type: ignore[arg-type]
    first.close()
    chain.time_s = 1_000
    with Journal.open(tmp_path / "found" / "ledger.sqlite", clock=ManualClock()) as second:
        (run,) = asyncio.run(recover(street_of(second, chain, desk), second, now_ms=0))
        assert run.outcome is not None
        assert run.outcome.reason is Reason.DEADLINE_PASSED
    assert chain.sends == 0


def test_a_restart_resets_no_limit(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    first = street_of(journal, chain, desk, max_runs_per_hour=1)
    asyncio.run(first.submit(intent("one")))
    chain.mine()
    asyncio.run(first.follow())
    second = street_of(journal, chain, desk, max_runs_per_hour=1)
    asyncio.run(recover(second, journal, now_ms=0))
    refused = asyncio.run(second.submit(intent("two")))
    assert refused is not None
    assert refused.reason is Reason.LIMIT


def test_runs_of_a_world_that_is_gone_are_dropped_and_still_count(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    asyncio.run(street_of(journal, chain, desk).submit(intent("one")))
    street = street_of(journal, FakeChain(), desk, max_runs_per_hour=1)
    (run,) = drop_orphans(street, journal, now_ms=0)
    assert run.outcome is not None
    assert run.outcome.kind is OutcomeKind.DROPPED
    assert street.open_runs == ()
    refused = asyncio.run(street.submit(intent("two")))
    assert refused is not None
    assert refused.reason is Reason.LIMIT
    assert journal.attempts(open_only=True) == []


def test_recovery_gives_no_nonce_twice(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    async def killed_while_the_older_one_plans() -> None:
        street = street_of(journal, chain, desk, max_in_flight=2)
        desk.waits_for = "older"
        waiting = asyncio.create_task(street.submit(intent("older")))
        await asyncio.sleep(0.01)
        await street.submit(intent("newer"))
        waiting.cancel()

    asyncio.run(killed_while_the_older_one_plans())
    desk.waits_for = ""
    assert (kinds(journal, "older")[-1], kinds(journal, "newer")[-1]) == (RecordKind.LIMITS, RecordKind.SENT)
    street = street_of(journal, chain, desk, max_in_flight=2)
    asyncio.run(recover(street, journal, now_ms=0))
    assert {run.intent.id: run.nonce for run in street.open_runs} == {"newer": 0, "older": 1}
    chain.mine()
    assert len(asyncio.run(street.follow())) == 2


def test_refused_runs_do_not_count_after_a_restart(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk, max_runs_per_hour=2)
    asyncio.run(street.submit(intent("one")))
    for name in ("a", "b", "c"):
        refused = asyncio.run(street.submit(intent(name)))
        assert refused is not None
    chain.mine()
    asyncio.run(street.follow())
    again = street_of(journal, chain, desk, max_runs_per_hour=2)
    asyncio.run(recover(again, journal, now_ms=0))
    assert asyncio.run(again.submit(intent("two"))) is None


def test_guards_after_inclusion_survive_a_kill_behind_the_receipt(
    tmp_path: Path, chain: FakeChain, desk: FakeDesk
) -> None:
    first = Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock())
    dying = DyingJournal(first, tmp_path / "found", 1 + WHOLE_STREET.index(RecordKind.RECEIPT), after=True)
    street = street_of(dying, chain, desk)  # type: ignore[arg-type]
    asyncio.run(street.submit(intent()))
    chain.mine()
    with pytest.raises(Killed):
        asyncio.run(street.follow())
    first.close()  # the group that holds the receipt is on disk now
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock()) as second:
        assert kinds(second)[-1] is RecordKind.RECEIPT
        again = street_of(second, chain, desk)
        asyncio.run(recover(again, second, now_ms=0))
        asyncio.run(again.follow())
        assert kinds(second).count(RecordKind.GUARDS) == 2
        assert kinds(second).count(RecordKind.BOOKING) == 1
