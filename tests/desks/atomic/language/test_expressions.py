from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.desks.atomic.language.document import Scalar
from tidegate.desks.atomic.language.expressions import Names, is_expression, parse_expression
from tidegate.desks.atomic.language.syntax import (
    BalanceOf,
    BlindRef,
    Difference,
    Expression,
    Literal,
    Maximum,
    Minimum,
    OutputRef,
    Percent,
    Scale,
    Sum,
    Unit,
)
from tidegate.desks.atomic.language.wording import written
from tidegate.model import ConfigError, SourcePosition

DECIMALS = {"WETH": 18, "USDC": 6}
NAMES = Names(DECIMALS, {"size", "share"})


def place(column: int) -> SourcePosition:
    return SourcePosition("x.yaml", 2, column)


def scalar(text: str) -> Scalar:
    return Scalar(value=text, text=text, position=place(10), is_verbatim=True)


def weth(amount: int, column: int) -> Literal:
    return Literal(amount * 10**18, Unit.TOKEN, "WETH", place(column))


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("$size", BlindRef("size", place(10))),
        ("$sell", OutputRef("sell", None, place(10))),
        ("$sell.amount_out", OutputRef("sell", "amount_out", place(10))),
        ("$my-sell.amount_out", OutputRef("my-sell", "amount_out", place(10))),
        ("balance(WETH)", BalanceOf("WETH", place(10))),
        ("5", Literal(5, Unit.INTEGER, None, place(10))),
        ("2 WETH", weth(2, 10)),
        ("50% of $a.b", Percent(OutputRef("a", "b", place(17)), 5_000, place(10))),
        ("$share of $a.b", Percent(OutputRef("a", "b", place(20)), BlindRef("share", place(10)), place(10))),
        ("0.3 % of $a.b", Percent(OutputRef("a", "b", place(19)), 30, place(10))),
        ("$a.b + 2 WETH", Sum(OutputRef("a", "b", place(10)), weth(2, 17), place(15))),
        ("$a.b - 2 WETH", Difference(OutputRef("a", "b", place(10)), weth(2, 17), place(15))),
        ("$a.b -2 WETH", Difference(OutputRef("a", "b", place(10)), weth(2, 16), place(15))),
        ("min($a.b, 2 WETH)", Minimum(OutputRef("a", "b", place(14)), weth(2, 20), place(10))),
        ("max($a.b, 2 WETH)", Maximum(OutputRef("a", "b", place(14)), weth(2, 20), place(10))),
        (
            "scale(1 WETH, $a.b, $size)",
            Scale(weth(1, 16), OutputRef("a", "b", place(24)), BlindRef("size", place(30)), place(10)),
        ),
    ],
)
def test_every_form_is_read_with_its_columns(text: str, expression: Expression) -> None:
    assert parse_expression(scalar(text), NAMES) == expression


def test_subtraction_binds_to_the_left_and_percent_to_what_follows() -> None:
    left = parse_expression(scalar("$a.b - $c.d + $e.f"), NAMES)
    assert isinstance(left, Sum)
    assert isinstance(left.left, Difference)
    grouped = parse_expression(scalar("$a.b - ($c.d + $e.f)"), NAMES)
    assert isinstance(grouped, Difference)
    part = parse_expression(scalar("50% of $a.b + $c.d"), NAMES)
    assert isinstance(part, Sum)
    assert isinstance(part.left, Percent)


@pytest.mark.parametrize(
    ("text", "code", "column", "found"),
    [
        ("", "ATM112", 10, "the end"),
        ("$", "ATM112", 10, "$"),
        ("$A.b", "ATM112", 10, "$A.b"),
        ("1.5", "ATM112", 10, "'1.5'"),
        ("1WETH", "ATM112", 10, "'1'"),
        ("$a.b + 1.5", "ATM112", 17, "'1.5'"),
        ("$a.b $c.d", "ATM112", 15, "$c.d"),
        ("50% of", "ATM112", 16, "the end"),
        ("0% of $a.b", "ATM112", 10, "0%"),
        ("1001% of $a.b", "ATM112", 10, "1001%"),
        ("min($a.b)", "ATM112", 18, ")"),
        ("median($a.b)", "ATM112", 10, "median"),
        ("(1", "ATM112", 12, "the end"),
        ("1 FOO + 2", "ATM111", 10, "FOO"),
        ("balance(WET)", "ATM111", 18, "WET"),
        ("$a.b * 2", "ATM112", 15, "* 2"),
    ],
)
def test_what_is_wrong_is_said_at_its_column(text: str, code: str, column: int, found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_expression(scalar(text), NAMES)
    error = caught.value
    assert (error.code, error.position, error.found) == (code, place(column), found)
    assert error.allowed


def test_the_largest_percentage_is_ten_times() -> None:
    assert parse_expression(scalar("1000% of $a.b"), NAMES) is not None


def test_nesting_is_bounded() -> None:
    parse_expression(scalar("(" * 7 + "1" + ")" * 7), NAMES)
    with pytest.raises(ConfigError, match="nested too deeply"):
        parse_expression(scalar("(" * 8 + "1" + ")" * 8), NAMES)


@pytest.mark.parametrize("text", ["WETH", "executor", "0x" + "ab" * 20, "uniswap_v3.pool", "minimum"])
def test_names_are_not_expressions(text: str) -> None:
    assert not is_expression(text)


REFERENCE = st.sampled_from(["$a.b", "$size", "$my-step", "balance(USDC)", "1.5 WETH", "7", "0.01 USDC"])
COMPOUND = st.recursive(
    REFERENCE,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]} + {pair[1]}"),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]} - ({pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"min({pair[0]}, {pair[1]})"),
        st.tuples(REFERENCE).map(lambda one: f"12.5% of {one[0]}"),
        st.tuples(REFERENCE).map(lambda one: f"$share of {one[0]}"),
    ),
    max_leaves=5,
)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(text=COMPOUND)
def test_what_is_written_back_reads_the_same(text: str) -> None:
    once = written(parse_expression(scalar(text), NAMES), DECIMALS)
    again = written(parse_expression(scalar(once), NAMES), DECIMALS)
    assert once == again


@settings(deadline=None, derandomize=True, max_examples=300)
@given(text=st.text(alphabet="$ab1.%of ()+-,WETHminscale0x", max_size=40))
def test_random_text_never_crashes_it(text: str) -> None:
    position: SourcePosition | None = place(10)
    try:
        parse_expression(scalar(text), NAMES)
    except ConfigError as error:
        position = error.position
    assert position is not None
