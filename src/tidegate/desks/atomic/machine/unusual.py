"""What is out of the ordinary, by the strategy's own past: sizes, values, hours.

A size is far out by the robust z of the median absolute deviation (Iglewicz and Hoaglin, 1993); integers
throughout, so that a replay gives the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tidegate.desks.atomic.machine.signals import Level, Signal

SAMPLES_MIN = 30
Z_MAX_E4 = 40_000
MEDIANS_MAX = 3
_MAD_E4 = 14_826
"""1.4826, by which the median absolute deviation of a normal distribution is its standard deviation."""


def robust_z_e4(past: Sequence[int], value: int) -> int | None:
    """Return |value − median|/(1.4826·MAD) in ten-thousandths, rounded down; None without a verdict.

    None below 30 samples. Where the MAD is 0 only repeats are normal: anything else is infinitely far, which
    is told as the largest 64-bit integer.

    Examples
    --------
    >>> past = [100 + (7 * i % 11) for i in range(30)]
    >>> [robust_z_e4(past, value) for value in (125, 121, 120)]
    [44966, 35972, 33724]
    """
    if len(past) < SAMPLES_MIN:
        return None
    middle_2 = _median_2(past)
    mad_4 = _median_2([abs(2 * one - middle_2) for one in past])  # twice the median of twice the deviations
    distance_2 = abs(2 * value - middle_2)
    if not mad_4:
        return 2**63 - 1 if distance_2 else 0
    return 2 * distance_2 * 10**8 // (_MAD_E4 * mad_4)


def size(past: Sequence[int], value: int) -> Signal:
    """Judge a run's size by those before it: beyond a z of 4 it is unusual."""
    z_e4 = robust_z_e4(past, value) or 0
    return Signal("unusual_size", _level(z_e4 > Z_MAX_E4), z_e4, Z_MAX_E4, "z_e4")


def value(past_usd_e6: Sequence[int], usd_e6: int) -> Signal:
    """Judge what a run moves by those before it: more than three times their median is unusual."""
    if len(past_usd_e6) < SAMPLES_MIN:
        return Signal("unusual_value", Level.QUIET, usd_e6, 0, "usd_e6", note="too few runs to know")
    bound = MEDIANS_MAX * _median_2(past_usd_e6) // 2
    return Signal("unusual_value", _level(usd_e6 > bound), usd_e6, bound, "usd_e6")


def hour(at_ms: int, first: int = 0, last: int = 24) -> Signal:
    """Judge the hour (UTC) of a run; the day's are ``first`` up to but not ``last``, over midnight too."""
    now = datetime.fromtimestamp(at_ms / 1000, UTC).hour
    is_inside = first <= now < last if first < last else now >= first or now < last
    return Signal(
        "unusual_hour", _level(not is_inside), now, last, "hour", note=f"from {first} to {last} UTC"
    )


def _level(is_unusual: bool) -> Level:
    return Level.WARNING if is_unusual else Level.QUIET


def _median_2(values: Sequence[int]) -> int:
    """Return twice the median: an integer also for an even number of values."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return 2 * ordered[middle] if len(ordered) % 2 else ordered[middle - 1] + ordered[middle]
