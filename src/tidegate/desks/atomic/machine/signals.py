"""The inputs of alerts as pure verdicts: what was measured, what it is held against, how loud it is.

A rule of the watch routes what stands here; nothing here sends, stops or remembers. Sources of the figures:
thresholds of the desk, one function each, at the bound quiet and beyond it not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tidegate.model import BPS, OutcomeKind, mul_div_down

WINDOW_MS = 86_400_000
WINDOW_RUNS = 100
RUNS_MIN = 20
FAILURES_MAX_BPS = 500
GAS_SHARE_MAX_BPS = 8_000
HEALTH_CRITICAL_E18, HEALTH_WARNING_E18 = 11 * 10**17, 125 * 10**16
SLIPPAGE_MAX_BPS = 100
LIQUIDITY_SPARE_BPS = 11_000
LENDER_SHARE_MAX_BPS = 5_000


class Level(StrEnum):
    """How loud a signal is."""

    QUIET = "quiet"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Signal:
    """One input of an alert. ``value`` and ``bound`` are integers in ``unit``.

    ``what`` is the alert, ``about`` what of: a feed, a token, a protocol; empty for the strategy itself.
    """

    what: str
    level: Level
    value: int
    bound: int
    unit: str
    about: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, and when, in milliseconds since the Unix epoch."""

    kind: OutcomeKind
    at_ms: int


@dataclass(frozen=True, slots=True)
class Shares:
    """What became of the runs that were sent: the last 100 that were included, of the last 24 h."""

    landed: int
    reverted: int
    dropped: int

    @property
    def included(self) -> int:
        """Return how many a block held."""
        return self.landed + self.reverted

    @property
    def failure_ratio(self) -> float:
        """Return reverted of included; 0 while nothing was."""
        return self.reverted / self.included if self.included else 0.0

    @property
    def success_ratio(self) -> float:
        """Return landed of included; 1 while nothing was."""
        return self.landed / self.included if self.included else 1.0

    @property
    def inclusion_ratio(self) -> float:
        """Return included of all that were sent; 1 while nothing was."""
        sent = self.included + self.dropped
        return self.included / sent if sent else 1.0


def shares_of(ended: Sequence[Ended], now_ms: int) -> Shares:
    """Count the newest runs. ``ended`` stands in its order; what was denied was never sent and counts not."""
    recent = [one.kind for one in ended if one.at_ms > now_ms - WINDOW_MS]
    included = [kind for kind in recent if kind in (OutcomeKind.LANDED, OutcomeKind.REVERTED)][-WINDOW_RUNS:]
    return Shares(
        landed=included.count(OutcomeKind.LANDED),
        reverted=included.count(OutcomeKind.REVERTED),
        dropped=min(recent.count(OutcomeKind.DROPPED), WINDOW_RUNS),
    )


def failures(shares: Shares) -> Signal:
    """Judge the share of failures: 5 of 100 is quiet, 6 of 100 and 2 of 20 are not; below 20 nothing is."""
    is_many = shares.reverted * BPS > FAILURES_MAX_BPS * shares.included
    return Signal(
        "transaction_failures",
        Level.CRITICAL if is_many and shares.included >= RUNS_MIN else Level.QUIET,
        shares.reverted,
        mul_div_down(shares.included, FAILURES_MAX_BPS, BPS),
        f"reverted of {shares.included}",
    )


def gas_ceiling(block_gas_limit: int, transaction_gas_max: int | None) -> int:
    """Return ⌊0.8·min(block limit, transaction cap)⌋: 60,000,000 under a cap of 2²⁴ gives 13,421,772."""
    most = block_gas_limit if transaction_gas_max is None else min(block_gas_limit, transaction_gas_max)
    return mul_div_down(most, GAS_SHARE_MAX_BPS, BPS)


def gas(gas_limit: int, block_gas_limit: int, transaction_gas_max: int | None) -> Signal:
    """Judge a plan's gas limit, which is never below what the run uses, against the ceiling."""
    ceiling = gas_ceiling(block_gas_limit, transaction_gas_max)
    return Signal("gas", Level.CRITICAL if gas_limit > ceiling else Level.QUIET, gas_limit, ceiling, "gas")


def oracle_age(feed: str, age_s: int, max_age_s: int) -> Signal:
    """Judge a feed's age; ``max_age_s`` is its heartbeat and a tenth. One from the future is as dead."""
    is_stale = not 0 <= age_s <= max_age_s
    return Signal(
        "oracle_stale", Level.CRITICAL if is_stale else Level.QUIET, age_s, max_age_s, "seconds", feed
    )


def health_factor(protocol: str, factor_e18: int) -> Signal:
    """Judge a health factor: below 1.1 critical, below 1.25 a warning."""
    level = Level.WARNING if factor_e18 < HEALTH_WARNING_E18 else Level.QUIET
    if factor_e18 < HEALTH_CRITICAL_E18:
        level = Level.CRITICAL
    return Signal("health_factor", level, factor_e18, HEALTH_WARNING_E18, "ratio_e18", protocol)


def slippage(worst_bps: int) -> Signal:
    """Judge the worst realised slippage of a run, in bps rounded up."""
    level = Level.WARNING if worst_bps > SLIPPAGE_MAX_BPS else Level.QUIET
    return Signal("slippage", level, worst_bps, SLIPPAGE_MAX_BPS, "bps")


def lender_liquidity(lender: str, asset: str, liquidity: int, largest_loan: int) -> Signal:
    """Judge what a lender has, in base units, against 1.1 times the largest planned loan, rounded up."""
    needed = -(-largest_loan * LIQUIDITY_SPARE_BPS // BPS)
    level = Level.WARNING if liquidity < needed else Level.QUIET
    return Signal("lender_liquidity", level, liquidity, needed, "base units", f"{lender}/{asset}")


def lender_share(lent_usd_e6: Mapping[str, int], loans: int) -> Signal | None:
    """Judge the largest lender's share of what was borrowed; quiet before the second loan."""
    total = sum(lent_usd_e6.values())
    if not total:
        return None
    lender = max(sorted(lent_usd_e6), key=lambda name: lent_usd_e6[name])
    share_bps = mul_div_down(lent_usd_e6[lender], BPS, total)
    is_large = loans > 1 and lent_usd_e6[lender] * BPS > LENDER_SHARE_MAX_BPS * total
    level = Level.WARNING if is_large else Level.QUIET
    return Signal("lender_share", level, share_bps, LENDER_SHARE_MAX_BPS, "bps", note=lender)


def residue(token: str, left: int) -> Signal:
    """Judge what a run left on the executor of a token that no bound of its strategy names."""
    return Signal("residue", Level.WARNING if left > 0 else Level.QUIET, left, 0, "base units", token)
