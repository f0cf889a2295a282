"""What the demo journals about the market at each block."""

from __future__ import annotations

from tidegate.app.market import Market
from tidegate.app.progress import FEED, OUTSIDE, V2, V3
from tidegate.ledger import MarketBody
from tidegate.model import format_units
from tidegate.sim import ExactWorld

V2_FEE_BPS, V3_FEE_BPS = 30, 5


def market_body(world: ExactWorld, market: Market) -> MarketBody:
    """Return the market event of the newest block."""
    block, prices = world.block(), market.prices(world)
    shown = {
        V2: prices.v2_usd_e8,
        V3: prices.v3_usd_e8,
        FEED: prices.feed_usd_e8,
        OUTSIDE: prices.outside_usd_e8,
    }
    return MarketBody(
        block=block.number,
        prices={name: format_units(price, 8, 4) for name, price in shown.items()},
        base_fee_wei=block.base_fee_wei,
        thresholds_bps={f"{V2} | {V3}": V2_FEE_BPS + V3_FEE_BPS},
    )
