"""No swap may execute far from what the price feeds say, and the feeds must be alive."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model import BPS, GuardResult, Placement, mul_div_up
from tidegate.risk.guards.facts import Read
from tidegate.risk.guards.feeds import Feed, feeds_of, split_pair
from tidegate.risk.guards.interface import GuardContext, Parameter, ParameterKind, verdict
from tidegate.risk.guards.onchain import OnChainCheck, Position
from tidegate.venues import LimitKind
from tidegate.venues.chainlink import LATEST_ROUND, decode_round
from tidegate.venues.executor import Comparison


class OracleSanity:
    """Compares swaps of ``pair`` with the pair's USD feeds.

    Before and after: the feeds are fresh and positive, and each swap of the pair is priced within
    ``max_deviation`` of them. Inside: each feed is fresh and still near its price at planning. Where
    the pair has two feeds each may move by half of ``max_deviation``, so that their ratio stays
    within it.
    """

    name = "oracle_sanity"
    placements = frozenset(Placement)
    parameters: Mapping[str, Parameter] = {
        "pair": Parameter(ParameterKind.PAIR, is_required=True),
        "max_deviation": Parameter(ParameterKind.BPS, default=100, low=1, high=2_000),
        "max_age": Parameter(ParameterKind.SECONDS, low=1, high=7 * 86_400),
    }

    def reads(self, context: GuardContext) -> tuple[Read, ...]:
        """Return the newest round of each feed."""
        return tuple(Read(feed.address, LATEST_ROUND) for feed in _feeds(context))

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the quoted swaps by the feeds at the head."""
        return self._judged(Placement.PRE, context, {})

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:
        """Return one check for each feed, around its price in ``context.answers``."""
        feeds = _feeds(context)
        lens = context.book.entry("guard_lens").address
        share = context.integer("max_deviation") // len(feeds)
        return tuple(
            OnChainCheck(
                label=f"price of {feed.symbol}",
                read=feed.fresh_price(lens),
                comparison=Comparison.NEAR,
                bound=decode_round(context.answers[Read(feed.address, LATEST_ROUND)]).price_usd_e8,
                position=Position.BEFORE,
                bps=share,
            )
            for feed in feeds
        )

    def post(self, context: GuardContext) -> GuardResult:
        """Judge the realised swaps by the feeds at the block of inclusion."""
        return self._judged(Placement.POST, context, context.realised)

    def _judged(
        self, placement: Placement, context: GuardContext, realised: Mapping[str, int]
    ) -> GuardResult:
        prices = []
        for feed in _feeds(context):
            answer = decode_round(context.answers[Read(feed.address, LATEST_ROUND)])
            age = context.block.timestamp - answer.updated_at_s
            if answer.price_usd_e8 <= 0 or not 0 <= age <= feed.max_age_s:
                return verdict(
                    self.name,
                    placement,
                    passed=False,
                    code="feed_stale" if answer.price_usd_e8 > 0 else "feed_price",
                    measured=age if answer.price_usd_e8 > 0 else answer.price_usd_e8,
                    bound=feed.max_age_s if answer.price_usd_e8 > 0 else 1,
                    unit="seconds" if answer.price_usd_e8 > 0 else "usd_e8",
                    at_block=context.block.number,
                    note=feed.symbol,
                )
            prices.append(answer.price_usd_e8)
        measured = _worst_deviation_bps(context, prices[0], prices[1] if len(prices) > 1 else None, realised)
        bound = context.integer("max_deviation")
        return verdict(
            self.name,
            placement,
            passed=measured <= bound,
            code="price_deviates",
            measured=measured,
            bound=bound,
            unit="bps",
            at_block=context.block.number,
            note=context.text("pair"),
        )


def _feeds(context: GuardContext) -> tuple[Feed, ...]:
    max_age_s = context.parameters.get("max_age")
    return feeds_of(context.text("pair"), context.book, max_age_s if isinstance(max_age_s, int) else None)


def _worst_deviation_bps(
    context: GuardContext, base_price: int, quote_price: int | None, realised: Mapping[str, int]
) -> int:
    """Return how far the worst swap of the pair is from the feeds, in bps of the feeds, rounded up.

    Worth by the feeds: base·price·10^(quote decimals) against quote·price·10^(base decimals).
    """
    base, quote = split_pair(context.text("pair"))
    worst = 0
    for step in context.steps:
        amounts = {step.token_in: step.amount_in, step.token_out: step.amount_out}
        if {base, quote} != set(amounts):
            continue
        if step.step_id in realised:
            side = step.token_out if step.limit_kind is LimitKind.MINIMUM_OUT else step.token_in
            amounts[side] = realised[step.step_id]
        base_worth = amounts[base] * base_price * 10 ** context.book.token(quote).decimals
        quote_worth = amounts[quote] * (quote_price or 10**8) * 10 ** context.book.token(base).decimals
        worst = max(worst, mul_div_up(abs(quote_worth - base_worth), BPS, base_worth))
    return worst
