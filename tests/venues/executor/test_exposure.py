"""At-risk and flow: the specification's vectors, and what an operator can not hide from them."""

from dataclasses import replace

import pytest
from tests.venues.executor.golden import PROGRAM, ROUTER, USDC, WETH

from tidegate.model import ZERO_ADDRESS, Denied, Unavailable
from tidegate.venues.executor import (
    Approve,
    Call,
    Capture,
    Check,
    Comparison,
    Flash,
    FlashKind,
    Line,
    Load,
    LoadSource,
    Math,
    MathFunction,
    Take,
    TokenPrice,
    at_risk_usd_e6,
    flow_usd_e6,
)

ETHER = 10**18
PRICES = {
    ZERO_ADDRESS: TokenPrice(3_000 * 10**8, 18),
    WETH: TokenPrice(3_000 * 10**8, 18),
    USDC: TokenPrice(10**8, 6),
}
GAS = {"gas_limit": 805_000, "max_fee_wei": 30 * 10**9}


def at_risk(floor):
    return at_risk_usd_e6(replace(PROGRAM, lines=(Line(WETH, floor),)), PRICES, **GAS)


def flow(*ops, **given):
    return flow_usd_e6(replace(PROGRAM, registers=8, ops=ops), PRICES, **given)


def test_at_risk_vectors():
    assert at_risk(-ETHER // 2) == 1_572_450_000
    assert at_risk(0) == 72_450_000
    assert at_risk(ETHER // 100) == 72_450_000  # a gain does not lower it
    assert at_risk(-2 * ETHER // 100) == 132_450_000


def test_at_risk_rounds_up_and_needs_every_price():
    assert at_risk(-1) == 72_450_001
    with pytest.raises(Unavailable, match="a price is missing"):
        at_risk_usd_e6(replace(PROGRAM, lines=(Line(ROUTER, -1),)), PRICES, **GAS)


def test_the_golden_program_moves_its_loan_and_no_inventory():
    assert flow_usd_e6(PROGRAM, PRICES) == 5 * 3_000_000_000


def test_what_is_approved_beyond_the_loan_is_inventory():
    more = Load.literal(0, 0, 7 * ETHER), Approve(1, WETH, ROUTER, 0)
    assert flow(*more) == 7 * 3_000_000_000
    loan = Flash(2, FlashKind.AAVE_V3, ROUTER, WETH, 1, more)
    assert flow(Load.literal(3, 1, 5 * ETHER), loan) == 7 * 3_000_000_000


def test_value_counts_once():
    value = Load.literal(0, 0, 2 * ETHER), Call(1, ROUTER, b"abcd", value_register=0)
    assert flow(*value) == 6_000_000_000
    assert flow(*value, value_wei=2 * ETHER) == 6_000_000_000
    assert flow(*value, value_wei=3 * ETHER) == 9_000_000_000


def test_what_the_run_produces_is_not_inventory_but_what_is_added_to_it_is():
    made = Call(0, ROUTER, b"abcd", capture=Capture(0)), Take(1, 1, 1)
    assert flow(*made, Approve(2, USDC, ROUTER, 0), Approve(3, USDC, ROUTER, 1)) == 0
    for function, dollars in (
        (MathFunction.ADD, 9),
        (MathFunction.MAXIMUM, 9),
        (MathFunction.MINIMUM, 0),
        (MathFunction.SUBTRACT, 0),
    ):
        mixed = Math(2, 2, function, 0, immediate=9_000_000)
        assert flow(*made, mixed, Approve(3, USDC, ROUTER, 2)) == dollars * 1_000_000


def test_balances_are_inventory():
    ops = Load.balance(0, 0, WETH), Approve(1, WETH, ROUTER, 0)
    assert flow(*ops, balances={WETH: ETHER}) == 3_000_000_000
    with pytest.raises(Unavailable, match="balance"):
        flow(*ops)


def test_a_check_moves_nothing_and_what_it_may_skip_is_counted():
    ops = Load.literal(0, 0, ETHER), Check(1, Comparison.EQUAL, 0, immediate=1, skip=64)
    assert flow(*ops, Approve(2, WETH, ROUTER, 0)) == 3_000_000_000


def test_computed_amounts_are_followed():
    half = Math(1, 1, MathFunction.MUL_BPS_DOWN, 0, immediate=5_000)
    assert flow(Load.literal(0, 0, 4 * ETHER), half, Approve(2, WETH, ROUTER, 1)) == 6_000_000_000


@pytest.mark.parametrize("source", [LoadSource.TIME, LoadSource.BASE_FEE, LoadSource.GAS_LEFT])
def test_amounts_that_nothing_bounds_are_refused(source):
    loaded = Load(0, 0, source)
    doubled = Math(1, 1, MathFunction.ADD, 0, 0)
    for use in (
        Approve(2, WETH, ROUTER, 1),
        Call(2, ROUTER, b"abcd", value_register=1),
        Flash(2, FlashKind.AAVE_V3, ROUTER, WETH, 1, ()),
    ):
        with pytest.raises(Denied, match="nothing bounds"):
            flow(loaded, doubled, use)


def test_a_loan_of_what_a_call_answers_is_refused():
    with pytest.raises(Denied, match="nothing bounds"):
        flow(
            Call(0, ROUTER, b"abcd", capture=Capture(0)),
            Flash(1, FlashKind.AAVE_V3, ROUTER, WETH, 0, ()),
        )


def test_what_overflows_is_refused():
    with pytest.raises(Denied, match="nothing bounds"):
        flow(
            Load.literal(0, 0, 1),
            Math(1, 1, MathFunction.SUBTRACT, 0, immediate=2),
            Approve(2, WETH, ROUTER, 1),
        )


def test_the_repaid_amount_is_known_with_its_highest_fee():
    inner = Approve(2, WETH, ROUTER, 1)
    loan = Flash(1, FlashKind.AAVE_V3, ROUTER, WETH, 0, (inner,), repay_register=1, max_fee=ETHER)
    assert flow(Load.literal(0, 0, ETHER), loan) == 6_000_000_000
