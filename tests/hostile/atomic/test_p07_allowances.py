"""P7: after success no allowance is left, for any pair in the trace, lenders included."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import PULL, PULLED, PUSH, TRICKS, Action

from tidegate.chain import encode_call
from tidegate.venues.executor import Approve, Change, FlashKind, Line, Load, assemble

AMOUNT = 10_000
KINDS = list(FlashKind)


def left(house):
    spenders = (house.target, house.pool, house.morpho, house.balancer, house.puppet)
    return [house.allowance(token, spender) for token in (house.a, house.b) for spender in spenders]


@pytest.mark.parametrize("zero_after", [False, True])
def test_p7_what_is_pulled_whole_leaves_nothing(house, zero_after):
    house.mint(house.a, 100)
    steps = house.pull(0, house.a, 100, zero_after=zero_after)
    house.run(house.program(*steps, lines=[Line(house.a, -100)]))
    assert set(left(house)) == {0}


@attack("P7", "pull less than was approved")
def test_p7_a_rest_is_found_or_reset(house):
    house.mint(house.a, 100)
    rest = (Load.literal(0, 0, 100), Approve(1, house.a, house.target, 0), house.call(2, PULL, house.a, 99))
    lines = [Line(house.a, -100)]
    error = house.refusal(house.program(*rest, lines=lines))
    assert (error.revert.name, error.revert.arguments) == (
        "AllowanceLeft",
        (("token", house.a), ("spender", house.target)),
    )
    reset = (rest[0], Approve(1, house.a, house.target, 0, zero_after=True), rest[2])
    house.run(house.program(*reset, lines=lines))
    assert set(left(house)) == {0}


@attack("P7", "leave an allowance in a scope for a later frame")
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_p7_a_rest_is_found_in_the_frame_that_left_it(house, depth):
    """The check stands at the end of each frame, so the outer one can not repair the inner."""
    approve = Approve(1, house.a, house.target, 0)
    op = house.loan(50, KINDS[0], Load.literal(0, 0, 100), approve, register=1)
    for level in range(1, depth):
        op = house.loan(50 + level, KINDS[level], op, register=1)
    repair = (Load.literal(60, 0, 0), Approve(61, house.a, house.target, 0))
    program = house.program(Load.literal(49, 1, 10), op, *repair)
    assert house.refusal(program).revert.name == "AllowanceLeft"


@attack(
    "P7",
    "pull as a lender once the loan is over",
    stops="its allowance is zero",
)
@pytest.mark.parametrize("kind", KINDS)
def test_p7_the_lender_is_left_nothing(house, kind):
    house.terms(house.lender(kind), fee_bps=30)
    earn = house.call(2, PUSH, house.a, 100)
    house.run(house.program(Load.literal(0, 0, AMOUNT), house.loan(1, kind, earn, max_fee=30)))
    assert set(left(house)) == {0}


@attack("P7", "be lender and spender of one token, to keep the rest")
@pytest.mark.parametrize("kind", PULLED)
def test_p7_a_lender_that_is_also_a_spender_is_left_nothing_either(house, kind):
    """Approved by a step and by the repayment: the second sets, it does not add."""
    lender = house.lender(kind)
    house.allow(Change.spender(lender))
    approve = (Load.literal(1, 1, 5_000), Approve(2, house.a, lender, 1))
    program = house.program(Load.literal(0, 0, AMOUNT), house.loan(3, kind), *approve)
    assert house.refusal(program).revert.name == "AllowanceLeft"
    inside = house.program(Load.literal(0, 0, AMOUNT), house.loan(3, kind, *approve))
    assert house.refusal(inside).revert.name == "AllowanceLeft"
    house.run(house.program(Load.literal(0, 0, AMOUNT), house.loan(3, kind)))


@attack("P7", "borrow a token whose allowance never falls")
@pytest.mark.parametrize("kind", PULLED)
def test_p7_a_token_whose_allowance_stays_is_not_borrowed(house, kind):
    house.quirk(house.a, "sticky")
    program = house.program(Load.literal(0, 0, AMOUNT), house.loan(1, kind))
    assert house.refusal(program).revert.name == "AllowanceLeft"


@attack("P7", "approve a token whose allowance never falls")
def test_p7_a_token_whose_allowance_stays_needs_the_reset(house):
    house.quirk(house.a, "sticky")
    house.mint(house.a, 10)
    lines = [Line(house.a, -10)]
    assert (
        house.refusal(house.program(*house.pull(0, house.a, 5), lines=lines)).revert.name == "AllowanceLeft"
    )
    house.run(house.program(*house.pull(0, house.a, 5, zero_after=True), lines=lines))
    assert set(left(house)) == {0}


@attack("P7", "take, after a run, what it may have left approved")
def test_p7_nothing_is_left_for_the_next_one_to_take(house):
    """The standing approvals of Furucombo: after a run the spender can pull nothing."""
    house.mint(house.a, 100)
    house.allow(Change.spender(house.puppet))
    house.run(
        house.program(
            Load.literal(0, 0, 100),
            Approve(1, house.a, house.puppet, 0, zero_after=True),
            lines=[Line(house.a, 0)],
        )
    )
    theft = encode_call("transferFrom(address,address,uint256)", house.executor, house.puppet, 1)
    house.play(Action(house.a, theft))
    assert house.outcomes() == [False]
    assert house.balance(house.a) == 100


@attack("P7", "make a ninth approval, that no end of frame would check")
def test_p7_nine_approvals_in_a_frame_are_too_many(house):
    eight = [Approve(tag, house.a, house.target, 0) for tag in range(8)]
    program = assemble(house.program(*eight))
    house.run(program)
    ninth = bytearray(program[-64:])
    ninth[1] = 8
    assert house.refusal(program + bytes(ninth)).meaning == "atomic: malformed"


@attack("P7", "fuzz approvals and pulls for an allowance that is left")
@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=5
    ),
    kind=st.sampled_from([None, *KINDS]),
    trick=st.sampled_from([None, "pulls less", *TRICKS]),
)
def test_p7_fuzzed_success_leaves_nothing(house, steps, kind, trick):
    with house.world.snapshot():
        for token in (house.a, house.b):
            house.mint(token, 1_000)
        ops = []
        for place, (name, approved, pulled, zero_after) in enumerate(steps):
            token = getattr(house, name)
            ops += [
                Load.literal(3 * place, 1, approved),
                Approve(3 * place + 1, token, house.target, 1, zero_after=zero_after),
                house.call(3 * place + 2, PULL, token, pulled),
            ]
        if kind is not None:
            house.terms(house.lender(kind), fee_bps=1, trick=trick)
            ops = [Load.literal(90, 0, AMOUNT), house.loan(91, kind, *ops, max_fee=10)]
        lines = [Line(house.a, -20_000), Line(house.b, -20_000)]
        program = house.program(*ops, lines=lines)
        if hasattr(house.simulate(program), "gas_used"):
            house.run(program)
            assert set(left(house)) == {0}
