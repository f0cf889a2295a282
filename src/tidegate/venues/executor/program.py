"""A program of the atomic executor as plain data (``specs/atomic.md`` 4.3).

A program is a header, one line per token that is bounded, and operations. Sizes here are bytes
of the packed form; ``assemble`` and ``disassemble`` turn one into the other exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from tidegate.model import Address

HEADER_BYTES = 32
RUN_ID_BYTES = 32
LINE_BYTES = 64
STEP_HEADER_BYTES = 28
SELECTOR_BYTES = 4
PATCH_BYTES = 2

PROGRAM_MAX_BYTES = 4_096
DATA_MAX_BYTES = 1_028
RETURN_WORDS_MAX = 8
OPS_PER_FRAME_MAX = 128
APPROVALS_PER_FRAME_MAX = 8
PATCHES_MAX = 15
REGISTERS_MAX = 16
LINES_MAX = 8
TAG_MAX = 254
NONE = 255
"""In a register byte: no register (or, in MATH and CHECK, the immediate)."""


class Opcode(IntEnum):
    """The first byte of each operation."""

    CALL = 1
    READ = 2
    APPROVE = 3
    FLASH = 4
    LOAD = 5
    MATH = 6
    CHECK = 7
    TAKE = 8


class FlashKind(IntEnum):
    """The lenders' interfaces that the executor speaks."""

    AAVE_V3 = 1
    ERC3156 = 2
    UNISWAP_V3 = 3
    MORPHO_BLUE = 4
    BALANCER_V2 = 5


class LoadSource(IntEnum):
    """Where LOAD takes its word from. Time in seconds, base fee in wei, gas in units of gas."""

    LITERAL = 0
    BALANCE = 1
    TIME = 2
    BASE_FEE = 3
    GAS_LEFT = 4


class MathFunction(IntEnum):
    """What MATH computes from a, b and c; products are checked, never wrapped."""

    ADD = 0
    SUBTRACT = 1
    SUBTRACT_TO_ZERO = 2
    MINIMUM = 3
    MAXIMUM = 4
    MUL_DIV_DOWN = 5
    MUL_DIV_UP = 6
    MUL_BPS_DOWN = 7
    MUL_BPS_UP = 8
    MUL_WAD_DOWN = 9

    @property
    def takes_c(self) -> bool:
        """Say whether the function has a third operand (the divisor)."""
        return self in (MathFunction.MUL_DIV_DOWN, MathFunction.MUL_DIV_UP)


class Comparison(IntEnum):
    """What CHECK asks of a and b. NEAR is |a − b|·10⁴ ≤ b·bps."""

    AT_LEAST = 0
    AT_MOST = 1
    EQUAL = 2
    NEAR = 3


@dataclass(frozen=True, slots=True)
class Patch:
    """Put ``register`` into argument word ``word`` (data bytes 4 + 32·word onward)."""

    word: int
    register: int


@dataclass(frozen=True, slots=True)
class Capture:
    """Keep word ``word`` of what the call returned in ``register``."""

    register: int
    word: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """CALL or, with ``is_read``, a static READ of ``target`` with selector and arguments ``data``.

    ``value_register`` holds the wei to send. Patches apply last listed first.
    """

    tag: int
    target: Address
    data: bytes
    patches: tuple[Patch, ...] = ()
    capture: Capture | None = None
    value_register: int | None = None
    is_read: bool = False

    @property
    def selector(self) -> bytes:
        """Return the function that is called."""
        return self.data[:SELECTOR_BYTES]


@dataclass(frozen=True, slots=True)
class Approve:
    """Allow ``spender`` to pull the amount in ``register``; the allowance is 0 at the frame's end.

    With ``zero_after`` the executor writes that 0 itself, else it only demands it.
    """

    tag: int
    token: Address
    spender: Address
    register: int
    zero_after: bool = False


@dataclass(frozen=True, slots=True)
class Flash:
    """Borrow the amount in ``amount_register``, run ``ops``, repay amount and fee.

    ``repay_register`` receives amount + fee; ``side`` 1 borrows token1 of a Uniswap v3 pool;
    ``max_fee`` is in base units of ``token``.
    """

    tag: int
    kind: FlashKind
    lender: Address
    token: Address
    amount_register: int
    ops: tuple[Op, ...]
    repay_register: int | None = None
    side: int = 0
    max_fee: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """Put a literal (up to 2²²⁴ − 1), a balance, or a fact of the block into ``destination``.

    ``operand`` is the literal, or the token of a balance as a number (zero is ETH), else 0.
    """

    tag: int
    destination: int
    source: LoadSource
    operand: int = 0

    @classmethod
    def literal(cls, tag: int, destination: int, value: int) -> Load:
        """Load a number that is known when the program is written."""
        return cls(tag, destination, LoadSource.LITERAL, value)

    @classmethod
    def balance(cls, tag: int, destination: int, token: Address) -> Load:
        """Load the executor's own balance of ``token`` (zero address: ETH)."""
        return cls(tag, destination, LoadSource.BALANCE, int(token, 16))


@dataclass(frozen=True, slots=True)
class Math:
    """Compute ``function`` of registers; ``b`` or ``c`` of None takes ``immediate`` (128 bits).

    ``c`` is the divisor of the two MUL_DIV functions and None in all others.
    """

    tag: int
    destination: int
    function: MathFunction
    a: int
    b: int | None = None
    c: int | None = None
    immediate: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """Compare register ``a`` with register ``b`` (None: ``immediate``).

    False with ``skip`` 0 reverts the run; else the next ``skip`` bytes of operations are left out.
    ``bps`` belongs to NEAR alone.
    """

    tag: int
    comparison: Comparison
    a: int
    b: int | None = None
    immediate: int = 0
    bps: int = 0
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Take:
    """Keep one more word of the last CALL or READ result of this frame."""

    tag: int
    destination: int
    word: int


Op: TypeAlias = Call | Approve | Flash | Load | Math | Check | Take


@dataclass(frozen=True, slots=True)
class Line:
    """Bound one token: final minus start must be at least ``floor`` (base units, signed).

    ``token`` zero is ETH. With ``payout`` the gain goes to the treasury at the end.
    """

    token: Address
    floor: int
    payout: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """Everything one run may do. Times in seconds of chain time, ``max_base_fee`` in wei.

    ``not_before`` 0 means none; ``run_id`` (32 bytes) is consumed on chain once for ever.
    """

    chain_id: int
    deadline: int
    max_base_fee: int
    registers: int
    lines: tuple[Line, ...]
    ops: tuple[Op, ...]
    not_before: int = 0
    run_id: bytes | None = None


def encoded_size(op: Op) -> int:
    """Return how many bytes ``op`` takes, scope included: what a CHECK before it would skip."""
    match op:
        case Call():
            return STEP_HEADER_BYTES + len(op.data) + PATCH_BYTES * len(op.patches)
        case Approve():
            return 64
        case Flash():
            return 96 + encoded_sizes(op.ops)
        case _:
            return 32


def encoded_sizes(ops: Iterable[Op]) -> int:
    """Return the bytes of several operations: the ``skip`` that leaves out all of them."""
    return sum(encoded_size(op) for op in ops)


def walk(ops: Iterable[Op]) -> Iterator[Op]:
    """Yield every operation in the order it stands in the bytes, scopes entered."""
    for op in ops:
        yield op
        if isinstance(op, Flash):
            yield from walk(op.ops)
