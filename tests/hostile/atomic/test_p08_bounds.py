"""P8: after success each delta is at least its floor, and the payout at most the gain."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ANSWER,
    KEEP,
    OPERATOR,
    PAY,
    PUSH,
    TRANSFER,
    TREASURY,
    Action,
)

from tidegate.chain import encode_call, event_topic
from tidegate.model import ZERO_ADDRESS
from tidegate.venues.executor import (
    Call,
    Change,
    Check,
    Comparison,
    FlashKind,
    Line,
    Load,
    Math,
    MathFunction,
    Patch,
    Take,
    assemble,
    decode_executed,
    encoded_sizes,
    program_hash,
)

FUZZ = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def too_low(house, program, token, delta, floor, **call):
    error = house.refusal(program, **call)
    assert error.revert.name == "DeltaTooLow"
    assert error.revert.arguments == (("token", token), ("delta", delta), ("floor", floor))


@attack("P8", "gain one unit less than the floor")
@pytest.mark.parametrize(("gain", "floor", "lands"), [(100, 100, True), (100, 101, False), (0, 1, False)])
def test_p8_a_floor_of_a_gain(house, gain, floor, lands):
    program = house.program(house.call(0, PUSH, house.a, gain), lines=[Line(house.a, floor)])
    if lands:
        house.run(program)
    else:
        too_low(house, program, house.a, gain, floor)


@attack("P8", "spend one unit more than the floor")
@pytest.mark.parametrize(("spent", "floor", "lands"), [(100, -100, True), (100, -99, False), (0, 0, True)])
def test_p8_a_floor_of_a_spend(house, spent, floor, lands):
    house.mint(house.a, 1_000)
    program = house.program(*house.pull(0, house.a, spent), lines=[Line(house.a, floor)])
    if lands:
        house.run(program)
    else:
        too_low(house, program, house.a, -spent, floor)


@attack("P8", "pass off the call's own ETH as a gain")
def test_p8_ether_counts_what_came_with_the_call(house):
    spend = (Load.literal(0, 0, 60), house.call(1, KEEP, 0, 0, value_register=0))
    program = house.program(*spend, lines=[Line(ZERO_ADDRESS, -60)])
    house.run(program, value=60)
    tighter = house.program(*spend, lines=[Line(ZERO_ADDRESS, -59)])
    too_low(house, tighter, ZERO_ADDRESS, -60, -59, value=60)
    gained = house.program(house.call(0, PAY, 7), lines=[Line(ZERO_ADDRESS, 7)])
    house.run(gained, value=100)
    too_low(house, house.program(lines=[Line(ZERO_ADDRESS, 1)]), ZERO_ADDRESS, 0, 1, value=100)


@attack("P8", "break a later bound after an earlier line's payout")
def test_p8_lines_are_judged_in_their_order_before_anything_is_paid_out(house):
    """A gain in the first line is not paid while the second falls short."""
    lines = [Line(house.a, 0, payout=True), Line(house.b, 1)]
    too_low(house, house.program(house.call(0, PUSH, house.a, 5), lines=lines), house.b, 0, 1)
    assert house.balance(house.a, TREASURY) == 0


@attack("P8", "pass off what was there before as a gain")
def test_p8_a_donation_during_the_run_is_a_gain_and_before_it_is_not(house):
    house.mint(house.a, 10)
    donate = encode_call("mint(address,uint256)", house.executor, 10)
    house.teach(Action(house.a, donate, swallow=False))
    house.run(house.program(house.poke(0), lines=[Line(house.a, 10)]))
    house.mint(house.a, 10)
    too_low(house, house.program(lines=[Line(house.a, 1)]), house.a, 0, 1)


@attack("P8", "count a transfer to the executor itself as a gain")
def test_p8_a_transfer_to_oneself_gains_nothing(house):
    house.mint(house.a, 500)
    to_self = Call(0, house.a, encode_call(TRANSFER, house.executor, 500))
    house.run(house.program(to_self, lines=[Line(house.a, 0)]))
    too_low(house, house.program(to_self, lines=[Line(house.a, 1)]), house.a, 0, 1)


def test_p8_the_first_lines_delta_is_what_the_event_says(house):
    lines = [Line(house.a, 0), Line(house.b, 0, payout=True)]
    program = house.program(house.call(0, PUSH, house.b, 5), house.call(1, PUSH, house.a, 3), lines=lines)
    (run,) = decode_executed(house.run(program).logs, house.executor)
    assert (run.delta, run.caller) == (3, OPERATOR)
    assert run.program_hash == program_hash(assemble(program))


@attack(
    "P8",
    "have more than the gain paid out",
    stops="the gain is measured, and the rest stays",
)
@pytest.mark.parametrize("token_name", ["a", "eth"])
def test_p8_the_payout_is_the_gain_and_no_more(house, token_name):
    token = ZERO_ADDRESS if token_name == "eth" else house.a
    if token_name == "a":
        house.mint(house.a, 1_000)
    else:
        house.world.set_balance(house.executor, 1_000)
    gain = house.call(0, PAY, 40) if token_name == "eth" else house.call(0, PUSH, house.a, 40)
    before, held = house.balance(token, TREASURY), house.balance(token)
    house.run(house.program(gain, lines=[Line(token, 40, payout=True)]))
    assert house.balance(token, TREASURY) - before == 40
    assert house.balance(token) == held
    house.run(house.program(lines=[Line(token, 0, payout=True)]))
    assert house.balance(token) == held


@attack(
    "P8",
    "have a loss paid out to the treasury",
    stops="a gain above zero alone is paid out",
)
def test_p8_a_loss_is_not_paid_out(house):
    house.mint(house.a, 100)
    house.run(house.program(*house.pull(0, house.a, 30), lines=[Line(house.a, -30, payout=True)]))
    assert (house.balance(house.a), house.balance(house.a, TREASURY)) == (70, 0)


def test_p8_nothing_is_sent_where_nothing_was_gained(house):
    house.allow(Change.treasury(house.puppet))
    house.teach(Action(house.a, b""))
    house.run(house.program(lines=[Line(ZERO_ADDRESS, 0, payout=True)]))
    assert house.outcomes() == []  # the treasury was not even called
    house.run(house.program(house.call(0, PAY, 5), lines=[Line(ZERO_ADDRESS, 0, payout=True)]))
    assert len(house.outcomes()) == 1


@attack("P8", "let the treasury refuse ETH")
def test_p8_a_treasury_that_refuses_ether_reverts_the_run_until_payout_is_dropped(house):
    house.send(house.puppet, "refuse_ether(bool)", True)
    house.allow(Change.treasury(house.puppet))
    gain = house.call(0, PAY, 5)
    paying = house.program(gain, lines=[Line(ZERO_ADDRESS, 0, payout=True)])
    assert house.refusal(paying).meaning == "atomic: transfer"
    house.run(house.program(gain, lines=[Line(ZERO_ADDRESS, 0)]))


@attack("P8", "block the treasury in a token")
def test_p8_a_token_that_blocks_the_treasury_reverts_the_payout_alone(house):
    house.quirk(house.a, "unpayable", TREASURY)
    gain = house.call(0, PUSH, house.a, 5)
    paying = house.program(gain, lines=[Line(house.a, 0, payout=True)])
    assert house.refusal(paying).meaning == "token: blocked"
    nothing_to_pay = house.program(lines=[Line(house.a, 0, payout=True)])
    house.run(nothing_to_pay)  # a gain of zero is not sent: no token is asked to move nothing
    house.run(house.program(gain, lines=[Line(house.a, 0)]))


@attack("P8", "fuzz flows, floors, duplicates and payouts")
@FUZZ
@given(
    pushed=st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)),
    pulled=st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)),
    floors=st.tuples(st.integers(-1_000, 1_000), st.integers(-1_000, 1_000)),
    payouts=st.tuples(st.booleans(), st.booleans()),
    held=st.integers(0, 2_000),
    donated=st.integers(0, 500),
)
def test_p8_fuzzed(house, pushed, pulled, floors, payouts, held, donated):
    with house.world.snapshot():
        tokens = (house.a, house.b)
        ops = []
        donate = encode_call("mint(address,uint256)", house.executor, donated)
        house.teach(Action(house.a, donate, swallow=False))
        for place, token in enumerate(tokens):
            house.mint(token, 1_000 + held)
            ops += house.pull(10 * place, token, pulled[place])
            ops.append(house.call(10 * place + 5, PUSH, token, pushed[place]))
        ops.append(house.poke(30))
        deltas = [pushed[0] - pulled[0] + donated, pushed[1] - pulled[1]]
        lines = [Line(token, floors[i], payout=payouts[i]) for i, token in enumerate(tokens)]
        program = house.program(*ops, lines=lines)
        before = [house.balance(token) for token in tokens]
        if any(delta < floor for delta, floor in zip(deltas, floors, strict=True)):
            assert house.refusal(program).revert.name == "DeltaTooLow"
            return
        house.run(program)
        for place, token in enumerate(tokens):
            paid = max(deltas[place], 0) if payouts[place] else 0
            assert house.balance(token) == before[place] + deltas[place] - paid
            assert house.balance(token, TREASURY) == paid


def between(house):
    """Ops of every kind that could stand between a CHECK and the end."""
    return {
        "call": house.call(20, ANSWER, 32, 0),
        "read": house.call(21, "look(uint256,uint256)", 32, 0, is_read=True),
        "load": Load.literal(22, 3, 10**20),
        "balance": Load.balance(23, 0, house.a),
        "math": Math(24, 0, MathFunction.MAXIMUM, 3, immediate=10**20),
        "check": Check(25, Comparison.AT_LEAST, 3),
        "skip": Check(26, Comparison.EQUAL, 3, immediate=2**100),  # skips all that is left
        "take": Take(27, 0, 0),
        "patched": house.call(28, ANSWER, 32, 0, patches=(Patch(1, 3),)),
        "loan": house.loan(29, FlashKind.MORPHO_BLUE, register=2),
        "self transfer": Call(30, house.a, encode_call(TRANSFER, house.executor, 0)),
    }


NAMES = [
    "call", "read", "load", "balance", "math", "check", "skip", "take", "patched", "loan", "self transfer",
]  # fmt: skip


@attack("F12", "every op, fuzzed, between CHECK and settlement")
@FUZZ
@given(order=st.lists(st.sampled_from(NAMES), max_size=5, unique=True))
def test_p8_no_later_op_takes_a_bound_back(house, order):
    """Abracadabra: a later no-op reset the solvency flag. Here nothing after a step can."""
    with house.world.snapshot():
        house.mint(house.a, 100)
        ops = between(house)
        steps = [
            house.call(40, "look(uint256,uint256)", 32, 0, is_read=True),
            *(ops[name] for name in order),
            Load.literal(41, 4, 1),
        ]
        for place, step in enumerate(steps):
            if step == ops["skip"]:
                steps[place] = replace(step, skip=encoded_sizes(steps[place + 1 :]))
        loss = house.pull(10, house.a, 100)
        program = house.program(*loss, *steps, lines=[Line(house.a, -99)])
        too_low(house, program, house.a, -100, -99)


def test_the_event_stands_alone_per_run(house):
    house.run(house.program(house.call(0, ANSWER, 0, 0)))
    receipt = house.run(house.program(house.call(0, ANSWER, 0, 0)))
    ours = [log for log in receipt.logs if log.address == house.executor]
    assert [log.topics[0] for log in ours] == [event_topic("Executed(bytes32,address,int256)")]
