"""MATH and CHECK: the specification's vectors, and where the chain would revert."""

import pytest

from tidegate.venues.executor import Comparison, MathFunction, evaluate, holds

TOP = 2**256 - 1


@pytest.mark.parametrize(
    ("function", "operands", "result"),
    [
        (MathFunction.ADD, (2, 3), 5),
        (MathFunction.SUBTRACT, (3, 3), 0),
        (MathFunction.SUBTRACT_TO_ZERO, (2, 3), 0),
        (MathFunction.SUBTRACT_TO_ZERO, (3, 2), 1),
        (MathFunction.MINIMUM, (2, 3), 2),
        (MathFunction.MAXIMUM, (2, 3), 3),
        (MathFunction.MUL_DIV_DOWN, (7, 3, 2), 10),
        (MathFunction.MUL_DIV_UP, (7, 3, 2), 11),
        (MathFunction.MUL_DIV_UP, (6, 3, 2), 9),
        (MathFunction.MUL_BPS_DOWN, (12345, 3333), 4114),
        (MathFunction.MUL_BPS_UP, (12345, 3333), 4115),
        (MathFunction.MUL_WAD_DOWN, (3 * 10**18, 5 * 10**17), 15 * 10**17),
    ],
)
def test_vectors(function, operands, result):
    assert evaluate(function, *operands) == result


@pytest.mark.parametrize(
    ("function", "operands", "error"),
    [
        (MathFunction.ADD, (TOP, 1), OverflowError),
        (MathFunction.SUBTRACT, (2, 3), OverflowError),
        (MathFunction.MUL_DIV_DOWN, (TOP, 2, 2), OverflowError),
        (MathFunction.MUL_DIV_UP, (7, 3, 0), ZeroDivisionError),
        (MathFunction.MUL_BPS_DOWN, (TOP, 2), OverflowError),
        (MathFunction.MUL_BPS_UP, (TOP, 2), OverflowError),
        (MathFunction.MUL_WAD_DOWN, (TOP, 2), OverflowError),
    ],
)
def test_what_reverts_on_chain_raises_here(function, operands, error):
    with pytest.raises(error):
        evaluate(function, *operands)


@pytest.mark.parametrize(("a", "near"), [(1005, True), (995, True), (1006, False), (994, False)])
def test_near_at_50_bps(a, near):
    assert holds(Comparison.NEAR, a, 1000, 50) is near


def test_comparisons():
    assert [holds(Comparison.AT_LEAST, a, 5) for a in (4, 5, 6)] == [False, True, True]
    assert [holds(Comparison.AT_MOST, a, 5) for a in (4, 5, 6)] == [True, True, False]
    assert [holds(Comparison.EQUAL, a, 5) for a in (4, 5, 6)] == [False, True, False]
    with pytest.raises(OverflowError):
        holds(Comparison.NEAR, TOP, 0, 1)
