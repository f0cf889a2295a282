"""Backtest of the atomic desk: tapes are recorded from a node and decided on again, offline.

``record_market`` and ``DeskRecorder`` write tapes, ``run_backtest`` walks the street over one. Called by the
command line and by tests.
"""

from tidegate.app.backtest.place import new_place
from tidegate.app.backtest.record import DeskRecorder, record_market
from tidegate.app.backtest.run import LATENCY_MAX_BLOCKS, About, run_backtest

__all__ = ["LATENCY_MAX_BLOCKS", "About", "DeskRecorder", "new_place", "record_market", "run_backtest"]
