"""``simulate`` walks the path of ``execute`` and reports it, by a revert that changes nothing."""

import pytest
from tests.hostile.atomic.house import ANSWER, OPERATOR, OWNER, PUSH, STRANGER, TREASURY, Action

from tidegate.chain import decode_output
from tidegate.model import ZERO_ADDRESS
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    Capture,
    Change,
    Check,
    Comparison,
    FlashKind,
    Line,
    Load,
    assemble,
    decode_error,
    encode_execute,
    encode_simulate,
)


def trace(simulated):
    return [entry.tag for entry in simulated.trace]


def test_deltas_are_those_of_the_run(house):
    house.mint(house.b, 50)
    program = house.program(
        house.call(1, PUSH, house.a, 7),
        *house.pull(2, house.b, 30),
        lines=[Line(ZERO_ADDRESS, 0), Line(house.a, 7, payout=True), Line(house.b, -30)],
    )
    simulated = house.simulate(program)
    assert simulated.deltas == (0, 7, -30)
    before = [house.balance(token) for token in (house.a, house.b)]
    house.run(program)
    assert house.balance(house.a, TREASURY) == 7
    assert [house.balance(token) for token in (house.a, house.b)] == [before[0], before[1] - 30]


def test_registers_are_those_declared(house):
    program = house.program(Load.literal(1, 2, 9), registers=4)
    assert house.simulate(program).registers == (0, 0, 9, 0)
    assert house.simulate(house.program(registers=0)).registers == ()


def test_the_trace_names_frames_and_steps_in_order(house):
    inner = house.loan(4, FlashKind.MORPHO_BLUE, house.call(5, ANSWER, 32, 1))
    outer = house.loan(2, FlashKind.AAVE_V3, house.call(3, ANSWER, 32, 1), inner)
    program = house.program(Load.literal(1, 0, 100), outer, house.call(254, ANSWER, 32, 1))
    simulated = house.simulate(program)
    assert trace(simulated) == [None, 1, 2, None, 3, 4, None, 5, 254]
    left = {entry.tag: entry.gas_left for entry in simulated.trace if entry.tag is not None}
    assert left[1] > left[2] > left[254]
    assert left[3] > left[4] > left[5]


@pytest.mark.parametrize(("steps", "kept"), [(0, 1), (7, 8), (8, 9), (100, 101)])
def test_the_trace_is_as_long_as_the_run(house, steps, kept):
    program = house.program(*(Load.literal(tag, 0, 1) for tag in range(steps)))
    assert trace(house.simulate(program)) == [None, *range(steps)]
    assert len(house.simulate(program).trace) == kept


def test_the_trace_holds_the_longest_program(house):
    """4,096 bytes hold 125 ops of 32 bytes at most: with the frame 126 entries of 128."""
    program = house.program(*(Load.literal(tag, 0, 1) for tag in range(125)))
    assert len(assemble(program)) == 4_096
    assert trace(house.simulate(program)) == [None, *range(125)]


def test_skipped_steps_are_not_in_the_trace(house):
    check = Check(2, Comparison.AT_LEAST, 0, immediate=5, skip=32)
    program = house.program(Load.literal(1, 0, 4), check, Load.literal(3, 1, 1), Load.literal(4, 1, 1))
    assert trace(house.simulate(program)) == [None, 1, 2, 4]


def test_gas_used_spans_entry_to_settlement(house):
    small, large = (house.program(*(house.call(t, ANSWER, 32, 1) for t in range(n))) for n in (1, 20))
    used = [house.simulate(program).gas_used for program in (small, large)]
    assert 0 < used[0] < used[1]
    first = house.simulate(large).trace[0]
    last = house.simulate(large).trace[-1]
    assert first.gas_left - last.gas_left < used[1]


def test_it_changes_nothing_not_even_when_its_revert_is_caught(house):
    """Not the run id, not the day's losses, not the lock: a run may follow in the same transaction."""
    house.allow(Change.loss_limit(house.a, per_run=5, per_day=5))
    house.mint(house.a, 5)
    program = house.program(*house.pull(1, house.a, 5), lines=[Line(house.a, -5)], run_id=bytes(31) + b"\x01")
    raw = assemble(program)
    house.send(house.executor, "tighten((uint256,bytes32,uint256)[])", [tighten_operator()], sender=OWNER)
    house.allow(operator(house.puppet))
    simulation, run = (Action(house.executor, data) for data in (encode_simulate(raw), encode_execute(raw)))
    house.play(simulation, simulation, run, run)
    assert house.outcomes() == [False, False, True, False]
    assert house.reasons()[3] == "atomic: run id used"
    assert house.balance(house.a) == 0


def tighten_operator():
    return (7, bytes(12) + bytes.fromhex(OPERATOR[2:]), 0)


def operator(account):
    return Change(7, bytes(12) + bytes.fromhex(account[2:]), 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda house: house.program(house.call(1, PUSH, house.a, 6), lines=[Line(house.a, 7)]),
        lambda house: house.program(house.call(1, "calls()")),
        lambda house: house.program(house.call(1, ANSWER, 31, 1, capture=Capture(0))),
        lambda house: house.program(deadline=1),
        lambda house: house.program(Load.literal(1, 0, 4), Check(2, Comparison.EQUAL, 0, immediate=5)),
    ],
)
def test_it_refuses_what_execute_refuses_with_the_same_bytes(house, make):
    program = assemble(make(house))
    reasons = []
    for encode in (encode_simulate, encode_execute):
        with pytest.raises(WorldReverted) as caught:
            house.world.call(house.executor, encode(program), sender=OPERATOR)
        reasons.append(caught.value.data)
    assert reasons[0] == reasons[1]


def test_it_takes_value_as_execute_does(house):
    house.world.set_balance(house.executor, 0)
    program = house.program(lines=[Line(ZERO_ADDRESS, 0)])
    assert house.simulate(program, value=5).deltas == (0,)


def test_it_is_for_the_operator_alone(house):
    data = encode_simulate(assemble(house.program()))
    assert house.refused_call(data, sender=STRANGER) == "atomic: role"


def test_the_error_is_plain_abi(house):
    with pytest.raises(WorldReverted) as caught:
        house.world.call(
            house.executor, encode_simulate(assemble(house.program(registers=2))), sender=OPERATOR
        )
    data = caught.value.data
    assert data[:4].hex() == "1d5e4497"
    gas, deltas, registers, words = decode_output(("uint256", "int256[]", "uint256[]", "uint256[]"), data[4:])
    assert (list(deltas), list(registers), len(words)) == ([0], [0, 0], 1)
    assert words[0] >> 24 == 255
    assert words[0] & 0xFFFFFF == (words[0] & 0xFFFFFFFF) - (255 << 24)
    assert gas > 0
    assert decode_error(data).revert.name == "Simulated"
