"""The vectors of specs/atomic.md section 4, on the contract itself."""

import pytest
from tests.hostile.atomic.house import ANSWER, FUNDS, OWNER, STRANGER

from tidegate.chain import encode_call, selector
from tidegate.venues.executor import (
    ArgumentRule,
    Call,
    Capture,
    Change,
    Check,
    Comparison,
    FlashKind,
    Line,
    Load,
    LoadSource,
    Math,
    MathFunction,
    Permission,
    RuleKind,
    Take,
)

MOST = 2**256 - 1


def registers_after(house, *ops):
    """Simulate and return what the registers held at the end."""
    simulated = house.simulate(house.program(*ops, lines=[Line(house.a, -FUNDS)]))
    assert hasattr(simulated, "registers"), simulated
    return simulated.registers


def computed(house, function, a, b, c=1):
    """Compute on chain. Literals hold 224 bits: higher words come from a target."""
    ops = [house.call(tag, ANSWER, 32, number, capture=Capture(tag)) for tag, number in enumerate((a, b, c))]
    third = 2 if function.takes_c else None
    program = house.program(*ops, Math(9, 3, function, 0, 1, third))
    outcome = house.simulate(program)
    return outcome.registers[3] if hasattr(outcome, "registers") else outcome.meaning


F = MathFunction


@pytest.mark.parametrize(
    ("function", "a", "b", "c", "result"),
    [
        (F.MUL_DIV_DOWN, 7, 3, 2, 10),
        (F.MUL_DIV_UP, 7, 3, 2, 11),
        (F.MUL_BPS_DOWN, 12_345, 3_333, 1, 4_114),
        (F.MUL_BPS_UP, 12_345, 3_333, 1, 4_115),
        (F.MUL_WAD_DOWN, 3 * 10**18, 5 * 10**17, 1, 15 * 10**17),
        (F.ADD, 2, 3, 1, 5),
        (F.ADD, MOST - 1, 1, 1, MOST),
        (F.SUBTRACT, 3, 2, 1, 1),
        (F.SUBTRACT, 3, 3, 1, 0),
        (F.SUBTRACT_TO_ZERO, 3, 2, 1, 1),
        (F.SUBTRACT_TO_ZERO, 2, 3, 1, 0),
        (F.MINIMUM, 2, 3, 1, 2),
        (F.MINIMUM, MOST, 3, 1, 3),
        (F.MAXIMUM, 2, 3, 1, 3),
        (F.MAXIMUM, MOST, 3, 1, MOST),
        (F.MUL_DIV_UP, 6, 2, 3, 4),
        (F.MUL_DIV_UP, 1, 1, MOST, 1),
        (F.MUL_DIV_UP, MOST, 1, 2, 2**255),
        (F.MUL_DIV_UP, MOST, 1, 1, MOST),
        (F.MUL_DIV_UP, 0, 5, 7, 0),
        (F.MUL_BPS_UP, 10_000, 5, 1, 5),
        (F.MUL_BPS_UP, 0, 0, 1, 0),
        (F.MUL_WAD_DOWN, 1, 10**18 - 1, 1, 0),
    ],
)
def test_math(house, function, a, b, c, result):
    assert computed(house, function, a, b, c) == result


@pytest.mark.parametrize(
    ("function", "a", "b", "c"),
    [
        (F.ADD, MOST, 1, 1),
        (F.SUBTRACT, 2, 3, 1),
        (F.MUL_DIV_DOWN, 2**128, 2**128, 1),
        (F.MUL_DIV_UP, 7, 3, 0),
        (F.MUL_BPS_DOWN, 2**255, 2, 1),
        (F.MUL_WAD_DOWN, MOST, MOST, 1),
    ],
)
def test_math_that_does_not_fit_reverts(house, function, a, b, c):
    assert computed(house, function, a, b, c) == "reverted without data"


def test_math_takes_an_immediate_for_b_and_for_c(house):
    seven = Load.literal(1, 0, 7)
    by_b = Math(2, 1, F.MUL_BPS_DOWN, 0, None, None, immediate=20_000)
    assert registers_after(house, seven, by_b)[1] == 14
    by_c = Math(2, 1, F.MUL_DIV_UP, 0, 0, None, immediate=2**128 - 1)
    assert registers_after(house, seven, by_c)[1] == 1
    by_both = Math(2, 1, F.MUL_DIV_DOWN, 0, None, None, immediate=3)
    assert registers_after(house, seven, by_both)[1] == 7


@pytest.mark.parametrize(
    ("comparison", "a", "b", "holds"),
    [
        (Comparison.NEAR, 1_005, 1_000, True),
        (Comparison.NEAR, 995, 1_000, True),
        (Comparison.NEAR, 1_006, 1_000, False),
        (Comparison.NEAR, 994, 1_000, False),
        (Comparison.NEAR, 0, 0, True),
        (Comparison.NEAR, 1, 0, False),
        (Comparison.AT_LEAST, 5, 5, True),
        (Comparison.AT_LEAST, 4, 5, False),
        (Comparison.AT_MOST, 5, 5, True),
        (Comparison.AT_MOST, 6, 5, False),
        (Comparison.EQUAL, 5, 5, True),
        (Comparison.EQUAL, 5, 6, False),
    ],
)
@pytest.mark.parametrize("by_register", [True, False])
def test_check(house, comparison, a, b, holds, by_register):
    bps = 50 if comparison is Comparison.NEAR else 0
    right = {"b": 1} if by_register else {"immediate": b}
    loads = (Load.literal(1, 0, a), Load.literal(2, 1, b))
    program = house.program(*loads, Check(3, comparison, 0, bps=bps, **right))
    if holds:
        house.run(program)
    else:
        error = house.refusal(program)
        assert error.revert.name == "CheckFailed"
        assert dict(error.revert.arguments) == {"tag": 3, "left": a, "right": b}


def test_a_false_check_with_skip_leaves_out_that_many_bytes(house):
    optional = Load.literal(3, 1, 99)
    for a, taken in ((4, 0), (5, 99)):
        check = Check(2, Comparison.AT_LEAST, 0, immediate=5, skip=32)
        assert registers_after(house, Load.literal(1, 0, a), check, optional)[1] == taken


def test_load_reads_literals_balances_and_the_block(house):
    house.mint(house.a, 77)
    house.world.set_balance(house.executor, 55)
    highest = 2**224 - 1
    ops = (
        Load.literal(0, 0, highest),
        Load.balance(1, 1, house.a),
        Load(2, 2, LoadSource.BALANCE, 0),
        Load(3, 3, LoadSource.TIME),
        Load(4, 4, LoadSource.BASE_FEE),
        Load(5, 5, LoadSource.GAS_LEFT),
    )
    literal, token, ether, time, base_fee, gas = registers_after(house, *ops)[:6]
    block = house.world.block()
    assert (literal, token, ether) == (highest, 77, 55)
    assert (time, base_fee) == (block.timestamp, block.base_fee_wei)
    assert 0 < gas < 2**63


def test_registers_are_seen_in_a_scope_and_after_it(house):
    kind = FlashKind.AAVE_V3
    inside = (Math(3, 2, F.ADD, 0, 1), house.call(4, "push(address,uint256)", house.a, 9))
    ops = (
        Load.literal(1, 0, 1_000),
        house.loan(2, kind, *inside, register=0, repay_register=1, max_fee=1),
        Math(5, 3, F.ADD, 2, 1),
    )
    house.terms(house.lender(kind), fee_bps=5)
    amount, owed, inner, outer = registers_after(house, *ops)[:4]
    assert (amount, owed, inner, outer) == (1_000, 1_001, 2_001, 3_002)


def loss_of(house, loss):
    return house.program(*house.pull(1, house.a, loss), lines=[Line(house.b, 0)])


def test_loss_limits(house):
    """5 per run and 8 per day: 5 passes; 5 more is refused (day 10); 6 is refused (run)."""
    house.allow(Change.loss_limit(house.a, per_run=5, per_day=8))
    house.mint(house.a, 100)
    error = house.refusal(loss_of(house, 6))
    assert dict(error.revert.arguments) == {"token": house.a, "run": 6, "day": 6}
    house.run(loss_of(house, 5))
    error = house.refusal(loss_of(house, 5))
    assert error.revert.name == "LossTooHigh"
    assert dict(error.revert.arguments) == {"token": house.a, "run": 5, "day": 10}
    house.run(loss_of(house, 3))
    day = house.world.block().timestamp // 86_400
    assert house.view("lost", "uint256", house.a) == day << 128 | 8


def test_the_day_of_losses_ends_at_midnight_utc_and_gains_do_not_refund(house):
    house.allow(Change.loss_limit(house.a, per_run=5, per_day=5))
    house.mint(house.a, 100)
    midnight = (house.world.block().timestamp // 86_400 + 1) * 86_400
    house.world.mine(timestamp=midnight - 3)
    house.run(loss_of(house, 5))
    house.run(house.program(house.call(1, "push(address,uint256)", house.a, 50)))
    assert house.world.block().timestamp == midnight - 1
    assert house.simulate(loss_of(house, 1)).revert.name == "LossTooHigh"
    house.world.mine(timestamp=midnight)
    house.run(loss_of(house, 5))


def test_the_packed_loss_limit():
    change = Change.loss_limit(OWNER, per_run=2 * 10**18, per_day=5 * 10**18)
    assert change.word == 0x80000000000000004563918244F4000000000000000000001BC16D674EC80000


def test_the_packed_policy_words(house):
    """The words of section 4.6 are what the contract judges by, argument by argument."""
    rules = lambda *pairs: tuple(ArgumentRule(*pair) for pair in pairs)  # noqa: E731
    me, anyone = (RuleKind.EXECUTOR, 3), (RuleKind.RECIPIENT, 0)
    words = {
        0x2010000000000000011: Permission(call=True, result_boolean=True, rules=rules(anyone)),
        0x104030203010000000000000001: Permission(
            call=True, rules=rules((RuleKind.ASSET, 0), (RuleKind.ASSET, 1), me)
        ),
        0x103840281010000000000000001: Permission(
            call=True,
            rules=rules((RuleKind.PIN, 0, 32), (RuleKind.PIN, 1, 128), (RuleKind.EXECUTOR, 2)),
        ),
        0x10485030000000000000001: Permission(call=True, rules=rules((RuleKind.PIN, 2, 160), me)),
        0x105400203010000000000000001: Permission(
            call=True, rules=rules((RuleKind.ASSET, 0), (RuleKind.CAP, 1, 64), (RuleKind.EXECUTOR, 4))
        ),
    }
    for word, permission in words.items():
        assert permission.word == word
    borrow = "borrow(address,uint256,uint256,uint16,address)"
    house.allow(
        Change.policy(house.target, selector(borrow), words[0x105400203010000000000000001]),
        Change.asset(house.a),
        Change.cap(64, 1_000),
    )
    good = (house.a, 1_000, 2, 0, house.executor)
    house.run(house.program(Call(1, house.target, encode_call(borrow, *good))))
    for rule, bad in enumerate([(house.b, *good[1:]), (house.a, 1_001, *good[2:]), (*good[:4], STRANGER)]):
        error = house.refusal(house.program(Call(1, house.target, encode_call(borrow, *bad))))
        assert error.rule == 16 + rule


def test_take_keeps_one_more_word(house):
    step = house.call(1, ANSWER, 96, 40, capture=Capture(0))
    assert registers_after(house, step, Take(2, 1, 2), Take(3, 2, 1))[:3] == (40, 42, 41)


@pytest.mark.parametrize("side", [0, 1])
def test_either_token_of_a_pool_is_borrowed_at_its_own_fee(house, side):
    """Side 1 is token1: the amount, the fee and the repayment are its own."""
    token = (house.a, house.b)[side]
    house.mint(token, 5)
    house.terms(house.pool, fee_bps=5)
    loan = house.loan(
        2, FlashKind.UNISWAP_V3, house.call(3, ANSWER, 32, 1), token=token, side=side, max_fee=5
    )
    house.run(house.program(Load.literal(1, 0, 10_000), loan, lines=[Line(token, -5)]))
    assert house.balance(token) == 0
    assert house.balance(token, house.pool) == FUNDS + 5
