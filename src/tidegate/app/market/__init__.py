"""A seeded market on a devnet: prices that wander, traders who act on them with keys of their own.

The demo, paper runs and benchmarks move their worlds with it.
"""

from tidegate.app.market.crowd import Crowd
from tidegate.app.market.inclusion import PaperBlocks
from tidegate.app.market.simulator import Market, Move, Prices

__all__ = ["Crowd", "Market", "Move", "PaperBlocks", "Prices"]
