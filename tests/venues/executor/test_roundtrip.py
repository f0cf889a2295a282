"""P23: disassemble inverts assemble, and no bytes whatever make it do anything but refuse."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.venues.executor.golden import PROGRAM
from tests.venues.executor.strategies import programs

from tidegate.venues.executor import ProgramRefused, assemble, disassemble

RAW = assemble(PROGRAM)
SLOW_EXAMPLES = 20_000
DEFAULT = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def attempt(function, value):
    try:
        return function(value), None
    except ProgramRefused as refused:
        return None, refused


def _check_inverse(program):
    raw, refused = attempt(assemble, program)
    if refused is None:
        assert disassemble(raw) == program
    else:
        assert refused.rule == "program size"  # the strategy keeps every other rule


def _check_refusal_or_inverse(raw):
    program, refused = attempt(disassemble, raw)
    if refused is None:
        assert assemble(program) == raw
    else:
        assert 0 <= refused.offset <= max(len(raw), 4096)
        assert refused.rule


@DEFAULT
@given(programs())
def test_p23_every_legal_program_comes_back_from_its_bytes(program):
    _check_inverse(program)


@DEFAULT
@given(st.binary(max_size=400))
@example(b"")
@example(bytes(32))
@example(RAW + b"\0")
@example(RAW[:-1])
def test_p23_random_bytes_are_refused_or_exact(raw):
    _check_refusal_or_inverse(raw)


@DEFAULT
@given(st.lists(st.tuples(st.integers(0, len(RAW) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_p23_a_damaged_program_is_refused_or_exact(damage):
    raw = bytearray(RAW)
    for offset, value in damage:
        raw[offset] = value
    _check_refusal_or_inverse(bytes(raw))


def test_p23_every_truncation_and_every_single_bit_is_refused_or_exact():
    whole = {160, 192}  # after the lines, and after the LOAD: shorter programs, but programs
    for length in set(range(len(RAW))) - whole:
        with pytest.raises(ProgramRefused):
            disassemble(RAW[:length])
    for offset in range(len(RAW)):
        flipped = bytearray(RAW)
        flipped[offset] ^= 1 << offset % 8
        _check_refusal_or_inverse(bytes(flipped))


@pytest.mark.slow
@settings(DEFAULT, max_examples=SLOW_EXAMPLES)
@given(programs())
def test_p23_every_legal_program_comes_back_deep(program):
    _check_inverse(program)


@pytest.mark.slow
@settings(DEFAULT, max_examples=SLOW_EXAMPLES)
@given(st.binary(max_size=4200))
def test_p23_random_bytes_deep(raw):
    _check_refusal_or_inverse(raw)
