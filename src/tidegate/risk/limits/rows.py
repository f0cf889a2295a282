"""Every limit of the street, as data: what it measures, over which scope and window.

``docs/reference/limits.md`` is generated from here.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400
WEEK_S = 604_800

LEAST_ATTEMPTS = 20
"""A share of failures says nothing before so many attempts."""


class Over(StrEnum):
    """What a limit is kept for, each by itself."""

    GLOBAL = "global"
    DESK = "desk"
    CHAIN = "chain"
    VENUE = "venue"
    TOKEN = "token"  # noqa: S105  a scope's name
    STRATEGY = "strategy"
    DESK_TOKEN = "desk and token"  # noqa: S105  a scope's name
    DESK_VENUE = "desk and venue"


class Measure(StrEnum):
    """What is added up."""

    NOTIONAL = "notional"  # what an intent moves, from its acceptance on; given back if nothing moved
    ORDERS = "orders"  # intents accepted
    OPEN_INTENTS = "open intents"  # accepted and without an outcome
    OPEN_TRANSACTIONS = "open transactions"  # authorised and without an outcome
    EXPOSURE = "exposure"  # held, and what open intents would add
    LOSS = "loss"  # realised, marked, and what open intents may lose; gains give nothing back
    GAS = "gas"  # paid, and what open transactions may pay
    FAILED_SHARE = "failed share"  # of attempts: rejected or reverted
    FAILED_STREAK = "failed streak"  # failures since the newest success


class Limit(msgspec.Struct, frozen=True):
    """One row. ``window_s`` 0: no window, what is measured counts as long as it lasts.

    The unit is the last part of the name, a count if it names none.
    """

    name: str
    over: Over
    measure: Measure
    window_s: int = 0


def _rows(name: str, measure: Measure, window_s: int, *over: Over) -> tuple[Limit, ...]:
    return tuple(Limit(name, one, measure, window_s) for one in over)


_MOVED = (Over.DESK, Over.CHAIN, Over.VENUE, Over.TOKEN)

LIMITS: tuple[Limit, ...] = (
    *_rows("notional_per_transaction_usd_e6", Measure.NOTIONAL, 0, *_MOVED),
    *_rows("notional_per_hour_usd_e6", Measure.NOTIONAL, HOUR_S, *_MOVED),
    *_rows("notional_per_day_usd_e6", Measure.NOTIONAL, DAY_S, *_MOVED),
    *_rows("open_intents", Measure.OPEN_INTENTS, 0, Over.DESK, Over.CHAIN),
    *_rows("open_transactions", Measure.OPEN_TRANSACTIONS, 0, Over.DESK, Over.CHAIN),
    *_rows("exposure_per_token_usd_e6", Measure.EXPOSURE, 0, Over.DESK_TOKEN),
    *_rows("exposure_per_venue_usd_e6", Measure.EXPOSURE, 0, Over.DESK_VENUE),
    *_rows("exposure_usd_e6", Measure.EXPOSURE, 0, Over.DESK),
    *_rows("loss_per_day_usd_e6", Measure.LOSS, DAY_S, Over.DESK, Over.GLOBAL),
    *_rows("loss_per_week_usd_e6", Measure.LOSS, WEEK_S, Over.DESK, Over.GLOBAL),
    *_rows("orders_per_minute", Measure.ORDERS, MINUTE_S, Over.DESK),
    *_rows("gas_per_day_gwei", Measure.GAS, DAY_S, Over.CHAIN),
    *_rows("failed_share_bps", Measure.FAILED_SHARE, DAY_S, Over.DESK, Over.CHAIN),
    *_rows("consecutive_failures", Measure.FAILED_STREAK, WEEK_S, Over.DESK),
)
"""The street's limits. Shares of failures are taken over a day, a streak ends a week after its failures."""

RUN_LIMITS: tuple[Limit, ...] = (
    *_rows("max_in_flight", Measure.OPEN_INTENTS, 0, Over.STRATEGY),
    *_rows("max_runs_per_hour", Measure.ORDERS, HOUR_S, Over.STRATEGY),
    *_rows("max_loss_per_day_usd_e6", Measure.LOSS, DAY_S, Over.STRATEGY),
)
"""A strategy's own limits, out of its file."""
