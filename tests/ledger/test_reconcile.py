"""Books against the chain: at a start, in flight, and what a person must explain."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.ledger import (
    Body,
    BookingBody,
    ConfirmedBlock,
    Counted,
    Delta,
    Holding,
    IntentBody,
    Journal,
    JournalReader,
    OutcomeBody,
    PlanBody,
    Position,
    ReceiptBody,
    Reconciler,
    ReconciliationBody,
    SignatureBody,
    compare,
    explain,
    rebuild,
)
from tidegate.model import (
    ZERO_ADDRESS,
    Address,
    ConfigError,
    Intent,
    ManualClock,
    Metric,
    NullRecorder,
    OutcomeKind,
    Reason,
    RecordKind,
    Stage,
    Unavailable,
)

from .walks import WETH, a_plan, an_intent, landed, write

T = TypeVar("T")
DESK = Address("0x00000000000000000000000000000000000000D5")
OPERATOR = ZERO_ADDRESS  # who signs in ``walks``
EXECUTOR = ZERO_ADDRESS  # what its plans call
USDC = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
START = 10**18


def done(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


class Chain:
    """The balances of a chain, block by block: what was set at a block holds from there on."""

    def __init__(self) -> None:
        self.head = 10
        self.confirmations = 0
        self.is_silent = False
        self._history: dict[tuple[str, str], dict[int, int]] = {}

    def put(self, token: str, amount: int, *, account: str = EXECUTOR, at: int = 0) -> None:
        self._history.setdefault((account, token), {})[at] = amount

    def amount(self, account: str, token: str, block: int) -> int:
        history = self._history.get((account, token), {})
        return next((history[at] for at in sorted(history, reverse=True) if at <= block), 0)

    async def confirmed_block(self) -> ConfirmedBlock:
        if self.is_silent:
            raise Unavailable("the node does not answer")
        number = self.head - self.confirmations
        return ConfirmedBlock(number, f"0x{number:064x}")

    async def balances(self, holdings: Sequence[Holding], block: ConfirmedBlock) -> list[int]:
        if self.is_silent:
            raise Unavailable("the node does not answer")
        return [self.amount(holding.account, holding.token, block.number) for holding in holdings]


class Gauges(NullRecorder):
    def __init__(self) -> None:
        self.differing: list[float] = []

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        if metric is Metric.RECONCILE_DIFFERENCE:
            assert labels == {"desk": "atomic", "chain": "31337"}
            self.differing.append(value)


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.put(WETH, 5 * START)
    return chain


@pytest.fixture
def gauges() -> Gauges:
    return Gauges()


@pytest.fixture
def reconciler(journal: Journal, chain: Chain, gauges: Gauges) -> Reconciler:
    return new_reconciler(journal, chain, gauges)


def new_reconciler(
    journal: Journal, chain: Chain, gauges: Gauges | None = None, *, stage: Stage = Stage.PAPER
) -> Reconciler:
    return Reconciler(
        journal,
        chain,
        stage=stage,
        desk="atomic",
        chain_id=31337,
        holdings=[Holding(EXECUTOR, WETH, "WETH", 18)],
        every_blocks=10,
        recorder=gauges,
    )


def run(number: int, amount: int, block: int, *, token: str = WETH, stage: Stage = Stage.PAPER) -> list[Body]:
    """Return a run that landed in ``block`` and changed the executor's balance, with free gas."""
    intent, hash_ = an_intent(number), f"0x{number:064x}"
    return [
        IntentBody(intent=intent, stage=stage),
        PlanBody.of(a_plan(intent)),
        SignatureBody(nonce=number, hash=hash_, raw="0x02", sender=OPERATOR),
        ReceiptBody(hash=hash_, status=1, block_number=block, gas_used=0, effective_gas_price_wei=0),
        BookingBody(deltas=(Delta(token, "T", 18, amount),), gas_cost_wei=0),
        OutcomeBody(kind=OutcomeKind.LANDED),
    ]


def verdicts(journal: Journal) -> list[str]:
    return [record.body["verdict"] for record in journal.records(kind=RecordKind.RECONCILIATION)]


def refused(reconciler: Reconciler, head: int) -> bool:
    denied = reconciler.refusal(head)
    assert denied is None or denied.reason is Reason.NOT_RECONCILED
    return denied is not None


def test_the_comparison_is_pure_and_counts_what_is_missing_as_booked_zero() -> None:
    holdings = [Holding(DESK, WETH, "WETH", 18), Holding(DESK, USDC, "USDC", 6)]
    position = Position(
        book="paper",
        desk="atomic",
        chain_id=1,
        account=DESK,
        token=WETH,
        symbol="WETH",
        decimals=18,
        amount=2**90,
        opened_seq=1,
        seq=1,
    )
    counted = compare(holdings, {(DESK, WETH): position}, [2**90, 7])
    assert [(item.booked, item.found, item.difference) for item in counted] == [(2**90, 2**90, 0), (0, 7, 7)]


def test_before_the_first_comparison_nothing_may_begin(reconciler: Reconciler) -> None:
    assert refused(reconciler, 10)
    assert not reconciler.is_reconciled


def test_the_first_comparison_opens_the_books_at_what_the_chain_has(
    reconciler: Reconciler, journal: Journal, gauges: Gauges
) -> None:
    body = done(reconciler.at_start())
    assert body is not None
    assert (body.verdict, body.block_number) == ("opened", 10)
    assert body.counted == (Counted(EXECUTOR, WETH, "WETH", 18, booked=0, found=5 * START),)
    (position,) = journal.positions()
    assert (position.amount, position.opened_seq) == (5 * START, 1)
    assert not refused(reconciler, 10)
    assert gauges.differing == [0]


def test_bookings_move_the_books_with_the_chain(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    done(reconciler.at_start())
    write(journal, an_intent(1), run(1, START, 12))
    chain.put(WETH, 6 * START, at=12)
    chain.head = 20
    body = done(reconciler.at_block(20))
    assert body is not None
    assert body.verdict == "equal"
    assert journal.positions()[0].amount == 6 * START


def test_what_was_booked_after_the_confirmed_block_is_left_out(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    done(reconciler.at_start())
    chain.confirmations, chain.head = 5, 20
    chain.put(WETH, 6 * START, at=18)
    write(journal, an_intent(1), run(1, START, 18))
    body = done(reconciler.at_block(20))
    assert body is not None
    assert (body.block_number, body.verdict) == (15, "equal")
    chain.head = 30
    after = done(reconciler.at_block(30))
    assert after is not None
    assert after.verdict == "equal"


def test_at_a_start_nobody_trades_until_books_and_chain_are_equal(
    reconciler: Reconciler, journal: Journal, chain: Chain, gauges: Gauges
) -> None:
    done(reconciler.at_start())
    chain.put(WETH, 4 * START, at=11)
    chain.head = 12
    again = new_reconciler(journal, chain, gauges)
    body = done(again.at_start())
    assert body is not None
    assert (body.verdict, body.counted[0].difference) == ("different", -START)
    denied = again.refusal(12)
    assert denied is not None
    assert f"books {5 * START}, chain {4 * START} ({-START:+d} base units)" in str(denied.found)
    assert "journal explain" in str(denied.fix)
    assert gauges.differing == [0, 1]
    chain.put(WETH, 5 * START, at=13)
    chain.head = 13
    done(again.at_block(13))
    assert not refused(again, 13)


def test_a_difference_is_taken_into_the_books_by_a_persons_words_alone(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    done(reconciler.at_start())
    chain.put(WETH, 9 * START, at=11)
    chain.head = 12
    done(new_reconciler(journal, chain).at_start())
    difference = journal.last_records(1, RecordKind.RECONCILIATION)[0]
    for person, words in (("ada", "  "), ("", "a top-up")):
        with pytest.raises(ConfigError, match="explained by a person"):
            explain(journal, difference.seq, explanation=words, person=person)
    record = explain(journal, difference.seq, explanation="a top-up of 4 WETH", person="ada")
    body = ReconciliationBody.from_body(record.body)
    assert (body.verdict, body.explains, body.person) == ("explained", difference.seq, "ada")
    assert journal.positions()[0].amount == 9 * START
    again = new_reconciler(journal, chain)
    assert refused(again, 12)
    done(again.at_start())
    assert not refused(again, 12)
    assert verdicts(journal) == ["opened", "different", "explained", "equal"]


def test_an_explanation_is_of_the_newest_difference_and_of_nothing_else(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    done(reconciler.at_start())
    for block, amount in ((11, 4 * START), (12, 3 * START)):
        chain.put(WETH, amount, at=block)
        chain.head = block
        done(reconciler.at_start())
    assert verdicts(journal) == ["opened", "different", "different"]
    for seq in (1, 2, 4, 99):
        with pytest.raises(ConfigError) as refusal:
            explain(journal, seq, explanation="x", person="ada")
        assert refusal.value.code == "not_a_difference"
    explain(journal, 3, explanation="x", person="ada")
    with pytest.raises(ConfigError):
        explain(journal, 3, explanation="again", person="ada")
    assert journal.positions()[0].amount == 3 * START


def test_books_are_compared_every_so_many_blocks_and_at_every_block_while_they_differ(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    done(reconciler.at_start())
    compared = []
    for head in range(11, 45):
        chain.head = head
        if head == 25:
            chain.put(WETH, 1, at=25)
        if head == 33:
            chain.put(WETH, 5 * START, at=33)
        if done(reconciler.at_block(head)) is not None:
            compared.append(head)
    assert compared == [11, 21, 31, 32, 33, 43]
    assert verdicts(journal) == ["opened", "equal", "equal", "different", "equal", "equal"]


def test_a_transaction_on_its_way_is_no_difference_yet(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    done(reconciler.at_start())
    chain.put(WETH, 6 * START, at=12)
    chain.head = 20
    bodies = run(1, START, 12)
    write(journal, an_intent(1), bodies[:3])
    assert done(reconciler.at_block(20)) is None
    assert not refused(reconciler, 20)
    write(journal, an_intent(1), bodies[3:])
    body = done(reconciler.at_block(21))
    assert body is not None
    assert body.verdict == "equal"


def test_a_desk_whose_first_comparison_finds_a_transaction_on_its_way_waits(
    reconciler: Reconciler, journal: Journal
) -> None:
    bodies = run(1, START, 12)
    write(journal, an_intent(1), bodies[:3])
    assert done(reconciler.at_start()) is None
    assert refused(reconciler, 10)
    assert verdicts(journal) == []


def test_a_comparison_that_cannot_be_repeated_counts_for_a_while_and_not_for_ever(
    reconciler: Reconciler, chain: Chain
) -> None:
    done(reconciler.at_start())
    chain.is_silent = True
    assert done(reconciler.at_block(25)) is None
    assert not refused(reconciler, 40)
    denied = reconciler.refusal(41)
    assert denied is not None
    assert "the chain does not say" in str(denied.found)


def test_a_chain_that_does_not_answer_at_the_start_reconciles_nothing(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    chain.is_silent = True
    with pytest.raises(Unavailable):
        done(reconciler.at_start())
    assert refused(reconciler, 10)
    assert verdicts(journal) == []


def test_a_token_that_appears_later_is_compared_with_what_was_booked_never_healed(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    done(reconciler.at_start())
    write(journal, an_intent(1), run(1, 700, 12, token=USDC))
    chain.put(USDC, 699, at=12)
    chain.head = 20
    body = done(reconciler.at_block(20))
    assert body is not None
    assert (body.verdict, body.counted[0].token, body.counted[0].difference) == ("different", USDC, -1)
    assert refused(reconciler, 20)


def test_books_that_moved_before_they_were_opened_begin_at_the_chains_amount(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    write(journal, an_intent(1), run(1, START, 9))
    write(journal, an_intent(2), run(2, 3, 11))  # after the confirmed block
    body = done(reconciler.at_start())
    assert body is not None
    assert body.verdict == "opened"
    assert {position.token: position.amount for position in journal.positions()}[WETH] == 5 * START + 3


def test_a_reorg_that_withdraws_a_run_leaves_the_books_as_before(
    reconciler: Reconciler, journal: Journal, chain: Chain
) -> None:
    done(reconciler.at_start())
    write(journal, an_intent(1), run(1, START, 12))
    turned = BookingBody(deltas=(Delta(WETH, "T", 18, -START),), gas_cost_wei=0)
    journal.append(RecordKind.WITHDRAWN, {}, actor="street", correlation_id=an_intent(1).id)
    write(journal, an_intent(1), [turned])
    chain.head = 20
    body = done(reconciler.at_block(20))
    assert body is not None
    assert body.verdict == "equal"


def test_gas_and_payouts_are_booked_to_the_accounts_that_they_changed(journal: Journal) -> None:
    treasury, sender = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
    intent: Intent = an_intent(1)
    bodies: list[Body] = [
        IntentBody(intent=intent, stage=Stage.PAPER),
        PlanBody.of(a_plan(intent)),
        SignatureBody(nonce=1, hash="0x01", raw="0x02", sender=sender),
        BookingBody(
            deltas=(Delta(WETH, "WETH", 18, 5, treasury), Delta(USDC, "USDC", 6, -2)), gas_cost_wei=7
        ),
    ]
    write(journal, intent, bodies)
    amounts = {(position.account, position.token): position.amount for position in journal.positions()}
    assert amounts == {(treasury, WETH): 5, (a_plan(intent).to, USDC): -2, (sender, ZERO_ADDRESS): -7}


def test_positions_and_reconciliations_rebuild_to_the_same_tables(
    path: Path, tmp_path: Path, clock: ManualClock, chain: Chain
) -> None:
    with Journal.open(path, clock=clock) as journal:
        reconciler = new_reconciler(journal, chain)
        done(reconciler.at_start())
        write(journal, an_intent(1), landed(an_intent(1)))
        chain.head = 30
        done(reconciler.at_block(30))
        explain(journal, journal.standing("reconciliation")[0].seq, explanation="a test", person="ada")
    with JournalReader.open(path) as reader:
        report = rebuild(reader, tmp_path / "copy")
        assert report.is_equal
        assert report.rows["positions"] == len(reader.positions()) > 1


@given(
    runs=st.lists(
        st.tuples(st.integers(1, 40), st.integers(-(2**90), 2**90), st.sampled_from([WETH, USDC])), max_size=8
    ),
    opened_after=st.integers(0, 8),
    block=st.integers(0, 45),
)
@settings(deadline=None, derandomize=True, max_examples=15)
def test_positions_at_a_block_are_the_opening_and_every_booking_up_to_it(
    runs: list[tuple[int, int, Address]], opened_after: int, block: int
) -> None:
    start = {WETH: 2**100, USDC: 7}
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder) / "ledger.sqlite", clock=ManualClock(1)) as journal,
    ):
        for number, (landed_in, amount, token) in enumerate(runs):
            if number == opened_after:
                open_books(journal, start)
            write(journal, an_intent(number), run(number, amount, landed_in, token=token))
        if opened_after >= len(runs):
            open_books(journal, start)
        found = journal.positions_at(Stage.PAPER, "atomic", 31337, block)
        for token, opening in start.items():
            booked = sum(amount for at, amount, moved in runs if moved == token and at <= block)
            assert found[EXECUTOR, token].amount == opening + booked


def open_books(journal: Journal, start: dict[Address, int]) -> None:
    """Open the books with what the chain had before any run."""
    body = ReconciliationBody(
        stage=Stage.PAPER,
        desk="atomic",
        chain_id=31337,
        block_number=0,
        block_hash="0x",
        verdict="opened",
        counted=tuple(
            Counted(EXECUTOR, token, "T", 18, booked=0, found=amount) for token, amount in start.items()
        ),
    )
    journal.append(body.KIND, body, actor="x")


LIVE_STAGES = (Stage.CANARY, Stage.PRODUCTION, Stage.CANARY, Stage.PRODUCTION)


def test_canary_and_production_keep_one_book_of_the_accounts_that_they_share(
    journal: Journal, chain: Chain, tmp_path: Path
) -> None:
    """Each start finds what the other stage moved in the books, and nothing to explain."""
    amount = 5 * START
    for number, stage in enumerate(LIVE_STAGES, start=1):
        reconciler = new_reconciler(journal, chain, stage=stage)
        done(reconciler.at_start())
        assert not refused(reconciler, chain.head)
        write(journal, an_intent(number), run(number, number, chain.head + 1, stage=stage))
        chain.head += 2
        amount += number
        chain.put(WETH, amount, at=chain.head - 1)
    assert verdicts(journal) == ["opened", "equal", "equal", "equal"]
    (position,) = journal.positions()
    assert (position.book, position.amount, position.opened_seq) == ("live", 5 * START + 10, 1)
    (standing,) = journal.standing("reconciliation")
    assert standing.name == "live:atomic:31337"
    assert rebuild(journal, tmp_path / "copy.sqlite").is_equal


@pytest.mark.parametrize("stages", [LIVE_STAGES[:2], LIVE_STAGES[1:3]])
def test_what_left_an_account_between_two_live_stages_is_a_difference_and_opens_no_new_books(
    journal: Journal, chain: Chain, stages: Sequence[Stage]
) -> None:
    first, second = stages
    done(new_reconciler(journal, chain, stage=first).at_start())
    chain.put(WETH, 4 * START, at=chain.head)
    reconciler = new_reconciler(journal, chain, stage=second)
    body = done(reconciler.at_start())
    assert body is not None
    assert (body.verdict, [item.difference for item in body.counted]) == ("different", [-START])
    assert refused(reconciler, chain.head)
    explain(journal, journal.head()[0], explanation="moved by hand", person="ann")
    again = new_reconciler(journal, chain, stage=first)
    done(again.at_start())
    assert verdicts(journal)[-1] == "equal", "explained in one live stage, explained in the other"
    assert not refused(again, chain.head)


def test_a_block_before_a_booking_of_the_other_live_stage_is_compared_without_it(
    journal: Journal, chain: Chain
) -> None:
    done(new_reconciler(journal, chain, stage=Stage.CANARY).at_start())
    write(journal, an_intent(1), run(1, START, 13, stage=Stage.CANARY))
    chain.put(WETH, 6 * START, at=13)
    chain.head, chain.confirmations = 14, 3
    body = done(new_reconciler(journal, chain, stage=Stage.PRODUCTION).at_start())
    assert body is not None
    assert (body.verdict, body.block_number) == ("equal", 11)


@pytest.mark.parametrize("stage", [Stage.PAPER, Stage.FORK, Stage.SHADOW])
def test_a_stage_that_sends_nothing_to_the_live_chain_keeps_books_of_its_own(
    journal: Journal, chain: Chain, stage: Stage
) -> None:
    done(new_reconciler(journal, chain, stage=stage).at_start())
    chain.put(WETH, START, at=chain.head)
    done(new_reconciler(journal, chain, stage=Stage.CANARY).at_start())
    assert verdicts(journal) == ["opened", "opened"]
    assert {one.book: one.amount for one in journal.positions()} == {stage.value: 5 * START, "live": START}
