"""From data to places on paper: scales, round ticks, numbers for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from ``[low, high]`` in data to ``[start, end]`` on paper."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of ``value``."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return up to ``most + 1`` round values (1, 2, 2.5 or 5 times a power of ten) that span the data.

    Examples
    --------
    >>> round_ticks(2_931, 3_068)
    [2900.0, 2950.0, 3000.0, 3050.0, 3100.0]
    """
    if high <= low:
        margin = abs(low) * 0.01 or 1.0
        low, high = low - margin, high + margin
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def whole_ticks(low: int, high: int, most: int = 6) -> list[int]:
    """Return round whole values inside ``[low, high]``: an axis of blocks begins where the data does."""
    ticks = [int(tick) for tick in round_ticks(low, high, most) if tick == int(tick)]
    return [tick for tick in ticks if low <= tick <= high] or [low]


def decimals_of(ticks: Sequence[float]) -> int:
    """Return how many decimals tell the ticks apart."""
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    return next((places for places in range(7) if abs(round(step, places) - step) < step * 1e-6), 6)


def shown(value: float, places: int = 0) -> str:
    """Return a number with thousands set apart, and a true minus sign."""
    text = f"{abs(value):,.{places}f}"
    return f"−{text}" if value < 0 and text.strip("0.,") else text


def thin(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """Return at most ``2·most`` of the points: of each stretch its lowest and its highest."""
    if len(points) <= 2 * most:
        return list(points)
    size = ceil(len(points) / most)
    kept: list[tuple[int, float]] = []
    for begin in range(0, len(points), size):
        stretch = points[begin : begin + size]
        extremes = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept += sorted(extremes)
    return kept
