"""Chainlink price feeds, and a feed of ours with the same interface whose owner sets each round."""

from tidegate.venues.chainlink import events
from tidegate.venues.chainlink.deploy import PriceFeed, deploy_price_feed, set_answer, set_round
from tidegate.venues.chainlink.rounds import LATEST_ROUND, Round, decode_round

__all__ = [
    "LATEST_ROUND",
    "PriceFeed",
    "Round",
    "decode_round",
    "deploy_price_feed",
    "events",
    "set_answer",
    "set_round",
]
