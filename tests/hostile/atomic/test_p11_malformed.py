"""P11: bytes that are no program revert, whatever they are, and nothing has happened."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import ANSWER, KEEP, OPERATOR, PUSH, deploy_double

from tidegate.chain import encode_call
from tidegate.model import ZERO_ADDRESS
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    OPS_PER_FRAME_MAX,
    PROGRAM_MAX_BYTES,
    Approve,
    Call,
    Capture,
    Check,
    Comparison,
    FlashKind,
    Line,
    Load,
    LoadSource,
    Math,
    MathFunction,
    ProgramRefused,
    Take,
    assemble,
    disassemble,
    encode_execute,
)

OPS_AT = 32 + 64
MALFORMED = "atomic: malformed"
EMPTY = "reverted without data"
FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def full(house):
    """One program with every kind of op, which lands."""
    return house.program(
        Load.literal(0, 0, 100),
        house.loan(
            1,
            FlashKind.MORPHO_BLUE,
            house.call(2, PUSH, house.a, 5),
            house.call(3, "look(uint256,uint256)", 64, 7, is_read=True, capture=Capture(2)),
            Take(4, 3, 1),
            Check(5, Comparison.EQUAL, 2, immediate=8, skip=32),
            Math(6, 4, MathFunction.ADD, 2, 3),
        ),
        Approve(7, house.a, house.target, 5),
        Load(8, 6, LoadSource.TIME),
        lines=[Line(house.a, 0), Line(house.b, 0)],
    )


def test_the_full_program_lands(house):
    house.run(full(house))
    assert house.balance(house.a) == 5


@attack("P11", "cut a program at every byte")
def test_p11_every_truncation_reverts_or_is_a_shorter_program(house):
    raw = assemble(full(house))
    for length in range(len(raw)):
        cut = raw[:length]
        try:
            disassemble(cut)
        except ProgramRefused:
            assert house.refusal(cut).meaning in (MALFORMED, EMPTY)


@attack("P11", "add bytes behind a program")
@pytest.mark.parametrize("tail", [b"\0", b"\1", bytes(27), bytes(32), b"\5" * 31, bytes(64)])
def test_p11_every_extension_reverts(house, tail):
    assert house.refusal(assemble(full(house)) + tail).meaning in (MALFORMED, EMPTY)


@attack("P11", "shift a scope's end over its neighbours")
@pytest.mark.parametrize("shift", [-96, -65, -33, -32, -1, 1, 2, 31, 32, 63, 65, 4096, 60_000])
def test_p11_a_scope_that_overlaps_its_neighbours_reverts(house, shift):
    raw = bytearray(assemble(full(house)))
    at = OPS_AT + 64 + 32 + 23
    raw[at : at + 2] = (int.from_bytes(raw[at : at + 2]) + shift & 0xFFFF).to_bytes(2)
    before = house.state()
    with pytest.raises(WorldReverted):
        house.run(bytes(raw))
    assert house.state() == before


@attack("P11", "send ops 0 and 9 to 255")
@pytest.mark.parametrize("op", [0, *range(9, 256)])
def test_p11_ops_that_do_not_exist_revert(house, op):
    raw = bytearray(assemble(house.program(Load.literal(0, 0, 1))))
    raw[OPS_AT] = op
    assert house.refusal(bytes(raw)).meaning == MALFORMED


@attack("P11", "set bits of header and lines that mean nothing")
@pytest.mark.parametrize(
    ("at", "values"),
    [
        (0, [0, 2, 255]),  # version
        (1, [2, 4, 128]),  # flags
        (2, [17, 255]),  # registers
        (3, [0, 9, 255]),  # lines
        (28, [1]), (31, [1]),  # zeros of the header
        (32 + 20, [2, 255]), (32 + 21, [1]), (32 + 31, [1]),  # flags and zeros of a line
    ],
)  # fmt: skip
def test_p11_a_header_or_line_with_other_bits_reverts(house, at, values):
    for value in values:
        raw = bytearray(assemble(house.program()))
        raw[at] = value
        assert house.refusal(bytes(raw)).meaning == MALFORMED


@attack("P11", "name a token twice, to be paid twice")
def test_p11_lines_ascend(house):
    eight = sorted((deploy_double(house.world, "token") for _ in range(7)), key=lambda token: int(token, 16))
    house.run(house.program(lines=[Line(token, 0) for token in (ZERO_ADDRESS, *eight)]))
    raw = assemble(house.program(lines=[Line(house.a, 0), Line(house.b, 0)]))
    first, second = raw[32:96], raw[96:160]
    house.run(raw)
    for lines in (second + first, first + first, first + bytes(64)):
        assert house.refusal(raw[:32] + lines).meaning == MALFORMED


@attack("P11", "name registers, functions and sources that do not exist")
@pytest.mark.parametrize(
    ("op", "at", "value", "reason"),
    [
        (Load.literal(0, 0, 1), 3, 5, MALFORMED),
        (Load.literal(0, 0, 1), 3, 255, MALFORMED),
        (Math(0, 0, MathFunction.ADD, 0), 3, 10, MALFORMED),
        (Check(0, Comparison.EQUAL, 0), 2, 4, MALFORMED),
        (Load.literal(0, 0, 1), 2, 15, "atomic: register"),
        (Load.literal(0, 0, 1), 2, 255, "atomic: register"),
        (Math(0, 0, MathFunction.ADD, 0), 2, 8, "atomic: register"),
        (Math(0, 0, MathFunction.ADD, 0), 4, 16, EMPTY),
        (Math(0, 0, MathFunction.ADD, 0, 0), 5, 200, EMPTY),
        (Check(0, Comparison.EQUAL, 0), 3, 16, EMPTY),
    ],
)
def test_p11_fields_out_of_range_revert(house, op, at, value, reason):
    raw = bytearray(assemble(house.program(op, registers=8)))
    house.run(bytes(raw))
    raw[OPS_AT + at] = value
    assert house.refusal(bytes(raw)).meaning == reason


@attack("P11", "set patches, registers, capture and length of a step beyond what is there")
@pytest.mark.parametrize("at", [2, 3, 4, 5, 6])
def test_p11_a_step_with_wild_fields_reverts(house, at):
    """Patches, registers, capture word, length: none may reach beyond what is there."""
    step = house.call(0, ANSWER, 0, 0, capture=Capture(0) if at == 5 else None)
    raw = bytearray(assemble(house.program(step, registers=8)))
    raw[OPS_AT + at] = 0 if at in (3, 4) else 9
    if at == 3:
        house.run(bytes(raw))  # value 0 from register 0: the entry allows value
        raw[OPS_AT + at] = 16
    before = house.state()
    with pytest.raises(WorldReverted):
        house.run(bytes(raw))
    assert house.state() == before


@attack("P11", "send a step without selector, or longer than its buffer")
@pytest.mark.parametrize("length", [0, 1, 3, 1_029, 2_000, 65_535])
def test_p11_data_has_a_selector_and_at_most_1028_bytes(house, length):
    raw = bytearray(assemble(house.program(Call(0, house.target, encode_call(KEEP, 0, 0) + bytes(960)))))
    house.run(bytes(raw))
    raw[OPS_AT + 6 : OPS_AT + 8] = length.to_bytes(2)
    assert house.refusal(bytes(raw) + bytes(1_100)).meaning in (MALFORMED, EMPTY)


@attack("P11", "send a step one byte longer than its buffer")
def test_p11_the_longest_data_is_taken_and_a_byte_more_is_not(house):
    longest = encode_call(KEEP, 5, 6) + bytes(960)
    assert len(longest) == 1_028
    program = assemble(house.program(Call(0, house.target, longest)))
    house.run(program)
    raw = bytearray(program) + b"\0"
    raw[OPS_AT + 6 : OPS_AT + 8] = (1_029).to_bytes(2)
    assert house.refusal(bytes(raw)).meaning == MALFORMED


@attack("P11", "skip into the middle of an op, or out of the program")
@pytest.mark.parametrize("skip", [1, 31, 33, 63, 65, 4_096, 65_535])
def test_p11_a_skip_beyond_the_frame_or_into_an_op_reverts(house, skip):
    check = Check(0, Comparison.EQUAL, 0, immediate=1, skip=32)
    raw = bytearray(assemble(house.program(check, Load.literal(1, 0, 2), Load.literal(2, 0, 3))))
    house.run(bytes(raw))
    raw[OPS_AT + 8 : OPS_AT + 10] = skip.to_bytes(2)
    with pytest.raises(WorldReverted):
        house.run(bytes(raw))


@attack("P11", "skip out of a scope")
def test_p11_a_skip_does_not_leave_its_scope(house):
    check = Check(2, Comparison.EQUAL, 0, immediate=1, skip=32)
    raw = bytearray(
        assemble(
            house.program(
                house.loan(1, FlashKind.MORPHO_BLUE, check, Load.literal(3, 0, 0)), Load.literal(4, 0, 0)
            )
        )
    )
    house.run(bytes(raw))
    at = OPS_AT + 96 + 8
    raw[at : at + 2] = (64).to_bytes(2)
    assert house.refusal(bytes(raw)).meaning == MALFORMED


def many(count):
    return b"".join(bytes([5, place % 255, 0, 0]) + bytes(28) for place in range(count))


@attack("P11", "send 129 ops")
def test_p11_129_ops_revert(house):
    """No op is shorter than 32 bytes, so in the 4,096-byte build size binds before the count of 128."""
    head = assemble(house.program())
    fits = (PROGRAM_MAX_BYTES - len(head)) // 32
    assert fits < OPS_PER_FRAME_MAX
    house.run(head + many(fits))
    for count in (fits + 1, OPS_PER_FRAME_MAX + 1):
        assert house.refusal(head + many(count)).meaning == EMPTY


@attack("P11", "send 4,097 bytes")
def test_p11_a_program_of_4097_bytes_reverts_at_the_door(house):
    raw = assemble(house.program()) + bytes(PROGRAM_MAX_BYTES + 1)
    with pytest.raises(WorldReverted) as caught:
        house.world.transact(house.executor, encode_execute(raw[: PROGRAM_MAX_BYTES + 1]), sender=OPERATOR)
    assert caught.value.data == b""


@attack("P11", "send random bytes")
@FUZZ
@given(raw=st.binary(max_size=200))
def test_p11_random_bytes_revert(house, raw):
    before = house.state()
    with pytest.raises(WorldReverted):
        house.run(raw)
    assert house.state() == before


@attack("P11", "damage up to five bytes of a full program")
@FUZZ
@given(damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
def test_p11_a_damaged_program_reverts_or_stays_within_policy_and_bounds(house, damage):
    raw = bytearray(assemble(full(house)))
    for offset, value in damage:
        raw[offset % len(raw)] = value
    with house.world.snapshot():
        held = house.balance(house.a), house.balance(house.b)
        try:
            house.run(bytes(raw))
        except WorldReverted:
            return
        assert house.balance(house.a) >= held[0] - 2**248  # the floor itself may be what was damaged
        assert house.allowance(house.a, house.target) == 0
