"""Intents, plans and a journal for the tests of risk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidegate.ledger import Journal
from tidegate.model import Address, Intent, ManualClock, Plan

USD = 10**6


def intent_of(name: str = "a", **changes: Any) -> Intent:
    intent = Intent(
        id=name,
        desk="atomic",
        chain_id=31337,
        subject="arb",
        reason="a test",
        deadline_s=10**9,
        notional_usd_e6=1,
        body={},
    )
    return msgspec.structs.replace(intent, **changes)


def plan_of(intent: Intent, *, at_risk_usd_e6: int = 0, gas_limit: int = 0, max_fee_wei: int = 0) -> Plan:
    return Plan(
        intent_id=intent.id,
        desk=intent.desk,
        chain_id=intent.chain_id,
        to=Address("0x" + "11" * 20),
        data=b"",
        value_wei=0,
        gas_limit=gas_limit,
        max_fee_wei=max_fee_wei,
        max_priority_fee_wei=0,
        deadline_s=intent.deadline_s,
        bounds=(),
        steps=(),
        program_hash="0x00",
        at_risk_usd_e6=at_risk_usd_e6,
        flow_usd_e6=0,
        prices_usd_e8={},
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000_000_000)


@pytest.fixture
def journal(tmp_path: Path, clock: ManualClock) -> Iterator[Journal]:
    with Journal.open(tmp_path / "ledger.sqlite", clock=clock) as opened:
        yield opened
