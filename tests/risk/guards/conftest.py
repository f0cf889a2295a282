"""A context in which every guard passes; each test breaks one thing."""

from __future__ import annotations

import pytest

from tidegate.model import Address, Block
from tidegate.risk.guards import GuardContext, RunFacts, StepFacts
from tidegate.venues import AddressBook, LimitKind, load_book

NOW_S = 1_800_000_000
EXECUTOR = Address("0x" + "e1" * 20)


def make_book() -> AddressBook:
    feeds = {
        "feed.ETH/USD": {"address": "0x" + "01" * 20, "heartbeat_s": 3_600},
        "feed.USDC/USD": {"address": "0x" + "02" * 20, "heartbeat_s": 86_400},
        "feed.DAI/USD": {"address": "0x" + "03" * 20},
    }
    return load_book(
        {
            "chain": "test",
            "chain_id": 1,
            "tokens": {
                "WETH": {"address": "0x" + "11" * 20, "decimals": 18, "feed": "feed.ETH/USD"},
                "USDC": {"address": "0x" + "12" * 20, "decimals": 6, "feed": "feed.USDC/USD"},
                "DAI": {"address": "0x" + "13" * 20, "decimals": 18, "feed": "feed.DAI/USD"},
                "BARE": {"address": "0x" + "14" * 20, "decimals": 18},
            },
            "contracts": {
                **feeds,
                "guard_lens": {"address": "0x" + "31" * 20},
                "aave_v3.pool": {"address": "0x" + "32" * 20},
            },
        }
    )


def make_sell() -> StepFacts:
    """1 WETH for 3,000 USDC, at least 2,991."""
    return StepFacts(
        step_id="sell",
        limit_kind=LimitKind.MINIMUM_OUT,
        token_in="WETH",
        token_out="USDC",
        amount_in=10**18,
        amount_out=3_000 * 10**6,
        limit=2_991 * 10**6,
        slippage_bps=30,
    )


def make_context() -> GuardContext:
    return GuardContext(
        parameters={},
        book=make_book(),
        executor=EXECUTOR,
        block=Block(number=100, timestamp=NOW_S, base_fee_wei=20 * 10**9, gas_limit=30_000_000),
        run=RunFacts(
            gas_limit=400_000,
            max_gas=900_000,
            max_base_fee_wei=40 * 10**9,
            deadline_s=NOW_S + 36,
            quoted_at_block=100,
        ),
        steps=(make_sell(),),
    )


@pytest.fixture
def sell() -> StepFacts:
    return make_sell()


@pytest.fixture
def context() -> GuardContext:
    return make_context()
