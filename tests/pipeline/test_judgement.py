"""Shadow over the fakes: plans are judged against the blocks that followed, and nothing is sent."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.pipeline.fakes import FakeChain, FakeDesk, intent, plan_of
from tests.pipeline.harness import kinds, street_of

from tidegate.chain import address
from tidegate.ledger import Journal, OutcomeBody
from tidegate.ledger.judgements import JudgementBody
from tidegate.model import Address, Block, OutcomeKind, Plan, RecordKind, Rejected, Stage, Unavailable
from tidegate.pipeline import Judge, Rehearsal, Street, recover
from tidegate.pipeline.settle import value_usd_e6
from tidegate.risk import RunLimits

OPERATOR = address(0x0123)
UP_TO_THE_END = [
    RecordKind.INTENT,
    RecordKind.LIMITS,
    RecordKind.PLAN,
    RecordKind.GUARDS,
    RecordKind.SIMULATION,
    RecordKind.BOUNDS,
    RecordKind.AUTHORISATION,
]


@dataclass
class LiveChain(FakeChain):
    """A chain that goes on by itself; ``at_block`` says what a plan does after each block."""

    at_block: dict[int, bool | Exception] = field(default_factory=dict)
    asked: list[Address] = field(default_factory=list)

    async def block(self, number: int | None = None) -> Block:
        wanted = self.number if number is None else number
        return Block(wanted, self.time_s - 12 * (self.number - wanted), 1, 30_000_000)

    async def simulate(
        self, plan: Plan, *, sender: Address, probe_data: bytes = b"", at: Block | None = None
    ) -> Rehearsal:
        self.asked.append(sender)
        rehearsal = await super().simulate(plan, sender=sender, probe_data=probe_data)
        if at is None:
            return rehearsal
        what = self.at_block.get(at.number, True)
        if isinstance(what, Exception):
            raise what
        return Rehearsal(at.number, what, 41_000, 50_000, (), b"" if what else b"too little")


@pytest.fixture
def live() -> LiveChain:
    return LiveChain()


def shadow(journal: Journal, live: LiveChain, desk: FakeDesk) -> tuple[Street, Judge]:
    judge = Judge(live, desk.reader, OPERATOR)
    street = Street(
        stage=Stage.SHADOW,
        desk=desk,
        chain=live,
        sender=None,
        account=OPERATOR,
        fate=judge,
        journal=journal,
        limits={"strategy": RunLimits()},
    )
    return street, judge


def walk(live: LiveChain, street: Street, then: Callable[[], object] = lambda: None) -> None:
    async def both() -> None:
        assert await street.submit(intent()) is None
        then()

    asyncio.run(both())


def judgements(journal: Journal) -> list[JudgementBody]:
    return [JudgementBody.from_body(record.body) for record in journal.records(kind=RecordKind.JUDGEMENT)]


def outcome(journal: Journal) -> OutcomeBody:
    (record,) = journal.records(kind=RecordKind.OUTCOME)
    return OutcomeBody.from_body(record.body)


def test_a_shadow_builds_and_simulates_on_the_head_and_sends_nothing(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    walk(live, street)
    assert kinds(journal) == UP_TO_THE_END
    assert (live.sends, set(live.asked)) == (0, {OPERATOR})
    assert asyncio.run(street.follow()) == [], "no block has followed yet"


def test_the_first_block_that_could_have_held_it_is_the_verdict(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    walk(live, street, live.mine)
    desk.reader.logs_delta = 9
    (ended,) = asyncio.run(street.follow())
    assert (ended.kind, ended.block_number, ended.deltas) == (OutcomeKind.LANDED, 2, (9,))
    assert kinds(journal) == [*UP_TO_THE_END, RecordKind.JUDGEMENT, RecordKind.OUTCOME]
    (judged,) = judgements(journal)
    assert (judged.block_number, judged.behind, judged.kind) == (2, 1, OutcomeKind.LANDED)
    assert (judged.deltas, judged.drift) == (("9",), ("2",)), "simulated was 7"
    assert "nothing was sent" in outcome(journal).detail
    assert (live.sends, street.open_runs) == (0, ())


def test_a_judgement_says_what_it_would_have_earned_after_gas(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    walk(live, street, live.mine)
    desk.reader.logs_delta = 10**12
    asyncio.run(street.follow())
    (landed,) = judgements(journal)
    plan = plan_of(intent())
    price_wei = min(plan.max_fee_wei, 1 + plan.max_priority_fee_wei)
    assert landed.gas_cost_wei == landed.gas_used * price_wei > 0
    assert landed.value_usd_e6 == value_usd_e6(plan, (10**12,), landed.gas_cost_wei)
    assert landed.value_usd_e6 > 0


def test_a_revert_would_have_cost_its_gas_and_what_no_block_could_hold_nothing(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    live.at_block[2] = Rejected("max fee below the base fee")
    walk(live, street, live.mine)
    asyncio.run(street.follow())
    live.at_block[3] = False
    live.mine()
    asyncio.run(street.follow())
    dropped, reverted = judgements(journal)
    assert dropped.value_usd_e6 is None
    assert reverted.value_usd_e6 is not None
    assert reverted.value_usd_e6 < 0


def test_a_plan_that_would_have_reverted_is_told_with_its_step_and_why(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    walk(live, street, live.mine)
    live.at_block[2] = False
    (ended,) = asyncio.run(street.follow())
    assert ended.kind is OutcomeKind.REVERTED
    (judged,) = judgements(journal)
    assert (judged.kind, judged.failing_step, judged.revert) == (OutcomeKind.REVERTED, "sell", "too little")
    assert "too little" in outcome(journal).detail


def test_a_block_that_could_not_hold_it_decides_nothing_and_the_next_does(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    live.at_block[2] = Rejected("max fee below the base fee")
    walk(live, street, live.mine)
    assert asyncio.run(street.follow()) == []
    live.mine()
    (ended,) = asyncio.run(street.follow())
    assert (ended.kind, ended.block_number) == (OutcomeKind.LANDED, 3)
    assert [one.kind for one in judgements(journal)] == [OutcomeKind.DROPPED, OutcomeKind.LANDED]


def test_a_plan_that_no_block_before_its_deadline_could_hold_is_dropped(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    live.at_block.update({number: Rejected("max fee below the base fee") for number in range(2, 200)})
    walk(live, street)
    live.mine(seconds=12)
    live.time_s = 1_000
    (ended,) = asyncio.run(street.follow())
    assert ended.kind is OutcomeKind.DROPPED
    assert "nothing was sent" in outcome(journal).detail


def test_after_the_verdict_it_is_judged_on_until_its_deadline(journal, live, desk):
    street, judge = shadow(journal, live, desk)
    walk(live, street, live.mine)
    asyncio.run(street.follow())
    live.at_block[4] = False
    for _ in range(3):
        live.mine()
        asyncio.run(judge.go_on())
    assert [(one.behind, one.kind) for one in judgements(journal)] == [
        (1, OutcomeKind.LANDED),
        (2, OutcomeKind.LANDED),
        (3, OutcomeKind.REVERTED),
        (4, OutcomeKind.LANDED),
    ]
    assert len(list(journal.records(kind=RecordKind.OUTCOME))) == 1
    live.time_s = 1_000
    asyncio.run(judge.go_on())
    count = len(judgements(journal))
    live.mine()
    asyncio.run(judge.go_on())
    assert len(judgements(journal)) == count, "its deadline is over"


def test_a_block_that_can_not_be_read_leaves_the_run_open(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    live.at_block[2] = Unavailable("the node does not answer")
    walk(live, street, live.mine)
    assert asyncio.run(street.follow()) == []
    live.at_block.clear()
    (ended,) = asyncio.run(street.follow())
    assert (ended.kind, ended.block_number) == (OutcomeKind.LANDED, 2)


def test_after_a_restart_no_block_judges_twice(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    live.at_block[2] = Rejected("max fee below the base fee")
    walk(live, street, live.mine)
    asyncio.run(street.follow())
    live.mine()
    again, _ = shadow(journal, live, desk)
    asyncio.run(recover(again, journal, now_ms=0))
    (ended,) = asyncio.run(again.follow())
    assert ended.kind is OutcomeKind.LANDED
    assert [one.block_number for one in judgements(journal)] == [2, 3]
    assert live.sends == 0


def test_what_a_shadow_left_open_no_other_stage_goes_on_with(journal, live, desk):
    street, _ = shadow(journal, live, desk)
    walk(live, street)
    paper = street_of(journal, live, desk)
    assert asyncio.run(recover(paper, journal, now_ms=0)) == []
    assert paper.open_runs == ()
    assert live.sends == 0
    again, _ = shadow(journal, live, desk)
    assert [run.intent.id for run in asyncio.run(recover(again, journal, now_ms=0))] == ["one"]
