"""Chainlink price feeds, and a feed of ours with the same interface whose owner sets each round."""

from tidegate.venues.chainlink.deploy import PriceFeed, deploy_price_feed, set_answer, set_round

__all__ = ["PriceFeed", "deploy_price_feed", "set_answer", "set_round"]
