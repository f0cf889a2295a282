"""Every kind of record has a line for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.app import story
from tidegate.app.story import summary
from tidegate.ledger import (
    AddressesCheckedBody,
    AdministrationBody,
    Body,
    BreakerBody,
    CheckedAddress,
    Counted,
    CursorBody,
    DrillBody,
    EndpointBody,
    ExecutorStateBody,
    HaltBody,
    Held,
    Journal,
    LeaseBody,
    MarkBody,
    ReconciliationBody,
    ResumeBody,
    SignalBody,
    StopBody,
)
from tidegate.ledger.judgements import JudgementBody
from tidegate.ledger.sending import (
    AmbiguousBody,
    ConfirmedBody,
    ExpiringBody,
    FinalisedBody,
    ReplacedBody,
    ReplacementBody,
    WithdrawnBody,
)
from tidegate.model import ZERO_ADDRESS, ManualClock, OutcomeKind, RecordKind, Stage

ONE, TWO = "0x" + "ab" * 32, "0x" + "cd" * 32


def reconciliation(verdict: str, found: int) -> ReconciliationBody:
    return ReconciliationBody(
        stage=Stage.CANARY,
        desk="atomic",
        chain_id=10,
        block_number=7,
        block_hash=ONE,
        verdict=verdict,
        counted=(Counted(ZERO_ADDRESS, ZERO_ADDRESS, "WETH", 18, booked=10**18, found=found),),
        explains=4 if verdict == "explained" else 0,
        explanation="a top-up" if verdict == "explained" else "",
        person="ada" if verdict == "explained" else "",
    )


def breaker(level: int, *, is_latched: bool) -> BreakerBody:
    return BreakerBody(
        breaker="drawdown",
        scope="desk:atomic",
        code="tripped",
        level=level,
        previous=0,
        value="0.07",
        value_at_ms=1,
        since_ms=1,
        quiet_since_ms=None,
        blind_since_ms=None,
        is_latched=is_latched,
        left_ms=(0,),
        evaluated_ms=1,
    )


def replacement(*, is_cancel: bool) -> ReplacementBody:
    return ReplacementBody(
        nonce=5,
        hash=TWO,
        raw="0x02",
        sender=ZERO_ADDRESS,
        is_cancel=is_cancel,
        max_fee_wei=3 * 10**9,
        max_priority_fee_wei=1,
        why="stuck for 3 blocks",
    )


def endpoint(*, state: str, cause: str, detail: str, who: str = "") -> EndpointBody:
    return EndpointBody(
        chain="base", chain_id=8453, endpoint="far", state=state, cause=cause, detail=detail, who=who
    )


def stop(*, allow_exit: bool, until_ms: int | None) -> StopBody:
    return StopBody(
        id="a@1",
        name="a",
        scope="desk:atomic",
        reason="a drill",
        who=("ada", "bob"),
        set_by="person",
        at_ms=1,
        until_ms=until_ms,
        allow_exit=allow_exit,
    )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            AmbiguousBody(hash=ONE, detail="no answer in 5 s"),
            "transaction 0xabababab…: nobody confirmed it, the chain is asked: no answer in 5 s",
        ),
        (
            replacement(is_cancel=False),
            "nonce 5 signed anew with higher fees as 0xcdcdcdcd…, at most 3 gwei: stuck for 3 blocks",
        ),
        (replacement(is_cancel=True), "nonce 5 cancelled by 0xcdcdcdcd…, at most 3 gwei: stuck for 3 blocks"),
        (
            ReplacedBody(hash=ONE, by=TWO),
            "the nonce of 0xabababab… was used by 0xcdcdcdcd…, also ours: that is followed",
        ),
        (
            ExpiringBody(nonce=5, block_number=9, chain_time_s=20, deadline_s=10),
            "nonce 5 is unused at block 9 (chain time 1970-01-01 00:00:20 UTC, the deadline was "
            "1970-01-01 00:00:10 UTC): to be cancelled",
        ),
        (
            WithdrawnBody(hash=ONE, block_number=9, block_hash=TWO),
            "a reorg took block 9 away, and transaction 0xabababab… with it",
        ),
        (
            ConfirmedBody(hash=ONE, block_number=9, head_number=10),
            "block 9 is confirmed: the head is 1 block further",
        ),
        (
            FinalisedBody(hash=ONE, block_number=9, head_number=73),
            "block 9 is final: the head is 64 blocks further",
        ),
        (
            CursorBody(chain_id=10, stream="all", first=5, number=9, hash="ab", parent_hash="cd"),
            "chain 10 all: blocks 5 to 9",
        ),
        (
            LeaseBody(chain_id=10, account=ZERO_ADDRESS, holder="pid 7 on host"),
            "key 0x00000000… on chain 10 owned by pid 7 on host",
        ),
        (
            endpoint(state="quarantined", cause="wrong_chain_id", detail="expected 8453, was 1"),
            "endpoint base.far is QUARANTINED, wrong_chain_id: expected 8453, was 1",
        ),
        (
            endpoint(state="cooling", cause="released", detail="URL mended (evidence: 7)", who="ada"),
            "endpoint base.far let go by ada: URL mended (evidence: 7)",
        ),
        (
            HaltBody(scope="chain:10", who="heads", detail="a reorg of 70 blocks"),
            "chain:10 HALTED by heads: a reorg of 70 blocks",
        ),
        (
            HaltBody(scope="chain:10", who="ada", detail="node mended", lifted=True),
            "chain:10 lifted by ada: node mended",
        ),
        (stop(allow_exit=True, until_ms=None), "desk:atomic STOPPED by ada, bob: a drill"),
        (
            stop(allow_exit=False, until_ms=60_000),
            "desk:atomic STOPPED until 1970-01-01 00:01:00 UTC, exits too by ada, bob: a drill",
        ),
        (
            ResumeBody(scope="global", who=("ada",), reason="calm", evidence="report 7", at_ms=1),
            "global resumed by ada: calm (evidence: report 7)",
        ),
        (
            ResumeBody(scope="global", who=("ada",), reason="calm", evidence="", at_ms=1, breaker="drawdown"),
            "breaker drawdown of global resumed by ada: calm",
        ),
        (
            breaker(0, is_latched=False),
            "drawdown of desk:atomic stands at level 0, measured 0.07",
        ),
        (
            breaker(2, is_latched=True),
            "drawdown of desk:atomic tripped: level 0 to 2, measured 0.07, a person must release it",
        ),
        (
            MarkBody(
                desk="atomic",
                stage=Stage.PAPER,
                unrealised_usd_e6=-2_500_000,
                held=(Held("uniswap", "WETH", 3_000_000_000),),
                at_s=1,
            ),
            "atomic holds WETH at uniswap 3,000.00 USD; -2.50 USD unrealised",
        ),
        (
            reconciliation("different", 3 * 10**18),
            "atomic on chain 10 (canary) at block 7: books and chain DIFFER: "
            "WETH of 0x00000000… chain 3, books 1",
        ),
        (
            reconciliation("opened", 10**18),
            "atomic on chain 10 (canary) at block 7: books opened with: WETH of 0x00000000… chain 1, books 1",
        ),
        (
            reconciliation("equal", 10**18),
            "atomic on chain 10 (canary) at block 7: books and chain are equal in 1 balance",
        ),
        (
            reconciliation("explained", 3 * 10**18),
            "atomic on chain 10 (canary) at block 7: the difference is explained by ada, seq 4: a top-up",
        ),
        (
            JudgementBody(block_number=9, behind=2, kind=OutcomeKind.LANDED, gas_used=300_000),
            "in block 9, 2 blocks later, it would have landed, gas 300,000",
        ),
        (
            JudgementBody(
                block_number=9,
                behind=1,
                kind=OutcomeKind.LANDED,
                gas_used=300_000,
                value_usd_e6=149_750_000,
            ),
            "in block 9, 1 block later, it would have landed and earned 149.75 USD after gas, gas 300,000",
        ),
        (
            JudgementBody(
                block_number=9,
                behind=1,
                kind=OutcomeKind.REVERTED,
                revert="slippage",
                failing_step="sell",
                value_usd_e6=-250_000,
            ),
            "in block 9, 1 block later, it would have reverted and earned -0.25 USD after gas "
            "at step sell: slippage",
        ),
        (
            JudgementBody(
                block_number=9, behind=1, kind=OutcomeKind.REVERTED, revert="slippage", failing_step="sell"
            ),
            "in block 9, 1 block later, it would have reverted at step sell: slippage",
        ),
        (
            JudgementBody(block_number=9, behind=1, kind=OutcomeKind.REVERTED, revert="too late"),
            "in block 9, 1 block later, it would have reverted: too late",
        ),
        (
            DrillBody(
                drill="stop",
                world="devnet",
                passed=True,
                started_ms=1,
                steps=(),
                figures={"last_signature_ms": 41},
            ),
            "stop in devnet held: last_signature_ms 41",
        ),
        (
            AdministrationBody(
                chain_id=1,
                executor=ZERO_ADDRESS,
                name="main1",
                what="scheduled",
                detail="cap 64: at most 7",
                announced=False,
                at_block=9,
            ),
            "main1 scheduled: cap 64: at most 7, which NO plan file announced",
        ),
        (
            AdministrationBody(
                chain_id=1,
                executor=ZERO_ADDRESS,
                name="main1",
                what="paused",
                detail="",
                announced=True,
                at_block=9,
            ),
            "main1 paused",
        ),
        (
            ExecutorStateBody(
                chain_id=1,
                executor=ZERO_ADDRESS,
                name="main1",
                owner=ZERO_ADDRESS,
                pending_owner=ZERO_ADDRESS,
                treasury=ZERO_ADDRESS,
                delay_s=0,
                is_paused=True,
                code_hash="ab",
                entries=((7, "0x01", "0x02"),),
                scheduled=(),
                differences=("paused(): events say 0x0, the chain 0x1",),
                at_block=9,
                events=2,
                events_digest="cd",
            ),
            "main1 at block 9: 1 entries, 0 waiting, paused, "
            "events and views DIFFER: paused(): events say 0x0, the chain 0x1",
        ),
        (
            AddressesCheckedBody(
                chain_id=1,
                chain="ethereum",
                at_block=9,
                addresses=(
                    CheckedAddress(name="USDC", address=ZERO_ADDRESS, verdict="same", code_hash="ab"),
                    CheckedAddress(name="WETH", address=ZERO_ADDRESS, verdict="changed", code_hash="cd"),
                ),
                confirmed=("USDC",),
                by="ana",
            ),
            "addresses of ethereum at block 9: 1 changed, 1 same; ana confirmed USDC",
        ),
        (
            SignalBody(
                desk="atomic",
                chain_id=1,
                subject="arb",
                what="oracle_stale",
                level="critical",
                value=3961,
                bound=3960,
                unit="seconds",
                about="feed.ETH-USD",
            ),
            "critical: oracle stale of feed.ETH-USD, arb: 3,961 seconds, bound 3,960",
        ),
    ],
    ids=lambda value: value.KIND.value if isinstance(value, Body) else "",
)
def test_a_record_beside_the_street_reads_as_a_sentence(tmp_path: Path, body: Body, line: str) -> None:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        assert summary(journal.append(body.KIND, body, actor="x")) == line


@pytest.mark.parametrize("kind", list(RecordKind))
def test_every_kind_has_its_own_words(kind: RecordKind) -> None:
    assert kind in story._TELLERS or kind is RecordKind.BOUNDS
