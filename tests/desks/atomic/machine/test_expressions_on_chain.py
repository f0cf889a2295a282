"""Whatever an author writes as an amount, the chain works out what the words say, rounding included."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_quoting import HEAD

from tidegate.desks.atomic import Quote, compile_quote
from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.quoting import simulate_program
from tidegate.model import BPS, ConfigError, Denied, SourcePosition, mul_div_down, mul_div_up
from tidegate.venues.tokens import mint

HERE = SourcePosition("test", 1, 1)
BALANCES = {"USDC": 1_234_567, "WETH": 987_654_321_987, "WBTC": 3}
SHARE_BPS = 3_333
TRANSFER = "  - {id: pay, use: erc20.transfer, in: {token: DAI, to: executor, amount: 1}}\n"


class BelowZero(Exception):
    """The words ask for less than nothing."""


def literals() -> some.SearchStrategy[syntax.Expression]:
    numbers = some.one_of(some.integers(0, 10), some.integers(0, 10**20), some.integers(2**127, 2**130))
    return numbers.map(lambda number: syntax.Literal(number, syntax.Unit.INTEGER, None, HERE))


def balances() -> some.SearchStrategy[syntax.Expression]:
    return some.sampled_from(sorted(BALANCES)).map(lambda token: syntax.BalanceOf(token, HERE))


def larger(inner: some.SearchStrategy[syntax.Expression]) -> some.SearchStrategy[syntax.Expression]:
    pairs = some.sampled_from([syntax.Sum, syntax.Difference, syntax.Minimum, syntax.Maximum])
    return some.one_of(
        some.builds(lambda kind, a, b: kind(a, b, HERE), pairs, inner, inner),
        some.builds(lambda a, bps: syntax.Percent(a, bps, HERE), inner, some.integers(0, 20_000)),
        inner.map(lambda a: syntax.Percent(a, syntax.BlindRef("share", HERE), HERE)),
        some.builds(lambda a, b, c: syntax.Scale(a, b, c, HERE), inner, inner, inner),
    )


EXPRESSIONS = some.recursive(some.one_of(literals(), balances()), larger, max_leaves=7)


class Reader:
    """Works out what the words mean, and the largest number on the way, products included."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self.known = known
        self.largest = 0

    def of(self, value: syntax.Expression, *, up: bool = False) -> int:
        """``up`` is the rounding of a limit; subtracting and dividing turn it round."""
        found = self._of(value, up)
        self.largest = max(self.largest, found)
        return found

    def _divide(self, a: int, b: int, divisor: int, up: bool) -> int:
        self.largest = max(self.largest, a * b)
        return (mul_div_up if up else mul_div_down)(a, b, divisor)

    def _of(self, value: syntax.Expression, up: bool) -> int:
        match value:
            case syntax.Literal():
                return value.base_units
            case syntax.BalanceOf():
                return self.known[value.token]
            case syntax.Percent():
                bps = value.bps if isinstance(value.bps, int) else SHARE_BPS
                return self._divide(self.of(value.of, up=up), bps, BPS, up)
            case syntax.Sum():
                return self.of(value.left, up=up) + self.of(value.right, up=up)
            case syntax.Difference():
                result = self.of(value.left, up=up) - self.of(value.right, up=not up)
                if result < 0:
                    raise BelowZero
                return result
            case syntax.Minimum():
                return min(self.of(value.left, up=up), self.of(value.right, up=up))
            case syntax.Maximum():
                return max(self.of(value.left, up=up), self.of(value.right, up=up))
            case syntax.Scale():
                limit, new = self.of(value.limit, up=up), self.of(value.new, up=up)
                return self._divide(limit, new, self.of(value.old, up=not up), up)
            case _:
                raise AssertionError(value)


WorkOut = Callable[[syntax.Expression], int]


@pytest.fixture
def work_out(ground: Ground) -> WorkOut:
    """Has the executor pay an amount of DAI to itself, of which it has nearly any, and reads what it was."""
    job = ground.job(HEAD + TRANSFER)
    ground.allow(job)
    for symbol, amount in BALANCES.items():
        ground.give(symbol, amount)
    mint(ground.world, ground.devnet.tokens["DAI"], ground.executor, 2**230)
    (step,) = job.strategy.steps
    assert isinstance(step, syntax.ActionStep)
    watch = ("pay", "in.amount")

    def work_out(amount: syntax.Expression) -> int:
        paid = dataclasses.replace(step, inputs={**step.inputs, "amount": amount})
        paying = dataclasses.replace(job, strategy=dataclasses.replace(job.strategy, steps=(paid,)))
        blinds, terms = {"share": SHARE_BPS}, Quote({}, 2**40 - 1)
        program = compile_quote(paying.strategy, paying.book, blinds, terms, [watch])
        simulated = simulate_program(paying, program, ground.world)
        return program.values(simulated.registers)[watch]

    return work_out


def compare(work_out: WorkOut, amount: syntax.Expression) -> None:
    """What can not be said in 224 bits, falls below zero or divides by zero is refused, here or on chain."""
    reader = Reader(BALANCES)
    try:
        expected: int | None = reader.of(amount)
    except (BelowZero, ValueError):
        expected = None
    if expected is None or reader.largest >= 2**224:
        with contextlib.suppress(ConfigError, Denied):
            assert work_out(amount) == expected, "large products may still fit; no meaning has no value"
        return
    assert work_out(amount) == expected


FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture]


@settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=FUNCTION_SCOPED)
@given(amount=EXPRESSIONS)
def test_the_chain_works_out_any_expression(work_out: WorkOut, amount: syntax.Expression) -> None:
    compare(work_out, amount)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=5_000, suppress_health_check=FUNCTION_SCOPED)
@given(amount=EXPRESSIONS)
def test_the_chain_works_out_any_expression_in_depth(work_out: WorkOut, amount: syntax.Expression) -> None:
    compare(work_out, amount)
