"""Integer money maths with a stated rounding direction.

Minimum outputs round down and maximum inputs round up, so that a rounding error never
widens what the user allowed by more than the user said.
"""

from __future__ import annotations

BPS = 10_000


def mul_div_down(a: int, b: int, divisor: int) -> int:
    """Return floor(a·b / divisor) for ``a·b >= 0``; ``divisor`` must be positive."""
    _need(divisor > 0 and a * b >= 0, a, b, divisor)
    return a * b // divisor


def mul_div_up(a: int, b: int, divisor: int) -> int:
    """Return ceil(a·b / divisor) for ``a·b >= 0``; ``divisor`` must be positive."""
    _need(divisor > 0 and a * b >= 0, a, b, divisor)
    return -(-a * b // divisor)


def minimum_out(quote: int, slippage_bps: int) -> int:
    """Return floor(quote·(10⁴ − bps) / 10⁴): 3e9 at 30 bps is 2,991,000,000."""
    return mul_div_down(quote, BPS - slippage_bps, BPS)


def maximum_in(quote: int, slippage_bps: int) -> int:
    """Return ceil(quote·(10⁴ + bps) / 10⁴): 3e9 at 30 bps is 3,009,000,000."""
    return mul_div_up(quote, BPS + slippage_bps, BPS)


def format_units(amount: int, decimals: int, places: int | None = None) -> str:
    """Return ``amount`` base units as decimal text, exact unless ``places`` cuts it (toward 0).

    Examples
    --------
    >>> format_units(34_150_000_000_000_000, 18)
    '0.03415'
    >>> format_units(-1_500_000, 6)
    '-1.5'
    """
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(decimals + 1, "0")
    whole, fraction = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    if places is not None:
        fraction = fraction[:places]
    fraction = fraction.rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def format_usd(value_usd_e6: int) -> str:
    """Return millionths of a dollar as dollars and cents, rounded toward minus infinity.

    Examples
    --------
    >>> format_usd(22_318_656_593)
    '22,318.65 USD'
    >>> format_usd(-1)
    '-0.01 USD'
    """
    cents = value_usd_e6 // 10**4
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02} USD"


def _need(holds: bool, a: int, b: int, divisor: int) -> None:
    if not holds:
        raise ValueError(f"needs a·b >= 0 and divisor > 0, was a={a}, b={b}, divisor={divisor}")
