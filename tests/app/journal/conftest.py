from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.ledger import Body, BookingBody, DecisionBody, Delta, IntentBody, Journal, OutcomeBody
from tidegate.model import Intent, ManualClock, OutcomeKind, Reason, Stage

LANDED, DENIED = "ab" * 32, "cd" * 32


def run_of(intent_id: str, ending: list[Body]) -> list[Body]:
    intent = Intent(intent_id, "adder", 31337, "sums", "gap", 99, 3_000_000_000, {"size": 2**70})
    decided = DecisionBody(
        desk="adder",
        subject="sums",
        block=7,
        acted=True,
        intent_id=intent_id,
        inputs={"a": 2**70, "b": 5},
        result={"sum": 2**70 + 5},
    )
    return [decided, IntentBody(intent=intent, stage=Stage.PAPER), *ending]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return a ledger of two runs, one landed, one denied, and a decision that did not act: 8 records."""
    path = tmp_path / "ledger.sqlite"
    booking = BookingBody(
        deltas=(Delta("0xC0", "WETH", 18, 3 * 10**16),), gas_cost_wei=10**15, value_usd_e6=87_000_000
    )
    refused = OutcomeBody(kind=OutcomeKind.DENIED, reason=Reason.UNPROFITABLE, detail="profit is -3")
    quiet = DecisionBody(
        desk="adder",
        subject="sums",
        block=9,
        acted=False,
        reason=Reason.NO_OPPORTUNITY,
        inputs={"a": 1, "b": 1},
        result={"sum": 2},
    )
    with Journal.open(path, clock=ManualClock(1_700_000_000_000)) as journal:
        for intent_id, ending in (
            (LANDED, [OutcomeBody(kind=OutcomeKind.LANDED), booking]),
            (DENIED, [refused]),
        ):
            for body in run_of(intent_id, ending):
                tied = "" if isinstance(body, DecisionBody) else intent_id
                journal.append(body.KIND, body, actor="adder", correlation_id=tied)
        journal.append(quiet.KIND, quiet, actor="adder")
    return path
