from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.desks.atomic.language.quantities import parse_quantity, ratio_e18
from tidegate.desks.atomic.language.syntax import Literal, Unit
from tidegate.model import ConfigError, SourcePosition, format_units

HERE = SourcePosition("x.yaml", 3, 7)
DECIMALS = {"WETH": 18, "USDC": 6, "USDC.e": 6}


@pytest.mark.parametrize(
    ("text", "base_units", "unit", "token"),
    [
        ("1.5 WETH", 15 * 10**17, Unit.TOKEN, "WETH"),
        ("250 USDC", 250_000_000, Unit.TOKEN, "USDC"),
        ("0.000001 USDC.e", 1, Unit.TOKEN, "USDC.e"),
        ("-1.02 WETH", -102 * 10**16, Unit.TOKEN, "WETH"),
        ("30 bps", 30, Unit.BPS, None),
        ("0.3 %", 30, Unit.BPS, None),
        ("0.3%", 30, Unit.BPS, None),
        ("40 gwei", 40 * 10**9, Unit.WEI, None),
        ("1.5 gwei", 15 * 10**8, Unit.WEI, None),
        ("7 wei", 7, Unit.WEI, None),
        ("36 s", 36, Unit.SECONDS, None),
        ("2 min", 120, Unit.SECONDS, None),
        ("1 h", 3_600, Unit.SECONDS, None),
        ("30 days", 2_592_000, Unit.SECONDS, None),
        ("2 blocks", 2, Unit.BLOCKS, None),
        ("1 block", 1, Unit.BLOCKS, None),
        ("100 USD", 100_000_000, Unit.USD_E6, None),
        ("1.500000000 USDC", 1_500_000, Unit.TOKEN, "USDC"),
    ],
)
def test_quantities_are_exact(text: str, base_units: int, unit: Unit, token: str | None) -> None:
    assert parse_quantity(text, DECIMALS, HERE) == Literal(base_units, unit, token, HERE)


@pytest.mark.parametrize(
    ("text", "code", "found", "allowed"),
    [
        ("1.0000001 USDC", "ATM112", "7 decimals", "at most 6"),
        ("0.005 %", "ATM112", "3 decimals", "at most 2"),
        ("1.5 bps", "ATM112", "1 decimals", "at most 0"),
        ("0.5 blocks", "ATM112", "1 decimals", "at most 0"),
        ("1 WETHH", "ATM111", "WETHH", None),
        ("1WETH", "ATM112", "1WETH", None),
        ("1,000 USDC", "ATM112", "1,000 USDC", None),
        ("1e3 USDC", "ATM112", "1e3 USDC", None),
        ("01 USDC", "ATM112", "01 USDC", None),
        ("1.5", "ATM112", "1.5", None),
        ("", "ATM112", "", None),
    ],
)
def test_what_is_not_a_quantity(text: str, code: str, found: str, allowed: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_quantity(text, DECIMALS, HERE)
    assert (caught.value.code, caught.value.found, caught.value.position) == (code, found, HERE)
    if allowed is not None:
        assert caught.value.allowed == allowed


def test_an_unknown_unit_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean gwei\?"):
        parse_quantity("40 Gwei", DECIMALS, HERE)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(amount=st.integers(-(10**30), 10**30), token=st.sampled_from(sorted(DECIMALS)))
def test_what_is_written_exactly_is_read_exactly(amount: int, token: str) -> None:
    text = f"{format_units(amount, DECIMALS[token])} {token}"
    assert parse_quantity(text, DECIMALS, HERE).base_units == amount


def test_a_ratio_may_be_written_as_a_whole_number() -> None:
    assert ratio_e18(Literal(2, Unit.INTEGER, None, HERE)) == 2 * 10**18
    assert ratio_e18(Literal(5, Unit.RATIO_E18, None, HERE)) == 5
    assert ratio_e18(Literal(5, Unit.BPS, None, HERE)) is None
