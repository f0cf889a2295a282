"""The size of a trade, found by trying: few simulations, all integers, the same answer every time.

The gain of an arbitrage over its size rises and falls again, because each further unit meets a worse
price: it is concave, less whatever the run costs at any size. Three sizes with the best in the middle hold
the optimum between them. They are found on a logarithmic scale, for sizes span orders of magnitude, and
closed in by parabolas, for near its top the gain is one. A parabola that does not halve the distance is
followed by one more step on the logarithmic scale.

Where the smallest size gains nothing, twice that size tells why: a gain that does not rise has its top
behind it, and one that rises lies below the straight line through the two, so that a line that ends below
zero settles it. Where the smallest size reverts, the middle and the largest are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isqrt
from typing import TypeAlias

import msgspec

from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.loans import candidates, known_amounts
from tidegate.desks.atomic.machine.prospect import priced_symbols
from tidegate.desks.atomic.machine.quoting import Assignment, DoesNotPay, quote_deltas
from tidegate.desks.atomic.machine.serving import attempts
from tidegate.desks.atomic.machine.terms import Loan
from tidegate.desks.atomic.machine.valuation import fees_of, read_prices
from tidegate.model import ConfigError, Denied, Reason
from tidegate.venues import StateView

SIMULATIONS_MAX = 15
SETTLED_PARTS = 500
"""Two parabolas in a row agree if their tops lie within 1/500 of the size."""

TIGHT_PARTS = 2
"""They settle the size if they agree over no more than half of it; a wide parabola is a biased one."""

BESIDE_PARTS = 16

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
    hardly depends on the size.

    Raises
    ------
    ConfigError
        If the strategy leaves no blind to the search.
    Denied
        ``unavailable`` without prices, ``flash_liquidity`` if nobody lends even the smallest size, or
        the first revert, if every size reverts and not only for want of what repays the loan.
    """
    blind = job.searched_blind
    if blind is None or blind.minimum is None or blind.maximum is None:
        raise ConfigError(
            f"{job.strategy.name} leaves nothing to search",
            found="no blind with `search: true`",
            fix="add `search: true` to an amount blind, or give its value",
            position=job.strategy.at("blinds"),
        )
    symbol = objective_of(job.strategy).token
    loans = _lenders(job, blind, view)
    reverts: list[Denied] = []

    def gain(size: int) -> int | None:
        try:
            return quote_deltas(job.with_blind(blind.name, size), loans, view)[symbol]
        except Denied as error:
            if error.reason is not Reason.SIMULATION_REVERTED:
                raise
            reverts.append(error)
            return None

    result = maximise(gain, blind.minimum, blind.maximum)
    if len(reverts) == len(result.tried):
        for revert in reverts:
            if not isinstance(revert, DoesNotPay):
                raise revert
    return result


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
        Concave where it is a number; None where a run reverts: above some size, or below one.
    low, high
        Inclusive, ``1 <= low <= high``.
    """
    if not 1 <= low <= high:
        raise ValueError(f"needs 1 <= low <= high, was low={low}, high={high}")
    return _Search(gain, low, high, most).run()


class _Search:
    """Holds three sizes, the best of them in the middle, and closes in on the top between them."""

    def __init__(self, gain: Gain, low: int, high: int, most: int) -> None:
        self._gain, self._most = gain, most
        self._tried: dict[int, int | None] = {}
        self._left, self._best, self._right = low, low, high
        self._top, self._width = 0, 2 * high

    def run(self) -> SearchResult:
        if self._begin():
            is_settled = False
            while len(self._tried) < self._most and not is_settled and self._can_gain():
                size, is_settled = self._next()
                if size in self._tried:
                    break
                self._take(size)
        tried = tuple(Tried(size, gain) for size, gain in self._tried.items())
        gaining = [item for item in tried if item.gain is not None and item.gain > 0]
        best = max(gaining, key=lambda item: (item.gain or 0, -item.size), default=None)
        return SearchResult(best=best, tried=tried)

    def _begin(self) -> bool:
        """Place the three sizes; False if it is settled already that no size gains."""
        low, high = self._left, self._right
        if self._worth(low) > 0:
            self._bracket()
            return True
        if self._is_known(low):
            self._best = min(2 * low, high)
            return self._worth(self._best) > self._worth(low) and self._rising_to(high) > 0
        self._best = isqrt(low * high)
        if self._worth(self._best) == _REVERTED:
            self._left, self._best = self._best, high
        return self._worth(self._best) > _REVERTED

    def _can_gain(self) -> bool:
        """Say whether a top above zero fits under the straight lines through what was tried."""
        left, best, right = self._left, self._best, self._right
        if self._worth(best) > 0 or not (self._is_known(left) and self._is_known(right)):
            return True
        return self._rising_to(right) > 0 or (best < right and self._rising_to(left) > 0)

    def _rising_to(self, end: int) -> int:
        """Return the gain at ``end`` on the line from the size on the other side through the best one."""
        best = self._best
        start = self._left if end > best else self._right
        rise = self._worth(best) - self._worth(start)
        return self._worth(best) + (rise * (end - best) // (best - start) if best != start else 0)

    def _bracket(self) -> None:
        """Find a middle that is better than the left; the right may be the range's end, not tried yet."""
        middle = isqrt(self._left * self._right)
        while len(self._tried) < self._most and self._left < middle < self._right:
            if self._worth(middle) > self._worth(self._left):
                self._best = middle
                return
            self._right, middle = middle, isqrt(self._left * middle)

    def _next(self) -> tuple[int, bool]:
        """Return the size to try next, and whether it is the last."""
        left, best, right = self._left, self._best, self._right
        if not (self._is_known(left) and self._is_known(right)):
            return self._outwards(), False
        before, width = self._top, self._width
        self._top, self._width = self._parabola_top(), right - left
        if abs(self._top - before) * SETTLED_PARTS <= self._top:
            if self._width * TIGHT_PARTS <= best:
                return self._top, True
            return _beside(left, best, right), False
        return (self._outwards() if 2 * self._width > width else self._top), False

    def _take(self, size: int) -> None:
        """Try ``size`` and keep the three sizes around the best."""
        best = self._best
        if self._worth(size) > self._worth(best):
            self._best = size
            self._left, self._right = (self._left, best) if size < best else (best, self._right)
        elif size < best:
            self._left = size
        else:
            self._right = size

    def _outwards(self) -> int:
        """Return the middle of the longer side on the logarithmic scale, or the end of the range itself.

        The right side comes first while what lies at its end reverts, or was never tried.
        """
        left, best, right = self._left, self._best, self._right
        if self._is_known(right) and best * best >= left * right:
            return isqrt(left * best)
        middle = isqrt(best * right)
        return right if right not in self._tried and right - middle <= right // 16 else middle

    def _parabola_top(self) -> int:
        points = [(size, self._worth(size)) for size in (self._left, self._best, self._right)]
        return _vertex(*points)

    def _worth(self, size: int) -> int:
        """Return the gain of ``size``; a run that reverts is worse than anything."""
        if size not in self._tried:
            self._tried[size] = self._gain(size)
        found = self._tried[size]
        return _REVERTED if found is None else found

    def _is_known(self, size: int) -> bool:
        return self._tried.get(size) is not None


_REVERTED = -(2**256)


def _beside(left: int, best: int, right: int) -> int:
    """Return a size close to the best, on its longer side: it tightens the three that hold the top."""
    step = max(best // BESIDE_PARTS, 1)
    return max(best - step, left + 1) if best - left > right - best else min(best + step, right - 1)


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
    prices = read_prices(priced_symbols(job), job.book, view)
    gas_price_wei = fees_of(view.block(), job.strategy.gas).max_fee_wei
    refused: Denied | None = None
    for size in (blind.maximum, blind.minimum):
        sized = job.with_blind(blind.name, size)
        try:
            amounts = known_amounts(sized)
            return next(attempts(sized, candidates(sized, amounts, view, prices, gas_price_wei), amounts))
        except Denied as error:
            refused = error
    assert refused is not None, "both sizes were refused"
    raise refused
