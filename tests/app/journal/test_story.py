from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidegate.app.story import clocks, decimals_of, details, summary
from tidegate.ledger import (
    AuthorisationBody,
    Body,
    BoundsBody,
    GuardsBody,
    Journal,
    LimitsBody,
    Margin,
    MarketBody,
    NonceBody,
    PlanBody,
    ReceiptBody,
    RecoveryBody,
    SentBody,
    SignatureBody,
    SimulationBody,
    Used,
)
from tidegate.model import ZERO_ADDRESS, Bound, GuardResult, ManualClock, Placement, Plan, RecordKind, Stage

HASH = "0x" + "ab" * 32

PLAN = Plan(
    intent_id="i",
    desk="adder",
    chain_id=31337,
    to=ZERO_ADDRESS,
    data=b"\x00",
    value_wei=0,
    gas_limit=604_771,
    max_fee_wei=39_530_000_000,
    max_priority_fee_wei=1,
    deadline_s=1_700_000_000,
    bounds=(Bound(ZERO_ADDRESS, "WETH", 18, 1),),
    steps=(),
    program_hash="",
    at_risk_usd_e6=0,
    flow_usd_e6=0,
    prices_usd_e8={},
)


def guard(*, passed: bool) -> GuardResult:
    return GuardResult("max_gas", Placement.PRE, passed, "gas_cap", 31, 30, "gwei", 7)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (MarketBody(block=7, prices={"v2": "2900.5"}, base_fee_wei=1), "market at block 7 v2 2900.5"),
        (LimitsBody(checked=(Used("open_intents", 1, 8),)), "open_intents 1 of 8"),
        (
            LimitsBody(
                checked=(
                    Used("open_intents", 1, 8, "desk:atomic"),
                    Used("orders_per_minute", 30, 60, "desk:atomic"),
                    *(Used(f"unused_{number}", 0, 1, "global") for number in range(9)),
                )
            ),
            "room in all 11 limits; most used: orders_per_minute 30 of 60 (desk:atomic) · "
            "open_intents 1 of 8 (desk:atomic)",
        ),
        (
            GuardsBody(placement=Placement.PRE, results=(guard(passed=True), guard(passed=False))),
            "pre: max_gas FAILED: 31 of 30 gwei · 1 passed",
        ),
        (GuardsBody(placement=Placement.POST, results=()), "post: 0 passed"),
        (
            SimulationBody(
                plan_digest="",
                block_number=7,
                succeeded=False,
                gas_used=1,
                deltas=(),
                revert="K()",
                failing_step="swap",
            ),
            "reverted at block 7, step swap: K()",
        ),
        (
            SimulationBody(
                plan_digest="", block_number=7, succeeded=False, gas_used=1, deltas=(), revert="K()"
            ),
            "reverted at block 7: K()",
        ),
        (
            LimitsBody(checked=(Used("max_loss_per_day_usd_e6", 19_999, 100_000_000),)),
            "max_loss_per_day 0.01 USD of 100.00 USD",
        ),
        (BoundsBody(margins=(Margin("WETH", "1", "3", "2"),)), "2 base units of WETH over its floor"),
        (
            AuthorisationBody(stage=Stage.PAPER, signs_with="a throw-away key", signer=ZERO_ADDRESS),
            "paper signs with a throw-away key 0x00000000…",
        ),
        (NonceBody(nonce=4, account=ZERO_ADDRESS), "nonce 4 of 0x00000000… reserved"),
        (
            SignatureBody(nonce=4, hash=HASH, raw="0x", sender=ZERO_ADDRESS),
            "nonce 4, transaction 0xabababab…",
        ),
        (SentBody(hash=HASH), "transaction 0xabababab… left the house"),
        (
            ReceiptBody(
                hash=HASH, status=0, block_number=8, gas_used=1_234, effective_gas_price_wei=1_500_000_000
            ),
            "reverted in block 8, gas 1,234 at 1.5 gwei",
        ),
        (
            RecoveryBody(found="signed", done="sent again"),
            "found signed; sent again",
        ),
    ],
)
def test_a_line_for_each_kind(body: Body, line: str, tmp_path: Path) -> None:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        assert summary(journal.append(body.KIND, body, actor="x", correlation_id="i")) == line


@pytest.mark.parametrize("body", [{"a": 1}, {"block": "x"}, {}])
def test_a_body_of_another_release_is_shown_as_it_is(body: dict[str, Any], tmp_path: Path) -> None:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        for kind in (RecordKind.DECISION, RecordKind.LIMITS, RecordKind.ANSWER):
            line = summary(journal.append(kind, body, actor="x"))
            assert line == ", ".join(f"{key} {value}" for key, value in body.items())


def test_the_first_and_the_last_record_of_a_demo_are_told_in_words(tmp_path: Path) -> None:
    began = {
        "demo": {
            "version": "0.1.0",
            "seed": 7,
            "blocks": 150,
            "strategies": {"v2-v3-arb": "ab", "loop": "cd"},
        },
        "stage": "paper",
    }
    line = {"decisions": 150, "landed": 12, "reverted": 2, "denied": 1}
    over = {
        "seed": 7,
        "ended": "all blocks",
        "blocks": 150,
        "strategies": {"v2-v3-arb": line, "loop": {**line, "decisions": 2}},
        "value_after_gas_usd_e6": 12_340_000,
    }
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        assert summary(journal.append(RecordKind.SESSION, began, actor="demo")) == (
            "demo 0.1.0, seed 7, 150 blocks (paper): loop, v2-v3-arb"
        )
        assert summary(journal.append(RecordKind.SUMMARY, over, actor="demo")) == (
            "ended: all blocks; 150 blocks, 152 decisions, 24 landed, 4 reverted, 2 denied, "
            "12.34 USD after gas"
        )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"version": "9", "stages": ["paper", "fork"]}, "stages paper · fork, version 9"),
        ({"demo": {"seed": 7, "of": {"a": 1}}}, "demo (of (a 1), seed 7)"),
        ({"strategies": 3, "blocks": 1, "ended": None}, "blocks 1, ended none, strategies 3"),
    ],
)
def test_no_body_is_shown_as_a_program_writes_it(body: dict[str, Any], line: str, tmp_path: Path) -> None:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        for kind in (RecordKind.SESSION, RecordKind.SUMMARY, RecordKind.ANSWER):
            assert summary(journal.append(kind, body, actor="x")) == line


def test_the_details_list_each_guard_and_the_gas_of_each_step(tmp_path: Path) -> None:
    simulation = SimulationBody(
        plan_digest="",
        block_number=7,
        succeeded=True,
        gas_used=9,
        deltas=(),
        gas_by_step=(("swap", 1_234), ("rest", 5)),
    )
    guards = GuardsBody(placement=Placement.PRE, results=(guard(passed=True), guard(passed=False)))
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        assert details(journal.append(simulation.KIND, simulation, actor="x")) == [
            "swap: 1,234 gas",
            "last step of each loan, repayment, settlement: 5 gas",
        ]
        assert details(journal.append(guards.KIND, guards, actor="x")) == [
            "max_gas passed: 31 of 30 gwei",
            "max_gas FAILED: 31 of 30 gwei",
        ]
        assert details(journal.append(RecordKind.GUARDS, {"results": 1}, actor="x")) == []
        assert details(journal.append(RecordKind.EVENT, {}, actor="x")) == []


@pytest.mark.parametrize(
    ("measured", "bound", "unit", "name", "line"),
    [
        (1_700_000_000, 1_700_000_036, "seconds", "deadline", "passed: 36 s left"),
        (1_700_000_040, 1_700_000_036, "seconds", "deadline", "passed: 4 s too late"),
        (90, 3_600, "seconds", "oracle_sanity", "passed: 90 of 3,600 s"),
        (12_500_000_000, 40_000_000_000, "wei", "max_base_fee", "passed: 12.5 of 40 gwei"),
        (1_310_000_000_000_000_000, 1_200_000_000_000_000_000, "ratio_e18", "hf", "passed: 1.31 of 1.2"),
        (2**256 - 1, 10 * 10**18, "ratio_e18", "min_health_factor", "passed: no debt"),
        (604_771, 900_000, "gas", "max_gas", "passed: 604,771 of 900,000 gas"),
        (None, 500, "bps", "oracle_sanity", "passed: unknown of 500 bps"),
        (None, None, "", "other", "passed"),
    ],
)
def test_guards_speak_in_human_units(
    measured: int | None, bound: int | None, unit: str, name: str, line: str, tmp_path: Path
) -> None:
    result = GuardResult(name, Placement.PRE, True, "ok", measured, bound, unit, 7)
    body = GuardsBody(placement=Placement.PRE, results=(result,))
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        assert details(journal.append(body.KIND, body, actor="x")) == [f"{name} {line}"]


@pytest.mark.parametrize(
    ("margin", "line"),
    [
        ("32117289798131821", "0.032117 WETH over its floor"),
        ("0", "0 WETH over its floor"),
        ("7", "0.000000000000000007 WETH over its floor"),
    ],
)
def test_margins_are_in_whole_tokens_by_the_plans_decimals(margin: str, line: str, tmp_path: Path) -> None:
    bounds = BoundsBody(margins=(Margin("WETH", "1", "3", margin),))
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        plan = journal.append(RecordKind.PLAN, PlanBody.of(PLAN), actor="x", correlation_id="i")
        known = decimals_of([plan])
        assert summary(plan).startswith(
            "1 byte to 0x00000000…, gas limit 604,771 at 39.53 gwei at most, "
            "by chain time 2023-11-14 22:13:20 UTC"
        )
        assert summary(journal.append(bounds.KIND, bounds, actor="x"), known) == line


@pytest.mark.parametrize(
    ("at_s", "whose"), [(1_700_000_000, "the chain's"), (1_600_000_000, "this machine's")]
)
def test_a_story_names_the_chains_time_and_the_journals(at_s: int, whose: str, tmp_path: Path) -> None:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1_700_000_000_000)) as journal:
        body = {"block": 7, "inputs": {"block_timestamp_s": at_s}}
        told = clocks([journal.append(RecordKind.DECISION, body, actor="x")])
    assert told[0].startswith("decided at block 7, chain time 20")
    assert told[1] == f"begun at journal time 2023-11-14 22:13:20 UTC, by {whose} clock; + counts from there"
    assert clocks([]) == []


@pytest.mark.parametrize("account", [[], ["0x00000000000000000000000000000000000000aA"]])
def test_a_booking_is_told_with_or_without_the_account_of_each_change(
    tmp_path: Path, account: list[str]
) -> None:
    booking = {
        "deltas": [["0xC0", "WETH", 18, "30000000000000000", *account]],
        "gas_cost_wei": "1000000000000000",
        "value_usd_e6": 87_000_000,
    }
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        record = journal.append(RecordKind.BOOKING, booking, actor="adder")
    assert summary(record) == "+0.03 WETH, gas 0.001 ETH; worth 87.00 USD"
