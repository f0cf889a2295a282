"""Limits: how much, how often, how many at once, how much lost; by scope, rolling by event time."""

from tidegate.risk.limits.book import LimitBook
from tidegate.risk.limits.restore import release_failures, restore_limits
from tidegate.risk.limits.rows import (
    DAY_S,
    HOUR_S,
    LIMITS,
    MINUTE_S,
    RUN_LIMITS,
    WEEK_S,
    Limit,
    Measure,
    Over,
)
from tidegate.risk.limits.table import PAPER_DEFAULTS, STAGE_DEFAULTS, LimitTable, RunLimits

__all__ = [
    "DAY_S",
    "HOUR_S",
    "LIMITS",
    "MINUTE_S",
    "PAPER_DEFAULTS",
    "RUN_LIMITS",
    "STAGE_DEFAULTS",
    "WEEK_S",
    "Limit",
    "LimitBook",
    "LimitTable",
    "Measure",
    "Over",
    "RunLimits",
    "release_failures",
    "restore_limits",
]
