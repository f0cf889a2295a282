"""P13: loans nested across all kinds, the same lender twice, four deep."""

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import PUSH, TRICKS

from tidegate.venues.executor import Capture, FlashKind, Line, Load, Math, MathFunction, assemble

KINDS = list(FlashKind)
AMOUNT = 10_000
FEE_BPS = 30


def nest(house, kinds, *innermost, fee=1_000):
    """Loans of ``kinds``, the first outermost; the fee of each is added up in register 1."""
    ops = innermost
    for level, kind in reversed(list(enumerate(kinds))):
        loan = house.loan(10 + level, kind, *ops, repay_register=2 + level, max_fee=fee)
        ops = (loan,)
    return house.program(
        Load.literal(1, 0, AMOUNT), *ops, lines=[Line(house.a, -1_000 * len(kinds))], registers=16
    )


def fee_of(kind):
    return 0 if kind is FlashKind.MORPHO_BLUE else 30


def with_fees(house):
    for lender in (house.pool, house.morpho, house.balancer):
        house.terms(lender, fee_bps=FEE_BPS)
    house.mint(house.a, 1_000)


@pytest.mark.parametrize(
    "pair", list(product(KINDS, KINDS)), ids=lambda pair: f"{pair[0].name}-{pair[1].name}"
)
def test_p13_every_kind_in_every_kind(house, pair):
    """Kinds 1 to 3 are one lender here, so this is also the same lender inside itself."""
    with_fees(house)
    found = house.simulate(nest(house, pair))
    assert found.deltas == (-sum(fee_of(kind) for kind in pair),)
    assert found.registers[2:4] == tuple(AMOUNT + fee_of(kind) for kind in pair)
    house.run(nest(house, pair))


@attack("P13", "cheat as the lender of any of four nested loans")
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=3, max_size=4),
    trick=st.sampled_from([None, *TRICKS]),
    liar=st.sampled_from(["pool", "morpho", "balancer"]),
)
def test_p13_three_and_four_deep_with_one_lender_that_may_cheat(house, kinds, trick, liar):
    with house.world.snapshot():
        with_fees(house)
        house.terms(getattr(house, liar), fee_bps=FEE_BPS, trick=trick)
        program = nest(house, kinds, house.call(2, PUSH, house.a, 5))
        before = house.balance(house.a)
        involved = {house.lender(kind) for kind in kinds}
        found = house.simulate(program)
        if trick is None or getattr(house, liar) not in involved:
            assert found.deltas == (5 - sum(fee_of(kind) for kind in kinds),)
        if hasattr(found, "gas_used"):
            house.run(program)
            assert house.balance(house.a) == before + found.deltas[0]
            for lender in involved:
                assert house.allowance(house.a, lender) == 0
        else:
            assert house.refusal(program).revert == found.revert


def test_p13_registers_are_one_set_over_all_scopes(house):
    inner = house.loan(
        3, FlashKind.AAVE_V3, house.call(4, "answer(uint256,uint256)", 32, 77, capture=Capture(5))
    )
    outer = house.loan(2, FlashKind.MORPHO_BLUE, Load.literal(5, 4, 11), inner)
    after = Math(6, 6, MathFunction.ADD, 4, 5)
    assert house.simulate(house.program(outer, after)).registers[4:7] == (11, 77, 88)


def test_p13_loans_follow_each_other(house):
    with_fees(house)
    loans = [house.loan(10 + place, kind, max_fee=30) for place, kind in enumerate(KINDS)]
    program = house.program(Load.literal(0, 0, AMOUNT), *loans, lines=[Line(house.a, -120)])
    assert house.simulate(program).deltas == (-120,)
    house.run(program)


def test_p13_the_other_side_of_a_pool(house):
    with_fees(house)
    house.mint(house.b, 100)
    loan = house.loan(1, FlashKind.UNISWAP_V3, token=house.b, side=1, max_fee=30)
    program = house.program(Load.literal(0, 0, AMOUNT), loan, lines=[Line(house.b, -30)])
    house.run(program)
    assert house.balance(house.b) == 70
    mistaken = house.loan(1, FlashKind.UNISWAP_V3, token=house.a, side=1, max_fee=30)
    assert house.refusal(house.program(Load.literal(0, 0, AMOUNT), mistaken)).revert.kind != "custom"


@attack("P13", "write what is repaid beyond the declared registers")
def test_p13_a_repaid_register_beyond_the_declared_reverts(house):
    raw = bytearray(assemble(nest(house, [FlashKind.AAVE_V3])))
    raw[2] = 2  # registers declared: the loan writes register 2
    assert house.refusal(bytes(raw)).meaning == "atomic: register"


@pytest.mark.parametrize(
    ("amount", "bps", "fee"),
    [
        (10**12, 5, 5 * 10**8),
        (12_345_678_901, 5, 6_172_840),
        (10**18, 5, 5 * 10**14),
        (12_345_678_901, 1, 1_234_568),
    ],
)
@pytest.mark.parametrize("kind", [FlashKind.AAVE_V3, FlashKind.UNISWAP_V3])
def test_p13_fees_of_the_specification_are_paid_to_the_unit(house, kind, amount, bps, fee):
    house.terms(house.pool, fee_bps=bps)
    house.mint(house.a, amount, house.pool)
    house.mint(house.a, fee)
    loan = house.loan(1, kind, max_fee=fee, repay_register=1)
    program = house.program(Load.literal(0, 0, amount), loan, lines=[Line(house.a, -fee)])
    found = house.simulate(program)
    assert (found.deltas, found.registers[1]) == ((-fee,), amount + fee)
    low = house.loan(1, kind, max_fee=fee - 1, repay_register=1)
    tight = house.program(Load.literal(0, 0, amount), low, lines=[Line(house.a, -fee)])
    assert house.refusal(tight).revert.name == "FeeTooHigh"
