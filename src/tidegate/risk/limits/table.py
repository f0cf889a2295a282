"""How much of each limit is allowed: a stage's default, a share of the capital, or what a person set."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tidegate.model import BPS, ConfigError, Stage
from tidegate.risk.limits.rows import LIMITS, Limit, Over

_USD = 10**6


class RunLimits(msgspec.Struct, frozen=True):
    """What a strategy may do by its own file. Losses in millionths of a dollar, over a rolling day.

    A run counts against the daily loss with what it may lose at worst from its plan on, and with
    what it did lose once it has ended.
    """

    max_runs_per_hour: int = 60
    max_in_flight: int = 1
    max_loss_per_day_usd_e6: int = 100_000_000


class StageDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage allows if nobody says otherwise: dollars in millionths, gas in gwei."""

    notional_per_transaction_usd_e6: int = 0
    notional_per_hour_usd_e6: int = 0
    notional_per_day_usd_e6: int = 0
    capital_usd_e6: int = 0
    gas_per_day_gwei: int = 0


PAPER_DEFAULTS = StageDefaults(
    notional_per_transaction_usd_e6=10_000_000 * _USD,
    notional_per_hour_usd_e6=1_000_000_000 * _USD,
    notional_per_day_usd_e6=10_000_000_000 * _USD,
    capital_usd_e6=1_000_000 * _USD,
    gas_per_day_gwei=1_000 * 10**9,
)
"""A world of ours holds no value: the figures keep a strategy that ran wild visible, and nothing else."""

STAGE_DEFAULTS: dict[Stage, StageDefaults] = {
    stage: PAPER_DEFAULTS if stage in (Stage.BACKTEST, Stage.PAPER) else StageDefaults() for stage in Stage
}
"""Outside paper everything is 0: nothing moves until a person says how much may."""

COUNTS: dict[str, int] = {
    "open_intents": 8,
    "open_transactions": 16,
    "orders_per_minute": 60,
    "failed_share_bps": 500,
    "consecutive_failures": 5,
}
CAPITAL_SHARES_BPS: dict[str, int] = {
    "exposure_per_token_usd_e6": 1_000,
    "exposure_per_venue_usd_e6": 2_500,
    "exposure_usd_e6": 10_000,
    "loss_per_day_usd_e6": 200,
    "loss_per_week_usd_e6": 500,
}
"""Shares of the capital that is allotted to the desk, or to all desks for the global ones."""

NAMES = tuple(dict.fromkeys(limit.name for limit in LIMITS))


class LimitTable(msgspec.Struct, frozen=True, kw_only=True):
    """What is allowed in one stage.

    Parameters
    ----------
    stage
        Whose defaults hold.
    capital_usd_e6
        What is allotted, by desk.
    allowed
        What a person set, by a limit's name or by ``"NAME SCOPE"``
        (``"notional_per_day_usd_e6 venue:uniswap_v3"``), in the unit of the name. The narrower wins.
    shares_bps
        Shares of the capital that a person set, by a limit's name.

    Raises
    ------
    ConfigError
        ``limit`` for a name that no limit has, or a negative figure.
    """

    stage: Stage
    capital_usd_e6: Mapping[str, int] = {}
    allowed: Mapping[str, int] = {}
    shares_bps: Mapping[str, int] = {}

    def __post_init__(self) -> None:
        for key, value in (*self.allowed.items(), *self.shares_bps.items()):
            if key.split(" ", 1)[0] not in NAMES or value < 0:
                raise ConfigError(
                    "no such limit",
                    code="limit",
                    found=f"{key} = {value}",
                    allowed="0 or more for one of: " + ", ".join(NAMES),
                )
        wrong = sorted(set(self.shares_bps) - set(CAPITAL_SHARES_BPS))
        if wrong:
            raise ConfigError(
                "this limit is no share of the capital",
                code="limit",
                found=", ".join(wrong),
                allowed=", ".join(CAPITAL_SHARES_BPS),
            )

    def allows(self, limit: Limit, scope: str) -> int:
        """Return how much of ``limit`` is allowed in ``scope``; shares of capital round down."""
        for key in (f"{limit.name} {scope}", limit.name):
            if key in self.allowed:
                return self.allowed[key]
        if limit.name in COUNTS:
            return COUNTS[limit.name]
        share = self.shares_bps.get(limit.name, CAPITAL_SHARES_BPS.get(limit.name))
        if share is not None:
            return self._capital(limit, scope) * share // BPS
        allowed: int = getattr(STAGE_DEFAULTS[self.stage], limit.name)
        return allowed

    def _capital(self, limit: Limit, scope: str) -> int:
        default = STAGE_DEFAULTS[self.stage].capital_usd_e6
        if limit.over is Over.GLOBAL:
            return sum(self.capital_usd_e6.values()) if self.capital_usd_e6 else default
        desk = scope.split(",", 1)[0].removeprefix("desk:")
        return self.capital_usd_e6.get(desk, default)
