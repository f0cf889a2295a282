"""A run waits while the price is outside the range that its author reasoned about."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import GuardResult, Placement, mul_div_down, mul_div_up
from tidegate.risk.guards.facts import Read, word
from tidegate.risk.guards.feeds import DOLLAR, feeds_of, split_pair
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck, Position
from tidegate.venues.executor import Comparison

FEED_DECIMALS = 8
DOLLAR_DECIMALS = 6
"""A strategy counts dollars in millionths."""


class PriceRange:
    """The price of ``pair`` by its USD feeds lies in ``low`` to ``high``, both included.

    Before and inside the feeds must be positive and fresh. A price that lies between two base units is
    rounded outward, against the run: down where it meets ``low``, up where it meets ``high``.
    """

    name = "price_range"
    placements = frozenset({Placement.PRE, Placement.IN})
    parameters: Mapping[str, Parameter] = {
        "pair": Parameter(ParameterKind.PAIR, is_required=True),
        "low": Parameter(ParameterKind.PRICE, low=1, is_required=True, of="pair"),
        "high": Parameter(ParameterKind.PRICE, low=1, is_required=True, of="pair", at_least="low"),
        "max_age": Parameter(ParameterKind.SECONDS, low=1, high=7 * 86_400),
    }

    def reads(self, context: GuardContext) -> tuple[Read, ...]:
        """Return the fresh price of each feed, by the lens."""
        return _feeds(context)

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the head."""
        for feed, question in zip(_symbols(context), _feeds(context), strict=True):
            if question not in context.answers:
                return self._judged(context, "feed_stale", None, None, feed)
        low, high = context.integer("low"), context.integer("high")
        lowest, highest = _price(context, up=False), _price(context, up=True)
        if lowest < low:
            return self._judged(context, "price_below_range", lowest, low, context.text("pair"))
        passed = highest <= high
        return self._judged(
            context, "ok" if passed else "price_above_range", highest, high, context.text("pair")
        )

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:
        """Return one check for each end of the range."""
        feeds, scale = _feeds(context), _scale(context)
        over = feeds[1] if len(feeds) > 1 else None
        unit = 1 if over is not None else 10 ** (FEED_DECIMALS - DOLLAR_DECIMALS)
        ends = (("low", Comparison.AT_LEAST), ("high", Comparison.AT_MOST))
        return tuple(
            OnChainCheck(
                label=f"price of {context.text('pair')}, {end}",
                read=feeds[0],
                comparison=comparison,
                bound=context.integer(end) * unit,
                position=Position.BEFORE,
                over=over,
                scale=scale if over is not None else 1,
            )
            for end, comparison in ends
        )

    def post(self, context: GuardContext) -> GuardResult:
        """Refuse: whether the price was right when the run began is not seen at the end of its block."""
        raise NotImplementedError(f"{self.name} does not stand after inclusion")

    def _judged(
        self, context: GuardContext, code: str, measured: int | None, bound: int | None, note: str
    ) -> GuardResult:
        return verdict(
            self.name,
            Placement.PRE,
            passed=code == "ok",
            code=code,
            measured=measured,
            bound=bound,
            unit=f"base units of {split_pair(context.text('pair'))[1]}",
            at_block=context.block.number,
            note=note,
        )


def _feeds(context: GuardContext) -> tuple[Read, ...]:
    max_age_s = context.parameters.get("max_age")
    lens = context.book.entry("guard_lens").address
    feeds = feeds_of(context.text("pair"), context.book, max_age_s if isinstance(max_age_s, int) else None)
    return tuple(feed.fresh_price(lens) for feed in feeds)


def _symbols(context: GuardContext) -> tuple[str, ...]:
    return tuple(symbol for symbol in split_pair(context.text("pair")) if symbol != DOLLAR)


def _scale(context: GuardContext) -> int:
    """Return the base units of the pair's second token in one whole one."""
    quote = split_pair(context.text("pair"))[1]
    decimals = DOLLAR_DECIMALS if quote == DOLLAR else context.book.token(quote).decimals
    return int(10**decimals)


def _price(context: GuardContext, *, up: bool) -> int:
    """Return the price of one whole first token in base units of the second."""
    prices = [word(context.answers[question]) for question in _feeds(context)]
    divide = mul_div_up if up else mul_div_down
    return divide(prices[0], _scale(context), prices[1] if len(prices) > 1 else 10**FEED_DECIMALS)
