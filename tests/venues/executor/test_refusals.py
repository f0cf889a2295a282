"""Every rule of the format: what breaks it is refused with the offset and the rule's name."""

from dataclasses import replace

import pytest
from tests.venues.executor.golden import PROGRAM, ROUTER, USDC, WETH

from tidegate.chain import address
from tidegate.model import Reason, TidegateError
from tidegate.venues.executor import (
    APPROVALS_PER_FRAME_MAX,
    DATA_MAX_BYTES,
    OPS_PER_FRAME_MAX,
    Approve,
    Call,
    Capture,
    Check,
    Comparison,
    Flash,
    FlashKind,
    Line,
    Load,
    LoadSource,
    Math,
    MathFunction,
    Patch,
    Program,
    ProgramRefused,
    Take,
    assemble,
    disassemble,
)

OPS_AT = 32 + 64
PLAIN = Program(
    chain_id=1, deadline=2, max_base_fee=3, registers=2, lines=(Line(WETH, 0),), ops=(), run_id=None
)
DATA = bytes.fromhex("a9059cbb") + bytes(64)


def with_ops(*ops):
    return replace(PLAIN, ops=ops)


def flash(**changes):
    return replace(Flash(0, FlashKind.AAVE_V3, ROUTER, WETH, 0, ()), **changes)


CALL = Call(0, ROUTER, DATA)
REFUSED = {
    "registers": (replace(PLAIN, registers=17), "registers", 2),
    "no line": (replace(PLAIN, lines=()), "lines", 3),
    "nine lines": (replace(PLAIN, lines=tuple(Line(address(i), 0) for i in range(9))), "lines", 3),
    "deadline": (replace(PLAIN, deadline=2**40), "deadline", 4),
    "negative deadline": (replace(PLAIN, deadline=-1), "deadline", 4),
    "not before": (replace(PLAIN, not_before=2**40), "not before", 9),
    "base fee": (replace(PLAIN, max_base_fee=2**48), "max base fee", 14),
    "chain id": (replace(PLAIN, chain_id=2**64), "chain id", 20),
    "run id": (replace(PLAIN, run_id=bytes(31)), "run id", 32),
    "line twice": (replace(PLAIN, lines=(Line(WETH, 0), Line(WETH, 1))), "line order", 96),
    "lines descend": (replace(PLAIN, lines=(Line(WETH, 0), Line(USDC, 0))), "line order", 96),
    "floor": (replace(PLAIN, lines=(Line(WETH, 2**255),)), "floor", 64),
    "line address": (replace(PLAIN, lines=(Line("0x12", 0),)), "address", 32),
    "no address": (with_ops(replace(CALL, target="somewhere")), "address", OPS_AT + 8),
    "tag 255": (with_ops(replace(CALL, tag=255)), "tag", OPS_AT + 1),
    "tag twice": (with_ops(CALL, CALL), "tag", OPS_AT + 28 + 68 + 1),
    "tag twice over scopes": (with_ops(flash(ops=(CALL,))), "tag", OPS_AT + 97),
    "sixteen patches": (with_ops(replace(CALL, patches=(Patch(0, 0),) * 16)), "patches", OPS_AT + 2),
    "value of a read": (
        with_ops(replace(CALL, is_read=True, value_register=0)),
        "value of a READ",
        OPS_AT + 3,
    ),
    "value register": (with_ops(replace(CALL, value_register=2)), "register", OPS_AT + 3),
    "capture register": (with_ops(replace(CALL, capture=Capture(2))), "register", OPS_AT + 4),
    "capture word": (with_ops(replace(CALL, capture=Capture(0, 8))), "word", OPS_AT + 5),
    "short data": (with_ops(replace(CALL, data=b"abc")), "data size", OPS_AT + 6),
    "long data": (with_ops(replace(CALL, data=bytes(DATA_MAX_BYTES + 1))), "data size", OPS_AT + 6),
    "patch beyond data": (
        with_ops(replace(CALL, patches=(Patch(2, 0),))),
        "patched word",
        OPS_AT + 28 + 68,
    ),
    "patch register": (with_ops(replace(CALL, patches=(Patch(1, 2),))), "register", OPS_AT + 28 + 68 + 1),
    "approve register": (with_ops(Approve(0, WETH, ROUTER, 2)), "register", OPS_AT + 22),
    "nine approvals": (
        with_ops(*(Approve(tag, WETH, ROUTER, 0) for tag in range(APPROVALS_PER_FRAME_MAX + 1))),
        "approvals per frame",
        OPS_AT,
    ),
    "129 operations": (
        with_ops(*(Load.literal(tag, 0, 1) for tag in range(OPS_PER_FRAME_MAX + 1))),
        "operations per frame",
        OPS_AT,
    ),
    "flash kind": (with_ops(flash(kind=6)), "flash kind", OPS_AT + 2),
    "amount register": (with_ops(flash(amount_register=2)), "register", OPS_AT + 52),
    "repay register": (with_ops(flash(repay_register=2)), "register", OPS_AT + 53),
    "side of Aave": (with_ops(flash(side=1)), "side", OPS_AT + 54),
    "side 2": (with_ops(flash(kind=FlashKind.UNISWAP_V3, side=2)), "side", OPS_AT + 54),
    "max fee": (with_ops(flash(max_fee=2**256)), "max fee", OPS_AT + 64),
    "literal": (with_ops(Load.literal(0, 0, 2**224)), "operand", OPS_AT + 4),
    "load source": (with_ops(Load(0, 0, 5)), "load source", OPS_AT + 3),
    "operand of time": (with_ops(Load(0, 0, LoadSource.TIME, 1)), "operand", OPS_AT + 4),
    "load register": (with_ops(Load.literal(0, 2, 1)), "register", OPS_AT + 2),
    "math function": (with_ops(Math(0, 0, 10, 0)), "math function", OPS_AT + 3),
    "math register a": (with_ops(Math(0, 0, MathFunction.ADD, 2)), "register", OPS_AT + 4),
    "third operand": (with_ops(Math(0, 0, MathFunction.ADD, 0, 1, 1)), "third operand", OPS_AT + 6),
    "immediate that nothing takes": (
        with_ops(Math(0, 0, MathFunction.ADD, 0, 1, immediate=5)),
        "immediate",
        OPS_AT + 16,
    ),
    "long immediate": (
        with_ops(Math(0, 0, MathFunction.ADD, 0, immediate=2**128)),
        "immediate",
        OPS_AT + 16,
    ),
    "comparison": (with_ops(Check(0, 4, 0)), "comparison", OPS_AT + 2),
    "bps of another comparison": (with_ops(Check(0, Comparison.EQUAL, 0, bps=1)), "bps", OPS_AT + 6),
    "bps": (with_ops(Check(0, Comparison.NEAR, 0, bps=65_536)), "bps", OPS_AT + 6),
    "immediate of a check": (
        with_ops(Check(0, Comparison.EQUAL, 0, 1, immediate=1)),
        "immediate",
        OPS_AT + 16,
    ),
    "skip into an operation": (
        with_ops(Check(0, Comparison.EQUAL, 0, skip=16), Load.literal(1, 0, 1)),
        "skip",
        OPS_AT,
    ),
    "skip beyond the frame": (
        with_ops(Check(0, Comparison.EQUAL, 0, skip=64), Load.literal(1, 0, 1)),
        "skip",
        OPS_AT,
    ),
    "take word": (with_ops(Take(0, 0, 8)), "word", OPS_AT + 3),
    "take register": (with_ops(Take(0, 2, 0)), "register", OPS_AT + 2),
    "4,097 bytes": (
        with_ops(*(Call(tag, ROUTER, bytes(1000)) for tag in range(4))),
        "program size",
        OPS_AT + 4 * 1028,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_program_that_breaks_a_rule_is_not_assembled(name):
    program, rule, offset = REFUSED[name]
    with pytest.raises(ProgramRefused) as caught:
        assemble(program)
    assert (caught.value.rule, caught.value.offset) == (rule, offset)
    assert caught.value.reason is Reason.PROGRAM_REFUSED
    assert caught.value.found is not None
    assert caught.value.allowed is not None


def test_the_neighbours_of_the_refused_are_legal():
    assert len(assemble(PLAIN)) == OPS_AT
    for program in (
        replace(PLAIN, registers=16, deadline=2**40 - 1, max_base_fee=2**48 - 1, chain_id=2**64 - 1),
        replace(PLAIN, lines=tuple(Line(address(i), -(2**255)) for i in range(8))),
        replace(PLAIN, run_id=bytes(32), not_before=2**40 - 1),
        with_ops(replace(CALL, tag=254, patches=(Patch(1, 1),) * 15, capture=Capture(1, 7))),
        with_ops(replace(CALL, data=bytes(DATA_MAX_BYTES))),
        with_ops(replace(CALL, data=DATA[:4])),
        with_ops(*(Approve(tag, WETH, ROUTER, 1, zero_after=True) for tag in range(8))),
        with_ops(*(Load.literal(tag, 0, 1) for tag in range(OPS_PER_FRAME_MAX // 2))),
        with_ops(flash(kind=FlashKind.UNISWAP_V3, side=1, max_fee=2**256 - 1, repay_register=1)),
        with_ops(Load.literal(0, 1, 2**224 - 1), Load.balance(1, 0, WETH)),
        with_ops(Math(0, 0, MathFunction.MUL_DIV_UP, 1, 1, None, immediate=2**128 - 1)),
        with_ops(Check(0, Comparison.NEAR, 0, bps=65_535, skip=32), Take(1, 1, 7)),
    ):
        assert disassemble(assemble(program)) == program


def damaged(offset, value, raw=None):
    raw = bytearray(assemble(PROGRAM) if raw is None else raw)
    raw[offset] = value
    return bytes(raw)


GOLDEN_OPS_AT = 32 + 2 * 64
FLASH_AT = GOLDEN_OPS_AT + 32
BYTES_REFUSED = {
    "no bytes": (b"", "truncated header", 0),
    "version 0": (damaged(0, 0), "version", 0),
    "version 2": (damaged(0, 2), "version", 0),
    "reserved flag": (damaged(1, 2), "canonical form", 1),
    "17 registers": (damaged(2, 17), "registers", 2),
    "no line": (damaged(3, 0), "lines", 3),
    "nine lines": (damaged(3, 9), "lines", 3),
    "header tail": (damaged(28, 1), "canonical form", 28),
    "line flags": (damaged(32 + 20, 2), "canonical form", 52),
    "line zeros": (damaged(32 + 21, 1), "canonical form", 53),
    "operation 0": (damaged(GOLDEN_OPS_AT, 0), "operation", GOLDEN_OPS_AT),
    "operation 9": (damaged(GOLDEN_OPS_AT, 9), "operation", GOLDEN_OPS_AT),
    "load source 5": (damaged(GOLDEN_OPS_AT + 3, 5), "load source", GOLDEN_OPS_AT + 3),
    "flash kind 0": (damaged(FLASH_AT + 2, 0), "flash kind", FLASH_AT + 2),
    "flash kind 6": (damaged(FLASH_AT + 2, 6), "flash kind", FLASH_AT + 2),
    "longer scope": (damaged(FLASH_AT + 24, 0x83), "truncated scope", FLASH_AT + 96),
    "shorter scope": (damaged(FLASH_AT + 24, 0x81), "truncated data and patches", 700),
    "flash zeros": (damaged(FLASH_AT + 31, 1), "canonical form", FLASH_AT + 31),
    "flash second zeros": (damaged(FLASH_AT + 63, 1), "canonical form", FLASH_AT + 63),
    "amount register none": (damaged(FLASH_AT + 52, 255), "register", FLASH_AT + 52),
    "approve flags": (damaged(FLASH_AT + 96 + 23, 2), "canonical form", FLASH_AT + 96 + 23),
    "approve zeros": (damaged(FLASH_AT + 96 + 63, 1), "canonical form", FLASH_AT + 96 + 63),
    "call data size 3": (damaged(FLASH_AT + 96 + 64 + 7, 3), "data size", FLASH_AT + 96 + 64 + 6),
    "one byte more": (assemble(PROGRAM) + b"\0", "operation", 930),
    "one operation cut": (assemble(PROGRAM)[:-1], "truncated scope", FLASH_AT + 96),
    "4,097 bytes": (bytes(4097), "program size", 4096),
}


@pytest.mark.parametrize("name", BYTES_REFUSED)
def test_bytes_that_are_no_program_are_refused(name):
    raw, rule, offset = BYTES_REFUSED[name]
    with pytest.raises(ProgramRefused) as caught:
        disassemble(raw)
    assert (caught.value.rule, caught.value.offset) == (rule, offset)


def test_a_word_without_capture_is_not_canonical():
    raw = assemble(with_ops(CALL))
    with pytest.raises(ProgramRefused, match="canonical form"):
        disassemble(damaged(OPS_AT + 5, 1, raw))


def test_a_third_operand_byte_of_a_function_of_two_is_not_canonical():
    raw = assemble(with_ops(Math(0, 0, MathFunction.ADD, 0, 1)))
    with pytest.raises(ProgramRefused, match="canonical form"):
        disassemble(damaged(OPS_AT + 6, 1, raw))


def test_the_error_is_of_the_house():
    with pytest.raises(TidegateError) as caught:
        disassemble(b"\x01")
    record = caught.value.as_record()
    assert record["code"] == "program_refused"
    assert caught.value.exit_code == 10
