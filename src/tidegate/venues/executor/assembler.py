"""From a program to its bytes (``specs/atomic.md`` 4.3), every rule of the format checked."""

from __future__ import annotations

from typing import NoReturn

from tidegate.chain import keccak256
from tidegate.model import Address
from tidegate.venues.executor.program import (
    APPROVALS_PER_FRAME_MAX,
    DATA_MAX_BYTES,
    HEADER_BYTES,
    LINES_MAX,
    NONE,
    OPS_PER_FRAME_MAX,
    PATCHES_MAX,
    PROGRAM_MAX_BYTES,
    REGISTERS_MAX,
    RETURN_WORDS_MAX,
    RUN_ID_BYTES,
    SELECTOR_BYTES,
    TAG_MAX,
    Approve,
    Call,
    Check,
    Comparison,
    Flash,
    FlashKind,
    Load,
    LoadSource,
    Math,
    MathFunction,
    Op,
    Opcode,
    Program,
    Take,
    encoded_sizes,
)
from tidegate.venues.executor.refusal import ProgramRefused

VERSION = 1
FLAG_RUN_ID = 1
FLAG_PAYOUT = 1
FLAG_ZERO_AFTER = 1


def assemble(program: Program) -> bytes:
    """Return the bytes of ``program``; ``disassemble`` gives the same program back.

    Raises
    ------
    ProgramRefused
        With the offset and the rule, if the program breaks a limit or a field does not fit.
    """
    return _Assembler(program).run()


def program_hash(raw: bytes) -> bytes:
    """Return the keccak-256 of a program: the hash in ``Executed`` and on every screen."""
    return keccak256(raw)


def calldata_gas(data: bytes) -> int:
    """Return the gas that ``data`` costs as calldata: 4 a zero byte, 16 any other (EIP-2028)."""
    zeros = data.count(0)
    return 4 * zeros + 16 * (len(data) - zeros)


class _Assembler:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.out = bytearray()
        self.tags: set[int] = set()

    def run(self) -> bytes:
        self._header()
        self._lines()
        self._frame(self.program.ops)
        if len(self.out) > PROGRAM_MAX_BYTES:
            self._refuse("program size", len(self.out), f"at most {PROGRAM_MAX_BYTES} bytes")
        return bytes(self.out)

    def _header(self) -> None:
        program = self.program
        self._number(VERSION, 1, "version")
        self._number(0 if program.run_id is None else FLAG_RUN_ID, 1, "flags")
        self._number(program.registers, 1, "registers", high=REGISTERS_MAX)
        self._number(len(program.lines), 1, "lines", low=1, high=LINES_MAX)
        self._number(program.deadline, 5, "deadline")
        self._number(program.not_before, 5, "not before")
        self._number(program.max_base_fee, 6, "max base fee")
        self._number(program.chain_id, 8, "chain id")
        self._zeros(HEADER_BYTES - len(self.out))
        if program.run_id is not None:
            if len(program.run_id) != RUN_ID_BYTES:
                self._refuse("run id", f"{len(program.run_id)} bytes", f"{RUN_ID_BYTES} bytes")
            self.out += program.run_id

    def _lines(self) -> None:
        before = -1
        for line in self.program.lines:
            token = int.from_bytes(self._address_bytes(line.token))
            if token <= before:
                self._refuse("line order", line.token, "tokens strictly ascending, none twice")
            before = token
            self._address(line.token)
            self._number(FLAG_PAYOUT if line.payout else 0, 1, "line flags")
            self._zeros(11)
            if not -(1 << 255) <= line.floor < 1 << 255:
                self._refuse("floor", line.floor, "a signed 256-bit integer")
            self.out += line.floor.to_bytes(32, signed=True)

    def _frame(self, ops: tuple[Op, ...]) -> None:
        if len(ops) > OPS_PER_FRAME_MAX:
            self._refuse("operations per frame", len(ops), f"at most {OPS_PER_FRAME_MAX}")
        approvals = sum(isinstance(op, Approve) for op in ops)
        if approvals > APPROVALS_PER_FRAME_MAX:
            self._refuse("approvals per frame", approvals, f"at most {APPROVALS_PER_FRAME_MAX}")
        boundaries, jumps = set(), {}
        for op in ops:
            start = len(self.out)
            self._op(op)
            boundaries.add(len(self.out))
            if isinstance(op, Check) and op.skip:
                jumps[len(self.out) + op.skip] = start, op.skip
        for landing, (start, skip) in jumps.items():
            if landing not in boundaries:
                raise ProgramRefused(
                    start, "skip", found=str(skip), allowed="the bytes of whole operations of this frame"
                )

    def _op(self, op: Op) -> None:
        match op:
            case Call():
                self._call(op)
            case Approve():
                self._approve(op)
            case Flash():
                self._flash(op)
            case Load():
                self._load(op)
            case Math():
                self._math(op)
            case Check():
                self._check(op)
            case Take():
                self._start(Opcode.TAKE, op.tag)
                self._register(op.destination)
                self._number(op.word, 1, "word", high=RETURN_WORDS_MAX - 1)
                self._zeros(28)

    def _call(self, op: Call) -> None:
        self._start(Opcode.READ if op.is_read else Opcode.CALL, op.tag)
        self._number(len(op.patches), 1, "patches", high=PATCHES_MAX)
        if op.is_read and op.value_register is not None:
            self._refuse("value of a READ", op.value_register, "no value register")
        self._register(op.value_register)
        self._register(None if op.capture is None else op.capture.register)
        word = 0 if op.capture is None else op.capture.word
        self._number(word, 1, "word", high=RETURN_WORDS_MAX - 1)
        self._number(len(op.data), 2, "data size", low=SELECTOR_BYTES, high=DATA_MAX_BYTES)
        self._address(op.target)
        self.out += op.data
        for patch in op.patches:
            words = (len(op.data) - SELECTOR_BYTES) // 32
            self._number(patch.word, 1, "patched word", high=words - 1)
            self._register(patch.register)

    def _approve(self, op: Approve) -> None:
        self._start(Opcode.APPROVE, op.tag)
        self._address(op.token)
        self._register(op.register)
        self._number(FLAG_ZERO_AFTER if op.zero_after else 0, 1, "approve flags")
        self._zeros(8)
        self._address(op.spender)
        self._zeros(12)

    def _flash(self, op: Flash) -> None:
        self._start(Opcode.FLASH, op.tag)
        self._number(op.kind, 1, "flash kind", low=1, high=max(FlashKind))
        self._address(op.lender)
        self._number(encoded_sizes(op.ops), 2, "scope size")
        self._zeros(7)
        self._address(op.token)
        self._register(op.amount_register)
        self._register(op.repay_register)
        self._number(op.side, 1, "side", high=1 if op.kind == FlashKind.UNISWAP_V3 else 0)
        self._zeros(9)
        self._number(op.max_fee, 32, "max fee")
        self._frame(op.ops)

    def _load(self, op: Load) -> None:
        self._start(Opcode.LOAD, op.tag)
        self._register(op.destination)
        self._number(op.source, 1, "load source", high=max(LoadSource))
        bits = {LoadSource.LITERAL: 224, LoadSource.BALANCE: 160}.get(op.source, 0)
        self._number(op.operand, 28, "operand", high=(1 << bits) - 1)

    def _math(self, op: Math) -> None:
        self._start(Opcode.MATH, op.tag)
        self._register(op.destination)
        self._number(op.function, 1, "math function", high=max(MathFunction))
        self._register(op.a)
        self._register(op.b)
        takes_c = MathFunction(op.function).takes_c
        if op.c is not None and not takes_c:
            self._refuse("third operand", op.c, "none for this function")
        if takes_c:
            self._register(op.c)
        else:
            self._zeros(1)
        self._zeros(9)
        takes_immediate = op.b is None or (takes_c and op.c is None)
        self._number(op.immediate, 16, "immediate", high=None if takes_immediate else 0)

    def _check(self, op: Check) -> None:
        self._start(Opcode.CHECK, op.tag)
        self._number(op.comparison, 1, "comparison", high=max(Comparison))
        self._register(op.a)
        self._register(op.b)
        self._zeros(1)
        self._number(op.bps, 2, "bps", high=None if op.comparison == Comparison.NEAR else 0)
        self._number(op.skip, 2, "skip")
        self._zeros(6)
        self._number(op.immediate, 16, "immediate", high=None if op.b is None else 0)

    def _start(self, opcode: Opcode, tag: int) -> None:
        self.out.append(opcode)
        if tag in self.tags:
            self._refuse("tag", tag, "a tag that no other operation has")
        self.tags.add(tag)
        self._number(tag, 1, "tag", high=TAG_MAX)

    def _register(self, register: int | None) -> None:
        if register is None:
            self.out.append(NONE)
        else:
            self._number(register, 1, "register", high=self.program.registers - 1)

    def _address(self, value: Address) -> None:
        self.out += self._address_bytes(value)

    def _address_bytes(self, value: Address) -> bytes:
        try:
            raw = bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            raw = b""
        if len(raw) != 20:
            self._refuse("address", value, "0x and 40 hex digits")
        return raw

    def _number(self, value: int, size: int, rule: str, *, low: int = 0, high: int | None = None) -> None:
        top = (1 << 8 * size) - 1 if high is None else high
        if not low <= value <= top:
            self._refuse(rule, value, f"{low} to {top}" if top > 0 else "0")
        self.out += value.to_bytes(size)

    def _zeros(self, count: int) -> None:
        self.out += bytes(count)

    def _refuse(self, rule: str, found: object, allowed: str) -> NoReturn:
        raise ProgramRefused(len(self.out), rule, found=str(found), allowed=allowed)
