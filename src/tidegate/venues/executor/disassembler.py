"""From bytes to the program they are; bytes in any other than the canonical form are refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn, TypeVar

from tidegate.chain import address
from tidegate.model import Address
from tidegate.venues.executor.assembler import FLAG_PAYOUT, FLAG_RUN_ID, FLAG_ZERO_AFTER, VERSION, assemble
from tidegate.venues.executor.program import (
    HEADER_BYTES,
    LINE_BYTES,
    LINES_MAX,
    NONE,
    PROGRAM_MAX_BYTES,
    RUN_ID_BYTES,
    SELECTOR_BYTES,
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
    Op,
    Opcode,
    Patch,
    Program,
    Take,
)
from tidegate.venues.executor.refusal import ProgramRefused

_Kind = TypeVar("_Kind", bound=IntEnum)


def disassemble(raw: bytes) -> Program:
    """Return the program that ``raw`` is: ``assemble`` of the answer is ``raw`` again, always.

    Raises
    ------
    ProgramRefused
        With offset and rule, for every other input: nothing else is ever raised.
    """
    raw = bytes(raw)
    if len(raw) > PROGRAM_MAX_BYTES:
        raise ProgramRefused(
            PROGRAM_MAX_BYTES,
            "program size",
            found=f"{len(raw)} bytes",
            allowed=f"at most {PROGRAM_MAX_BYTES} bytes",
        )
    program = _Reader(raw).program()
    again = assemble(program)
    if again != raw:
        offset = next(i for i, (ours, theirs) in enumerate(zip(again, raw, strict=True)) if ours != theirs)
        raise ProgramRefused(
            offset, "canonical form", found=f"0x{raw[offset]:02x}", allowed=f"0x{again[offset]:02x}"
        )
    return program


@dataclass
class _Reader:
    """Reads what stands there; all that ``assemble`` would not write is left for the comparison."""

    raw: bytes
    cursor: int = 0

    def program(self) -> Program:
        self._need(HEADER_BYTES, len(self.raw), "header")
        self._exactly("version", VERSION)
        flags = self._number(1)
        registers, lines = self._number(1), self._number(1)
        if not 1 <= lines <= LINES_MAX:
            self.cursor -= 1
            self._refuse("lines", lines, f"1 to {LINES_MAX}")
        deadline, not_before = self._number(5), self._number(5)
        max_base_fee, chain_id = self._number(6), self._number(8)
        self.cursor = HEADER_BYTES
        run_id = None
        if flags & FLAG_RUN_ID:
            self._need(RUN_ID_BYTES, len(self.raw), "run id")
            run_id = self._take(RUN_ID_BYTES)
        return Program(
            chain_id=chain_id,
            deadline=deadline,
            max_base_fee=max_base_fee,
            registers=registers,
            lines=tuple(self._line() for _ in range(lines)),
            ops=self._frame(len(self.raw)),
            not_before=not_before,
            run_id=run_id,
        )

    def _line(self) -> Line:
        self._need(LINE_BYTES, len(self.raw), "line")
        token, flags = self._address(), self._number(1)
        self.cursor += 11
        return Line(token, int.from_bytes(self._take(32), signed=True), payout=bool(flags & FLAG_PAYOUT))

    def _frame(self, end: int) -> tuple[Op, ...]:
        ops = []
        while self.cursor < end:
            ops.append(self._op(end))
        return tuple(ops)

    def _op(self, end: int) -> Op:
        start = self.cursor
        opcode = self._enum(Opcode, "operation")
        size = {Opcode.CALL: 28, Opcode.READ: 28, Opcode.APPROVE: 64, Opcode.FLASH: 96}.get(opcode, 32)
        self.cursor = start
        self._need(size, end, "operation")
        self.cursor = start + 2
        tag = self.raw[start + 1]
        match opcode:
            case Opcode.CALL | Opcode.READ:
                op: Op = self._call(tag, opcode is Opcode.READ, end)
            case Opcode.APPROVE:
                op = self._approve(tag)
            case Opcode.FLASH:
                return self._flash(tag, end)
            case Opcode.LOAD:
                op = self._load(tag)
            case Opcode.MATH:
                op = self._math(tag)
            case Opcode.CHECK:
                op = self._check(tag)
            case Opcode.TAKE:
                op = Take(tag, destination=self._number(1), word=self._number(1))
                self.cursor = start + 32
        return op

    def _call(self, tag: int, is_read: bool, end: int) -> Call:
        count, value_register = self._number(1), self._register()
        captured, word = self._register(), self._number(1)
        length, target = self._number(2), self._address()
        if length < SELECTOR_BYTES:
            self.cursor -= 22
            self._refuse("data size", length, f"at least {SELECTOR_BYTES}")
        self._need(length + 2 * count, end, "data and patches")
        return Call(
            tag,
            target,
            data=self._take(length),
            patches=tuple(Patch(self._number(1), self._number(1)) for _ in range(count)),
            capture=None if captured is None else Capture(captured, word),
            value_register=value_register,
            is_read=is_read,
        )

    def _approve(self, tag: int) -> Approve:
        token, register, flags = self._address(), self._number(1), self._number(1)
        self.cursor += 8
        spender = self._address()
        self.cursor += 12
        return Approve(tag, token, spender, register, zero_after=bool(flags & FLAG_ZERO_AFTER))

    def _flash(self, tag: int, end: int) -> Flash:
        kind, lender, scope = self._enum(FlashKind, "flash kind"), self._address(), self._number(2)
        self.cursor += 7
        token, amount_register, repay_register = self._address(), self._number(1), self._register()
        side = self._number(1)
        self.cursor += 9
        max_fee = self._number(32)
        self._need(scope, end, "scope")
        ops = self._frame(self.cursor + scope)
        return Flash(tag, kind, lender, token, amount_register, ops, repay_register, side, max_fee)

    def _load(self, tag: int) -> Load:
        destination, source = self._number(1), self._enum(LoadSource, "load source")
        return Load(tag, destination, source, self._number(28))

    def _math(self, tag: int) -> Math:
        destination, function = self._number(1), self._enum(MathFunction, "math function")
        a, b = self._number(1), self._register()
        c = self._register() if function.takes_c else None
        self.cursor += 9 if function.takes_c else 10
        return Math(tag, destination, function, a, b, c, self._number(16))

    def _check(self, tag: int) -> Check:
        comparison = self._enum(Comparison, "comparison")
        a, b = self._number(1), self._register()
        self.cursor += 1
        bps, skip = self._number(2), self._number(2)
        self.cursor += 6
        return Check(tag, comparison, a, b, self._number(16), bps, skip)

    def _enum(self, kind: type[_Kind], rule: str) -> _Kind:
        value = self.raw[self.cursor]
        try:
            member = kind(value)
        except ValueError:
            self._refuse(rule, value, ", ".join(str(int(item)) for item in kind))
        self.cursor += 1
        return member

    def _register(self) -> int | None:
        register = self._number(1)
        return None if register == NONE else register

    def _address(self) -> Address:
        return address(self._take(20))

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size))

    def _take(self, size: int) -> bytes:
        self.cursor += size
        return self.raw[self.cursor - size : self.cursor]

    def _exactly(self, rule: str, wanted: int) -> None:
        found = self._number(1)
        if found != wanted:
            self.cursor -= 1
            self._refuse(rule, found, str(wanted))

    def _need(self, size: int, end: int, what: str) -> None:
        if self.cursor + size > end:
            left = max(end - self.cursor, 0)
            self._refuse(f"truncated {what}", f"{left} bytes to the end of the frame", f"{size} bytes")

    def _refuse(self, rule: str, found: object, allowed: str) -> NoReturn:
        raise ProgramRefused(self.cursor, rule, found=str(found), allowed=allowed)
