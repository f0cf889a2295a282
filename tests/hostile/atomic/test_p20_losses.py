"""P20: loss limits hold whatever lines the operator wrote; days roll at 00:00 UTC; unwind is exempt."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import KEEP, OWNER, PUSH, RESCUER

from tidegate.model import ZERO_ADDRESS
from tidegate.venues.executor import (
    GUARDED_MAX,
    Change,
    FlashKind,
    Line,
    Load,
    encode_schedule,
    encode_tighten,
)

DAY_S = 86_400


def guard(house, token, *, per_run, per_day):
    house.allow(Change.loss_limit(token, per_run=per_run, per_day=per_day))


def lose(house, amount, *, token=None):
    """A program that loses ``amount``, whose own lines would allow anything."""
    steps = house.pull(0, token or house.a, amount)
    return house.program(*steps, lines=[Line(house.a, -(2**200))])


def too_high(house, program, run, day, **call):
    error = house.refusal(program, **call)
    assert error.revert.name == "LossTooHigh"
    values = dict(error.revert.arguments)
    assert (values["run"], values["day"]) == (run, day)


def at_noon(house, day):
    """Move to noon of the ``day``-th day from a fixed one."""
    house.world.mine(timestamp=(30_000 + day) * DAY_S + DAY_S // 2)


@pytest.fixture
def guarded(house):
    house.mint(house.a, 10_000)
    house.mint(house.b, 10_000)
    guard(house, house.a, per_run=5, per_day=8)
    at_noon(house, 0)
    return house


@attack("P20", "lose one unit more than the run's and the day's limit")
def test_p20_vectors(guarded):
    """5 per run and 8 per day: 5 passes, 5 more would make 10 that day, 6 is more than a run may."""
    house = guarded
    too_high(house, lose(house, 6), 6, 6)
    house.run(lose(house, 5))
    too_high(house, lose(house, 5), 5, 10)
    house.run(lose(house, 3))
    too_high(house, lose(house, 1), 1, 9)


@attack("P20", "spread a loss over midnight in another zone")
def test_p20_a_day_is_a_utc_day(guarded):
    house = guarded
    house.run(lose(house, 5))
    house.world.mine(timestamp=30_001 * DAY_S - 2)
    too_high(house, lose(house, 5), 5, 10)  # in the block of 23:59:59
    house.run(lose(house, 5))  # in the block of 00:00:00
    too_high(house, lose(house, 5), 5, 10)
    assert house.view("lost", "uint256", house.a) == 30_001 << 128 | 5


def test_p20_a_run_that_loses_nothing_is_under_no_limit(guarded):
    """Not even one that was lowered below what the day has lost already; and it books nothing."""
    house = guarded
    house.run(lose(house, 5))
    lower = Change.loss_limit(house.a, per_run=1, per_day=1)
    house.world.transact(house.executor, encode_tighten([lower]), sender=OWNER)
    booked = house.view("lost", "uint256", house.a)
    house.run(house.program())
    at_noon(house, 1)
    house.run(house.program())
    assert house.view("lost", "uint256", house.a) == booked


@attack("P20", "gain first, to lose more")
def test_p20_gains_do_not_refund(guarded):
    house = guarded
    house.run(lose(house, 5))
    house.run(house.program(house.call(0, PUSH, house.a, 100)))
    too_high(house, lose(house, 5), 5, 10)


def test_p20_a_loss_and_a_gain_in_one_run_are_one_delta(guarded):
    house = guarded
    both = house.program(
        *house.pull(0, house.a, 100), house.call(9, PUSH, house.a, 95), lines=[Line(house.b, 0)]
    )
    house.run(both)
    assert house.view("lost", "uint256", house.a) & (1 << 128) - 1 == 5


@attack("P20", "leave the losing token out of the lines")
def test_p20_leaving_the_token_out_of_the_lines_changes_nothing(guarded):
    house = guarded
    for lines in ([Line(house.b, 0)], [Line(ZERO_ADDRESS, 0)]):
        too_high(house, house.program(*house.pull(0, house.a, 6), lines=lines), 6, 6)


@attack("P20", "lose inside a loan")
def test_p20_a_loss_inside_a_loan_counts(guarded):
    house = guarded
    inside = house.loan(20, FlashKind.MORPHO_BLUE, *house.pull(0, house.a, 6))
    too_high(house, house.program(Load.literal(19, 0, 1_000), inside, lines=[Line(house.b, 0)]), 6, 6)


@attack("P20", "book losses by runs that revert")
def test_p20_a_run_that_reverts_books_nothing(guarded):
    house = guarded
    house.refusal(house.program(*house.pull(0, house.a, 5), lines=[Line(house.a, 0)]))
    house.simulate(lose(house, 5))
    assert house.view("lost", "uint256", house.a) == 0
    house.run(lose(house, 5))


@attack("P20", "simulate what would lose too much")
def test_p20_a_simulation_finds_the_same(guarded):
    house = guarded
    assert house.simulate(lose(house, 6)).revert.name == "LossTooHigh"
    assert house.simulate(lose(house, 5)).deltas == (-5,)


def test_p20_unwind_is_exempt_and_books_nothing(guarded):
    house = guarded
    house.run(lose(house, 5_000), sender=RESCUER)
    assert house.view("lost", "uint256", house.a) == 0
    house.run(lose(house, 5))


@attack("P20", "lose one token on another's limit")
def test_p20_each_token_has_its_own_limit(guarded):
    house = guarded
    house.run(lose(house, 5_000, token=house.b))
    guard(house, house.b, per_run=0, per_day=0)
    too_high(house, lose(house, 1, token=house.b), 1, 1)
    house.run(lose(house, 5))


@attack("P20", "lose ETH")
def test_p20_ether_is_guarded_too(guarded):
    """What came with the call was there before, so sending it on is a loss."""
    house = guarded
    guard(house, ZERO_ADDRESS, per_run=10, per_day=10)
    send = (Load.literal(0, 0, 11), house.call(1, KEEP, 0, 0, value_register=0))
    program = house.program(*send, lines=[Line(ZERO_ADDRESS, -11)])
    too_high(house, program, 11, 11, value=11)
    ten = (Load.literal(0, 0, 10), house.call(1, KEEP, 0, 0, value_register=0))
    house.run(house.program(*ten, lines=[Line(ZERO_ADDRESS, -10)]), value=11)


def test_p20_a_payout_is_no_loss(guarded):
    house = guarded
    gain = house.call(0, PUSH, house.a, 100)
    house.run(house.program(gain, lines=[Line(house.a, 100, payout=True)]))
    assert house.view("lost", "uint256", house.a) == 0


@attack("P20", "raise a limit at once")
def test_p20_limits_are_lowered_at_once_and_raised_by_the_delay_alone(guarded):
    house = guarded

    def tighten(per_run, per_day):
        change = Change.loss_limit(house.a, per_run=per_run, per_day=per_day)
        return encode_tighten([change])

    for loose in ((6, 8), (5, 9), (6, 1), (1, 9)):
        assert house.refused_call(tighten(*loose), sender=OWNER) == "atomic: loosens"
    house.world.transact(house.executor, tighten(4, 8), sender=OWNER)
    too_high(house, lose(house, 5), 5, 5)
    house.run(lose(house, 4))
    house.world.transact(house.executor, tighten(0, 0), sender=OWNER)
    too_high(house, lose(house, 1), 1, 5)


@attack("P20", "guard a ninth token")
def test_p20_eight_tokens_are_guarded_and_no_ninth(house):
    tokens = [
        ZERO_ADDRESS,
        house.a,
        house.b,
        house.target,
        house.pool,
        house.morpho,
        house.balancer,
        house.puppet,
    ]
    assert len(tokens) == GUARDED_MAX
    for token in tokens:
        guard(house, token, per_run=1, per_day=1)
    guard(house, tokens[3], per_run=2, per_day=2)  # the same token again is no ninth
    ninth = Change.loss_limit(house.accomplice, per_run=1, per_day=1)
    assert house.refused_call(encode_schedule([ninth]), sender=OWNER) == "atomic: inadmissible"
    house.allow(Change.unguard(tokens[3]))
    house.allow(ninth)
    assert house.view("guarded_count", "uint256") == 8


@attack("P20", "guard and unguard in every order, to lose a guard")
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(moves=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=14))
def test_p20_the_guarded_set_is_a_set(house, moves):
    """Guarding and unguarding in any order: the list, the count and the limits tell one story."""
    tokens = [ZERO_ADDRESS, house.a, house.b, house.target, house.pool, house.morpho]
    with house.world.snapshot():
        expected = set()
        for add, place in moves:
            token = tokens[place]
            if add:
                guard(house, token, per_run=place, per_day=place)
                expected.add(token)
            elif token in expected:
                house.allow(Change.unguard(token))
                expected.discard(token)
            else:
                wanted = encode_schedule([Change.unguard(token)])
                assert house.refused_call(wanted, sender=OWNER) == "atomic: inadmissible"
            count = house.view("guarded_count", "uint256")
            listed = [house.view("guarded", "address", index) for index in range(8)]
            assert count == len(expected)
            assert set(listed[:count]) == expected
            assert set(listed[count:]) <= {ZERO_ADDRESS}
            for token in tokens:
                assert (house.view("limits", "uint256", token) != 0) is (token in expected)


@attack("P20", "unguard one token, lose another")
def test_p20_an_unguarded_token_is_free_and_a_guarded_one_still_is_not(guarded):
    house = guarded
    guard(house, house.b, per_run=3, per_day=3)
    house.allow(Change.unguard(house.a))
    house.run(lose(house, 5_000))
    too_high(house, lose(house, 4, token=house.b), 4, 4)
    house.run(lose(house, 3, token=house.b))
