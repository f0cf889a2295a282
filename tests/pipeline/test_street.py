import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, guard, intent

from tidegate.custody import ThrowAwayKey
from tidegate.ledger import Journal
from tidegate.model import (
    Ambiguous,
    Block,
    ConfigError,
    Denied,
    Divergence,
    Halted,
    ManualClock,
    OutcomeKind,
    Reason,
    RecordKind,
    Rejected,
    Stage,
    Tampered,
    Unavailable,
)
from tidegate.pipeline import STAGES, Street, drop_orphans, recover, rules_of
from tidegate.risk.limits import RunLimits

WHOLE_STREET = [
    RecordKind.INTENT,
    RecordKind.LIMITS,
    RecordKind.PLAN,
    RecordKind.GUARDS,
    RecordKind.SIMULATION,
    RecordKind.BOUNDS,
    RecordKind.AUTHORISATION,
    RecordKind.NONCE,
    RecordKind.SIGNATURE,
    RecordKind.SENT,
    RecordKind.RECEIPT,
    RecordKind.GUARDS,
    RecordKind.BOOKING,
    RecordKind.OUTCOME,
]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock())
    yield opened
    opened.close()


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


def street_of(journal: Journal, chain: FakeChain, desk: FakeDesk, **limits: int) -> Street:
    key = ThrowAwayKey("street test", stage=Stage.PAPER, chain_ids=frozenset({31337}))
    return Street(
        stage=Stage.PAPER,
        desk=desk,
        chain=chain,
        signer=key,
        journal=journal,
        limits={"strategy": RunLimits(**limits)},
    )


def kinds(journal: Journal, name: str = "one") -> list[RecordKind]:
    return [record.kind for record in journal.records(correlation_id=name)]


def test_every_arrow_writes_its_record_in_order(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    street = street_of(journal, chain, desk)
    assert asyncio.run(street.submit(intent())) is None
    assert asyncio.run(street.follow()) == []
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert (outcome.kind, outcome.deltas, outcome.gas_cost_wei) == (OutcomeKind.LANDED, (7,), 360_000)
    assert kinds(journal) == WHOLE_STREET
    assert street.open_runs == ()


def test_the_same_intent_twice_is_walked_once(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent()))
    assert asyncio.run(street.submit(intent())) is None
    chain.mine()
    asyncio.run(street.follow())
    again = asyncio.run(street.submit(intent()))
    assert again is not None
    assert again.kind is OutcomeKind.LANDED
    assert (desk.planned, chain.sends) == (1, 1)


def _desk_refuses(chain: FakeChain, desk: FakeDesk) -> None:
    desk.refusal = Denied(Reason.FLASH_LIQUIDITY, "no lender")


def _guard_fails(chain: FakeChain, desk: FakeDesk) -> None:
    desk.guards = (guard(passed=True), guard(passed=False))


def _reverts(chain: FakeChain, desk: FakeDesk) -> None:
    chain.rehearsal_ok = False


def _probe_fails(chain: FakeChain, desk: FakeDesk) -> None:
    chain.probe_answer = b"failed"


def _logs_disagree(chain: FakeChain, desk: FakeDesk) -> None:
    desk.reader.logs_delta = 8


def _short(chain: FakeChain, desk: FakeDesk) -> None:
    desk.reader.delta = desk.reader.logs_delta = 4


def _needs_more_gas(chain: FakeChain, desk: FakeDesk) -> None:
    chain.gas_needed = 100_001


def _too_late(chain: FakeChain, desk: FakeDesk) -> None:
    chain.time_s = 1_000


@pytest.mark.parametrize(
    ("change", "reason", "rests_on"),
    [
        (_desk_refuses, Reason.FLASH_LIQUIDITY, RecordKind.LIMITS),
        (_guard_fails, Reason.GUARD_FAILED, RecordKind.GUARDS),
        (_reverts, Reason.SIMULATION_REVERTED, RecordKind.SIMULATION),
        (_probe_fails, Reason.SIM_MISMATCH, RecordKind.SIMULATION),
        (_logs_disagree, Reason.SIM_MISMATCH, RecordKind.SIMULATION),
        (_short, Reason.BOUNDS, RecordKind.BOUNDS),
        (_needs_more_gas, Reason.GAS_CAP, RecordKind.SIMULATION),
        (_too_late, Reason.DEADLINE_PASSED, RecordKind.INTENT),
    ],
)
def test_a_refusal_ends_as_denied_and_nothing_leaves(
    journal: Journal,
    chain: FakeChain,
    desk: FakeDesk,
    change: Callable[[FakeChain, FakeDesk], None],
    reason: Reason,
    rests_on: RecordKind,
) -> None:
    change(chain, desk)
    outcome = asyncio.run(street_of(journal, chain, desk).submit(intent()))
    assert outcome is not None
    assert (outcome.kind, outcome.reason) == (OutcomeKind.DENIED, reason)
    assert chain.sends == 0
    assert RecordKind.SIGNATURE not in kinds(journal)
    assert kinds(journal)[-2:] == [rests_on, RecordKind.OUTCOME], "a refusal stands behind what it rests on"


def test_a_guard_that_only_warns_lets_the_plan_pass(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    desk.guards = (guard(passed=False, on_failure="warn"),)
    assert asyncio.run(street_of(journal, chain, desk).submit(intent())) is None
    assert chain.sends == 1


def test_a_limit_without_room_denies_and_frees_nothing_else(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=1)
    asyncio.run(street.submit(intent("one")))
    refused = asyncio.run(street.submit(intent("two")))
    assert refused is not None
    assert refused.reason is Reason.LIMIT
    still_refused = asyncio.run(street.submit(intent("three")))
    assert still_refused is not None, "a refused intent must not free the place of the open one"
    chain.mine()
    asyncio.run(street.follow())
    assert asyncio.run(street.submit(intent("four"))) is None


def test_a_node_that_refuses_the_bytes_ends_as_rejected(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    chain.on_send = Rejected("fee below base fee")
    outcome = asyncio.run(street_of(journal, chain, desk).submit(intent()))
    assert outcome is not None
    assert outcome.kind is OutcomeKind.REJECTED


@pytest.mark.parametrize("keeps_bytes", [True, False])
def test_an_ambiguous_send_stays_open_until_the_chain_answers(
    journal: Journal, chain: FakeChain, desk: FakeDesk, keeps_bytes: bool
) -> None:
    chain.on_send, chain.keeps_bytes = Ambiguous("timeout"), keeps_bytes
    street = street_of(journal, chain, desk)
    assert asyncio.run(street.submit(intent())) is None
    chain.on_send, chain.keeps_bytes = None, True
    assert asyncio.run(street.follow()) == []
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
    assert len(chain.included) == 1
    assert kinds(journal).count(RecordKind.SIGNATURE) == 1


def test_a_revert_is_booked_with_its_cost_and_its_step(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent()))
    chain.status = 0
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert (outcome.kind, outcome.deltas, outcome.gas_cost_wei) == (OutcomeKind.REVERTED, (0,), 360_000)
    assert outcome.detail == "step sell: too little"


def test_bytes_that_no_node_holds_are_dropped_once_their_deadline_is_over(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent(deadline_s=200)))
    chain.forget_mempool()
    chain.time_s = 200
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.DROPPED
    assert chain.sends == 1


def test_a_foreign_transaction_under_our_nonce_is_a_divergence(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent()))
    chain.forget_mempool()
    chain.foreign_nonces = 1
    with pytest.raises(Divergence, match="was used by bytes that are not ours"):
        asyncio.run(street.follow())
    assert len(street.open_runs) == 1


def test_two_intents_take_two_nonces(journal: Journal, chain: FakeChain, desk: FakeDesk) -> None:
    street = street_of(journal, chain, desk, max_in_flight=2)
    for name in ("one", "two"):
        asyncio.run(street.submit(intent(name)))
    assert [run.nonce for run in street.open_runs] == [0, 1]


def test_a_run_without_an_answer_stays_open_and_starves_no_other(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=2)
    for name in ("one", "two"):
        asyncio.run(street.submit(intent(name)))
    first = street.open_runs[0].signed
    assert first is not None
    chain.silent_about.add(first.hash)
    chain.mine()
    assert [outcome.intent_id for outcome in asyncio.run(street.follow())] == ["two"]
    chain.silent_about.clear()
    assert [outcome.intent_id for outcome in asyncio.run(street.follow())] == ["one"]


def test_a_divergence_is_raised_after_every_other_run_was_asked_about(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=2)
    asyncio.run(street.submit(intent("one")))
    chain.forget_mempool()
    asyncio.run(street.submit(intent("two")))
    chain.mine()
    chain.foreign_nonces = 1
    assert [outcome.intent_id for outcome in asyncio.run(street.follow())] == ["two"]
    with pytest.raises(Divergence):
        asyncio.run(street.follow())
    assert [run.intent.id for run in street.open_runs] == ["one"]


def test_guards_that_can_not_be_judged_after_inclusion_failed_and_the_run_is_booked(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    desk.after_fails = Unavailable("the block is gone")
    street = street_of(journal, chain, desk)
    asyncio.run(street.submit(intent()))
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
    (post,) = [
        record.body
        for record in journal.records(correlation_id="one")
        if record.kind is RecordKind.GUARDS and record.body["placement"] == "post"
    ]
    assert [(item["passed"], item["code"]) for item in post["results"]] == [(False, "not_judged")]


class Killed(BaseException):
    """Stands for SIGKILL: nothing below catches it."""


class DyingJournal:
    """A journal whose process dies right before, or right after, its n-th record."""

    def __init__(self, journal: Journal, copy_to: Path, dies_at: int, *, after: bool) -> None:
        self._journal, self._copy_to, self._left, self._after = journal, copy_to, dies_at, after

    def append(self, *arguments: object, **named: object) -> object:
        self._left -= 1
        if self._left == 0 and not self._after:
            self._die()
        record = self._journal.append(*arguments, **named)  # type: ignore[arg-type]
        if self._left == 0:
            self._die()
        return record

    def records(self, **named: object) -> object:
        return self._journal.records(**named)  # type: ignore[arg-type]

    def _die(self) -> None:
        self._copy_to.mkdir()
        for part in self._journal.path.parent.glob("ledger.sqlite*"):
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


def slow_blocks(chain: FakeChain) -> None:
    """Let other tasks run whenever the chain is asked for its head."""
    real = chain.block

    async def block() -> Block:
        await asyncio.sleep(0)
        return await real()

    chain.block = block  # type: ignore[method-assign]


@pytest.mark.parametrize("in_flight", [1, 2])
def test_the_same_intent_at_the_same_time_is_walked_once(
    journal: Journal, chain: FakeChain, desk: FakeDesk, in_flight: int
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=in_flight)
    slow_blocks(chain)

    async def both() -> list[object]:
        return list(await asyncio.gather(street.submit(intent()), street.submit(intent())))

    assert asyncio.run(both()) == [None, None]
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED
    assert kinds(journal) == WHOLE_STREET


@pytest.mark.parametrize(
    "error",
    [Tampered("code hash"), ConfigError("file"), KeyError("DAI"), Divergence("state"), Halted("paused")],
)
def test_an_error_before_the_signature_ends_the_intent_and_blocks_no_other(
    journal: Journal, chain: FakeChain, desk: FakeDesk, error: Exception
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=1)
    desk.breaks = error
    with pytest.raises(type(error)):
        asyncio.run(street.submit(intent("one")))
    assert kinds(journal)[-1] is RecordKind.OUTCOME
    desk.breaks = None
    assert asyncio.run(street.submit(intent("two"))) is None


def test_a_node_that_would_not_rehearse_the_plan_denies_it(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    desk.breaks = Rejected("gas limit below intrinsic gas")
    outcome = asyncio.run(street_of(journal, chain, desk).submit(intent()))
    assert outcome is not None
    assert outcome.reason is Reason.SIMULATION_REVERTED


def test_bytes_whose_signature_could_not_be_journaled_are_never_sent(
    journal: Journal, chain: FakeChain, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    street = street_of(journal, chain, desk)
    real = journal.append

    def full(kind: RecordKind, *arguments: object, **named: object) -> object:
        if kind is RecordKind.SIGNATURE:
            raise Unavailable("disk full")
        return real(kind, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(journal, "append", full)
    outcome = asyncio.run(street.submit(intent()))
    assert outcome is not None
    assert outcome.reason is Reason.UNAVAILABLE
    asyncio.run(street.follow())
    assert chain.sends == 0


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


def test_a_run_that_may_lose_more_than_the_day_allows_is_not_signed(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    desk.at_risk_usd_e6 = 6
    street = street_of(journal, chain, desk, max_loss_per_day_usd_e6=10, max_in_flight=9)
    assert asyncio.run(street.submit(intent("one"))) is None
    refused = asyncio.run(street.submit(intent("two")))
    assert refused is not None, "6 are at risk already, and 6 more would be 12"
    assert (refused.reason, chain.sends) == (Reason.LIMIT, 1)
    assert kinds(journal, "two")[-2:] == [RecordKind.PLAN, RecordKind.OUTCOME]
    desk.at_risk_usd_e6 = 4
    assert asyncio.run(street.submit(intent("three"))) is None, "together just what is allowed"
    chain.mine()
    asyncio.run(street.follow())
    desk.at_risk_usd_e6 = 10
    assert asyncio.run(street.submit(intent("four"))) is None, "what landed without loss is free again"


@pytest.mark.parametrize("error", [Rejected("-32005"), Ambiguous("cut off"), KeyError("native")])
def test_trouble_with_one_run_neither_starves_nor_hides_the_others(
    journal: Journal, chain: FakeChain, desk: FakeDesk, error: Exception
) -> None:
    street = street_of(journal, chain, desk, max_in_flight=3)
    for name in ("a", "b", "c"):
        asyncio.run(street.submit(intent(name)))
    signed = street.open_runs[1].signed
    assert signed is not None
    chain.errors_about[signed.hash] = error
    chain.mine()
    assert [outcome.intent_id for outcome in asyncio.run(street.follow())] == ["a", "c"]
    with pytest.raises(type(error)):
        asyncio.run(street.follow())
    assert [run.intent.id for run in street.open_runs] == ["b"]


def test_a_refused_second_send_does_not_end_what_another_node_may_hold(
    journal: Journal, chain: FakeChain, desk: FakeDesk
) -> None:
    street = street_of(journal, chain, desk)
    chain.on_send = Ambiguous("timeout")
    asyncio.run(street.submit(intent()))
    elsewhere = dict(chain.mempool)
    chain.forget_mempool()
    chain.on_send = Rejected("replacement underpriced")
    assert asyncio.run(street.follow()) == []
    chain.mempool.update(elsewhere)
    chain.mine()
    (outcome,) = asyncio.run(street.follow())
    assert outcome.kind is OutcomeKind.LANDED


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


@pytest.mark.parametrize("stage", list(Stage))
def test_only_stages_that_are_walked_can_be_entered(stage: Stage) -> None:
    if stage in {Stage.PAPER, Stage.FORK}:
        assert rules_of(stage).stage is stage
        return
    with pytest.raises(Denied, match="can not be entered") as caught:
        rules_of(stage)
    assert caught.value.reason is Reason.STAGE


def test_every_stage_has_a_row_and_only_own_nodes_are_sent_to() -> None:
    assert list(STAGES) == list(Stage)
    assert {row.sends_to for row in STAGES.values() if row.walks} == {"our node", "the fork"}
