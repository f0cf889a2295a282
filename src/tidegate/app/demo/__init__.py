"""The demo: the atomic desk in paper on a devnet whose market moves by a seed.

``run_demo`` does it; the command line shows it. Figures come from the journal alone.
"""

from tidegate.app.demo.run import (
    FAILED_SHARE_BPS,
    LEVERAGE_CLOSE,
    LEVERAGE_OPEN,
    Options,
    Result,
    run_demo,
    shipped_strategies,
)
from tidegate.app.demo.view import LiveView
from tidegate.app.progress import Progress

__all__ = [
    "FAILED_SHARE_BPS",
    "LEVERAGE_CLOSE",
    "LEVERAGE_OPEN",
    "LiveView",
    "Options",
    "Progress",
    "Result",
    "run_demo",
    "shipped_strategies",
]
