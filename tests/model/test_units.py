"""Money for people: exact integers in, one rounding out."""

import pytest

from tidegate.model import format_usd


@pytest.mark.parametrize(
    ("value_usd_e6", "text"),
    [
        (0, "0.00 USD"),
        (9_999, "0.00 USD"),
        (147_989_999, "147.98 USD"),
        (1_000_000_000_000, "1,000,000.00 USD"),
        (-1, "-0.01 USD"),
        (-10_000, "-0.01 USD"),
        (-10_001, "-0.02 USD"),
        (-1_234_567_891_234, "-1,234,567.90 USD"),
    ],
)
def test_dollars_are_rounded_toward_minus_infinity(value_usd_e6: int, text: str) -> None:
    assert format_usd(value_usd_e6) == text
