"""The golden program of the specification: our bytes are the very bytes that it states."""

from dataclasses import replace

from tests.venues.executor.golden import CALLDATA_GAS, KECCAK, PROGRAM, SIZE_BYTES

from tidegate.venues.executor import assemble, calldata_gas, disassemble, encoded_sizes, program_hash

RAW = assemble(PROGRAM)


def test_size_hash_and_calldata_gas():
    assert len(RAW) == SIZE_BYTES
    assert program_hash(RAW).hex() == KECCAK
    assert calldata_gas(RAW) == CALLDATA_GAS


def test_words_that_the_specification_prints():
    header, first_op = RAW[:32], 32 + 2 * 64
    assert header.hex() == "0100040200713fb30000000000000009502f9000000000000000000100000000"
    assert RAW[first_op : first_op + 32].hex() == (
        "0500000000000000000000000000000000000000000000004563918244f40000"
    )
    flash = first_op + 32
    assert RAW[flash : flash + 32].hex() == "040504bbbbbbbbbb9cc5e90e3b3af64bdaf62c37eeffcb028200000000000000"
    last_call = len(RAW) - 28 - 228 - 2
    assert RAW[last_call : last_call + 32].hex() == (
        "010401ff030000e468b3465833fb72a70ecdf485e0e4c7bd8665fc4504e45aaf"
    )
    assert RAW[-2:].hex() == "0402"


def test_it_comes_apart_into_what_was_put_in():
    assert disassemble(RAW) == PROGRAM
    assert encoded_sizes(PROGRAM.ops) == SIZE_BYTES - 32 - 2 * 64
    assert encoded_sizes(PROGRAM.ops[1].ops) == 642


def test_one_changed_number_is_another_hash():
    other = replace(PROGRAM, deadline=PROGRAM.deadline + 1)
    assert program_hash(assemble(other)) != program_hash(RAW)
