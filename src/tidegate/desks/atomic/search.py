"""The size of a trade, found by trying: few simulations, all integers, the same answer every time.

The gain of an arbitrage over its size is zero at zero, rises, and falls again, because each further unit
meets a worse price. So a smallest size that gains nothing settles it at once, and else three sizes with
the best in the middle hold the optimum between them. They are found on a logarithmic scale, for sizes
span orders of magnitude, and closed in by parabolas, for near its top the gain is one. A parabola that
does not halve the distance is followed by one more step on the logarithmic scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isqrt
from typing import TypeAlias

import msgspec

from tidegate.desks.atomic import syntax
from tidegate.desks.atomic.loans import attempts, candidates, flash_steps, known_amounts
from tidegate.desks.atomic.prospect import priced_symbols
from tidegate.desks.atomic.quoting import Assignment, quote_deltas
from tidegate.desks.atomic.terms import Loan
from tidegate.desks.atomic.valuation import fees_of, read_prices
from tidegate.model import ConfigError, Denied, Reason
from tidegate.venues import StateView

SIMULATIONS_MAX = 15
SETTLED_PARTS = 500
"""Two parabolas that agree within 1/500 of the size settle it: the gain is then within about 10⁻⁵."""

Gain: TypeAlias = Callable[[int], int | None]
"""The gain of a size in base units, or None if a run of that size reverts."""


class Tried(msgspec.Struct, frozen=True):
    """One size that was simulated: its gain in base units, or None if it reverted."""

    size: int
    gain: int | None


class SearchResult(msgspec.Struct, frozen=True):
    """The best size, if any gains, and every size that was tried, in order."""

    best: Tried | None
    tried: tuple[Tried, ...]


def search_size(job: Assignment, view: StateView) -> SearchResult:
    """Return the size of the searched blind that gains most at the head.

    The gain is the change of the objective's token (``objective_of``) before the cost of gas, which
    hardly depends on the size. A run that reverts gains nothing.

    Raises
    ------
    ConfigError
        If the strategy leaves no blind to the search.
    Denied
        ``unavailable`` without prices, ``flash_liquidity`` if nobody lends even the smallest size.
    """
    blind = job.strategy.searched_blind
    if blind is None or blind.minimum is None or blind.maximum is None:
        raise ConfigError(
            f"{job.strategy.name} leaves nothing to search",
            found="no blind with `search: true`",
            fix="add `search: true` to an amount blind, or give its value",
            position=job.strategy.at("blinds"),
        )
    symbol = objective_of(job.strategy).token
    loans = _lenders(job, blind, view)

    def gain(size: int) -> int | None:
        try:
            return quote_deltas(job.with_blind(blind.name, size), loans, view)[symbol]
        except Denied as error:
            if error.reason is not Reason.SIMULATION_REVERTED:
                raise
            return None

    return maximise(gain, blind.minimum, blind.maximum)


def objective_of(strategy: syntax.Strategy) -> syntax.Bound:
    """Return the bound whose change is maximised: the first that is net of gas, else the first.

    Raises
    ------
    ConfigError
        If there is no bound at all.
    """
    for bound in strategy.bounds:
        if bound.net_of_gas:
            return bound
    if not strategy.bounds:
        raise ConfigError("a search needs a bound", code="ATM105", position=strategy.at("bounds"))
    return strategy.bounds[0]


def maximise(gain: Gain, low: int, high: int, most: int = SIMULATIONS_MAX) -> SearchResult:
    """Return the size in [low, high] with the largest gain, asking ``gain`` at most ``most`` times.

    Parameters
    ----------
    gain
        Concave where it is a number, None above some size, 0 at size 0.
    low, high
        Inclusive, ``1 <= low <= high``.
    """
    if not 1 <= low <= high:
        raise ValueError(f"needs 1 <= low <= high, was low={low}, high={high}")
    return _Search(gain, low, high, most).run()


class _Search:
    def __init__(self, gain: Gain, low: int, high: int, most: int) -> None:
        self._gain, self._low, self._high, self._most = gain, low, high, most
        self._tried: dict[int, int | None] = {}

    def run(self) -> SearchResult:
        if self._worth(self._low) <= 0:
            return self._result()
        left, best, right = self._bracket()
        vertex, has_stalled = best, False
        while len(self._tried) < self._most:
            is_closed = self._is_known(left) and self._is_known(right)
            size = self._outwards(left, best, right)
            settled = False
            if is_closed and not has_stalled:
                previous, vertex = vertex, self._vertex(left, best, right)
                size, settled = vertex, abs(vertex - previous) * SETTLED_PARTS <= vertex
            if size in self._tried:
                break
            width = right - left
            if self._worth(size) > self._worth(best):
                left, best, right = (left, size, best) if size < best else (best, size, right)
            elif size < best:
                left = size
            else:
                right = size
            if settled:
                break
            has_stalled = is_closed and not has_stalled and 2 * (right - left) > width
        return self._result()

    def _bracket(self) -> tuple[int, int, int]:
        """Return three sizes, the middle one better than the left; the right one may be the end itself."""
        left, right = self._low, self._high
        middle = isqrt(left * right)
        while len(self._tried) < self._most and left < middle < right:
            if self._worth(middle) > self._worth(left):
                return left, middle, right
            right, middle = middle, isqrt(left * middle)
        return left, left, right

    def _outwards(self, left: int, best: int, right: int) -> int:
        """Return the middle of the longer side on the logarithmic scale, or the end of the range itself.

        The right side comes first while what lies at its end reverts, or was never tried.
        """
        if not self._is_known(right) or best * best < left * right:
            middle = isqrt(best * right)
            return right if right not in self._tried and right - middle <= right // 16 else middle
        return isqrt(left * best)

    def _vertex(self, left: int, best: int, right: int) -> int:
        points = [(size, self._worth(size)) for size in (left, best, right)]
        return _vertex(*points)

    def _worth(self, size: int) -> int:
        """Return the gain of ``size``; a run that reverts is worse than anything."""
        if size not in self._tried:
            self._tried[size] = self._gain(size)
        found = self._tried[size]
        return _REVERTED if found is None else found

    def _is_known(self, size: int) -> bool:
        return self._tried.get(size) is not None

    def _result(self) -> SearchResult:
        tried = tuple(Tried(size, gain) for size, gain in self._tried.items())
        gaining = [item for item in tried if item.gain is not None and item.gain > 0]
        best = max(gaining, key=lambda item: (item.gain or 0, -item.size), default=None)
        return SearchResult(best=best, tried=tried)


_REVERTED = -(2**256)


def _vertex(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
    """Return the top of the parabola through three points with the middle one highest, floored.

    b − ½·[(b−a)²·(f(b)−f(c)) − (b−c)²·(f(b)−f(a))] / [(b−a)·(f(b)−f(c)) − (b−c)·(f(b)−f(a))]
    (Press et al., Numerical Recipes, 10.2.1). Points on one line give the middle of the longer side.
    """
    (xa, fa), (xb, fb), (xc, fc) = a, b, c
    over = (xb - xa) ** 2 * (fb - fc) - (xb - xc) ** 2 * (fb - fa)
    under = 2 * ((xb - xa) * (fb - fc) - (xb - xc) * (fb - fa))
    if under == 0:
        return (xb + xc) // 2 if xc - xb > xb - xa else (xa + xb) // 2
    return xb - over // under


def _lenders(job: Assignment, blind: syntax.Blind, view: StateView) -> Mapping[str, Loan]:
    """Return who lends during the search: able to serve the largest size if anyone is, else the smallest."""
    assert blind.minimum is not None, "a searched blind has a range"
    assert blind.maximum is not None, "a searched blind has a range"
    if not flash_steps(job.strategy):
        return {}
    prices = read_prices(priced_symbols(job), job.book, view)
    gas_price_wei = fees_of(view.block(), job.strategy.gas).max_fee_wei
    refused: Denied | None = None
    for size in (blind.maximum, blind.minimum):
        sized = job.with_blind(blind.name, size)
        try:
            return next(attempts(candidates(sized, known_amounts(sized), view, prices, gas_price_wei)))
        except Denied as error:
            refused = error
    assert refused is not None, "both sizes were refused"
    raise refused
