"""MATH and CHECK as the executor computes them, for whoever must know a result before the chain."""

from __future__ import annotations

from tidegate.model import BPS, UINT256_MAX
from tidegate.venues.executor.program import Comparison, MathFunction

_WAD = 10**18


def evaluate(function: MathFunction, a: int, b: int, c: int = 0) -> int:
    """Return what MATH computes; ``c`` is read by the two MUL_DIV functions alone.

    Raises
    ------
    OverflowError
        If a product, the sum or the difference leaves 256 bits: on chain the run reverts.
    ZeroDivisionError
        If the divisor is 0: on chain the run reverts.
    """
    match function:
        case MathFunction.ADD:
            return _checked(a + b)
        case MathFunction.SUBTRACT:
            return _checked(a - b)
        case MathFunction.SUBTRACT_TO_ZERO:
            return max(a - b, 0)
        case MathFunction.MINIMUM:
            return min(a, b)
        case MathFunction.MAXIMUM:
            return max(a, b)
        case MathFunction.MUL_DIV_DOWN:
            return _checked(a * b) // c
        case MathFunction.MUL_DIV_UP:
            return -(-_checked(a * b) // c)
        case MathFunction.MUL_BPS_DOWN:
            return _checked(a * b) // BPS
        case MathFunction.MUL_BPS_UP:
            return -(-_checked(a * b) // BPS)
        case MathFunction.MUL_WAD_DOWN:
            return _checked(a * b) // _WAD


def holds(comparison: Comparison, a: int, b: int, bps: int = 0) -> bool:
    """Return whether CHECK passes; NEAR is |a − b|·10⁴ ≤ b·bps.

    Raises
    ------
    OverflowError
        If a product of NEAR leaves 256 bits: on chain the run reverts.
    """
    match comparison:
        case Comparison.AT_LEAST:
            return a >= b
        case Comparison.AT_MOST:
            return a <= b
        case Comparison.EQUAL:
            return a == b
        case Comparison.NEAR:
            return _checked(abs(a - b) * BPS) <= _checked(b * bps)


def _checked(value: int) -> int:
    if not 0 <= value <= UINT256_MAX:
        raise OverflowError(f"needs 0 to 2^256 - 1, was {value}")
    return value
