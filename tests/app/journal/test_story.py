from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidegate.app.story import details, summary
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
    ReceiptBody,
    RecoveryBody,
    SentBody,
    SignatureBody,
    SimulationBody,
    Used,
)
from tidegate.model import ZERO_ADDRESS, GuardResult, ManualClock, Placement, RecordKind, Stage

HASH = "0x" + "ab" * 32


def guard(*, passed: bool) -> GuardResult:
    return GuardResult("max_gas", Placement.PRE, passed, "gas_cap", 31, 30, "gwei", 7)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (MarketBody(block=7, prices={"v2": "2900.5"}, base_fee_wei=1), "market at block 7 v2 2900.5"),
        (LimitsBody(checked=(Used("open_intents", 1, 8),)), "open_intents 1/8"),
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
        (BoundsBody(margins=(Margin("WETH", "1", "3", "2"),)), "WETH 2 over its floor"),
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
        for kind in (RecordKind.DECISION, RecordKind.LIMITS, RecordKind.STOP):
            line = summary(journal.append(kind, body, actor="x"))
            assert line == ", ".join(f"{key} {value}" for key, value in body.items())


def test_the_details_list_each_guard_and_the_gas_of_each_step(tmp_path: Path) -> None:
    simulation = SimulationBody(
        plan_digest="",
        block_number=7,
        succeeded=True,
        gas_used=9,
        deltas=(),
        gas_by_step=(("swap", 1_234), ("repay", 5)),
    )
    guards = GuardsBody(placement=Placement.PRE, results=(guard(passed=True), guard(passed=False)))
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        assert details(journal.append(simulation.KIND, simulation, actor="x")) == [
            "swap: 1,234 gas",
            "repay: 5 gas",
        ]
        assert details(journal.append(guards.KIND, guards, actor="x")) == [
            "max_gas passed: 31 of 30 gwei",
            "max_gas FAILED: 31 of 30 gwei",
        ]
        assert details(journal.append(RecordKind.GUARDS, {"results": 1}, actor="x")) == []
        assert details(journal.append(RecordKind.EVENT, {}, actor="x")) == []
