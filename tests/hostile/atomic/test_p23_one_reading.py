"""P23: what the contract would run is not signed unless it has exactly one reading.

``tests/venues/executor/test_roundtrip.py`` holds that disassemble inverts assemble; here an attacker has
bytes that the contract takes, and wants them signed although another program reads the same.
"""

import pytest
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import ANSWER

from tidegate.venues.executor import (
    Check,
    Comparison,
    Load,
    LoadSource,
    Math,
    MathFunction,
    ProgramRefused,
    Take,
    assemble,
    disassemble,
    program_hash,
)

OPS_AT = 32 + 64
UNREAD = {
    "a balance's upper bytes": (lambda house: Load.balance(0, 0, house.a), 4),
    "a clock's operand": (lambda house: Load(0, 0, LoadSource.TIME), 31),
    "zeros of arithmetic": (lambda house: Math(0, 0, MathFunction.ADD, 0), 8),
    "zeros of a check": (lambda house: Check(0, Comparison.EQUAL, 0), 5),
}
"""Bytes of ops that the contract never looks at, to save their gas."""


@attack("P23", "hide bytes where the contract does not look", stops="not signed: ProgramRefused")
@pytest.mark.parametrize("name", UNREAD)
def test_p23_bytes_that_the_contract_ignores_are_not_signed(house, name):
    op, at = UNREAD[name]
    clean = assemble(house.program(op(house)))
    raw = bytearray(clean)
    raw[OPS_AT + at] = 1
    house.run(bytes(raw))  # the contract runs it
    disassemble(clean)
    with pytest.raises(ProgramRefused):
        disassemble(bytes(raw))


@attack("P23", "hide bytes behind a captured word", stops="not signed: ProgramRefused")
def test_p23_zeros_of_a_take_are_read(house):
    clean = assemble(house.program(house.call(0, ANSWER, 64, 1), Take(1, 0, 1)))
    raw = bytearray(clean)
    raw[-1] = 1
    house.run(bytes(raw))
    with pytest.raises(ProgramRefused):
        disassemble(bytes(raw))


def test_p23_the_hash_is_of_the_bytes(house):
    raw = assemble(house.program(Load.literal(0, 0, 1)))
    assert program_hash(assemble(disassemble(raw))) == program_hash(raw)
