"""Whether there is room: dollars and counts per transaction and in 24 h, gas and fees."""

from __future__ import annotations

from tidegate.custody.asking import Ask
from tidegate.custody.checks.denial import deny
from tidegate.model import Reason, UnsignedTransaction


def notional_within(ask: Ask) -> None:
    """Hold what moves to the limits per transaction and in 24 h; what nobody values must be listed."""
    judgement = ask.judge()
    if judgement is None:
        return  # a policy refuses it: `policies_hold` says so
    capability = ask.held.capability
    if judgement.unvalued and _per_day(ask, judgement.unvalued) is None:
        deny(
            Reason.UNVALUED,
            "the signer can not value this, and the capability does not list it as unvalued",
            judgement.unvalued,
            ", ".join(f"{one.target or ''}:{one.function}" for one in capability.unvalued) or "nothing",
        )
    used = ask.state.window(ask.held.line).used(ask.freed_ms).notional_usd_e6
    _within(
        Reason.NOTIONAL_LIMIT,
        "notional",
        judgement.notional_usd_e6,
        capability.notional_tx_usd_e6,
        ask.charge(judgement).notional_usd_e6,
        used,
        capability.notional_day_usd_e6,
    )


def at_risk_within(ask: Ask) -> None:
    """Hold what may be lost to the limits per transaction and in 24 h."""
    judgement = ask.judge()
    if judgement is None:
        return
    capability = ask.held.capability
    used = ask.state.window(ask.held.line).used(ask.freed_ms).at_risk_usd_e6
    _within(
        Reason.AT_RISK_LIMIT,
        "at-risk",
        judgement.at_risk_usd_e6,
        capability.at_risk_tx_usd_e6,
        ask.charge(judgement).at_risk_usd_e6,
        used,
        capability.at_risk_day_usd_e6,
    )


def count_within(ask: Ask) -> None:
    """Demand room for one more transaction in 24 h, and for one more that nobody values."""
    judgement = ask.judge()
    if judgement is None:
        return
    capability, charge = ask.held.capability, ask.charge(judgement)
    window = ask.state.window(ask.held.line)
    used = window.used(ask.freed_ms).transactions
    if charge.transactions and used + charge.transactions > capability.tx_day:
        deny(
            Reason.COUNT_LIMIT,
            "no further transaction today",
            f"{used} in the last 24 h",
            f"{capability.tx_day}",
        )
    if charge.unvalued:
        per_day = _per_day(ask, charge.unvalued) or 0
        signed = window.unvalued(charge.unvalued, ask.freed_ms)
        if signed + 1 > per_day:
            deny(
                Reason.COUNT_LIMIT,
                f"no further {charge.unvalued} today",
                f"{signed} in the last 24 h",
                f"{per_day}",
            )


def gas_within(ask: Ask) -> None:
    """Hold gas limit and fees to the capability's caps."""
    content, capability = ask.content, ask.held.capability
    if not isinstance(content, UnsignedTransaction):
        return
    if content.gas_limit > capability.gas_limit_max:
        deny(
            Reason.GAS_CAP,
            "the gas limit is above the cap",
            f"{content.gas_limit}",
            f"at most {capability.gas_limit_max}",
        )
    if content.max_fee_wei > capability.max_fee_wei:
        deny(
            Reason.FEE_CAP,
            "the max fee is above the cap",
            f"{content.max_fee_wei} wei",
            f"at most {capability.max_fee_wei} wei",
        )
    if content.max_priority_fee_wei > content.max_fee_wei:
        deny(
            Reason.FEE_CAP,
            "the priority fee is above the max fee",
            f"{content.max_priority_fee_wei} wei",
            f"at most {content.max_fee_wei} wei",
        )


def _per_day(ask: Ask, unvalued: str) -> int | None:
    return ask.held.capability.unvalued_per_day.get(unvalued)


def _within(reason: Reason, what: str, once: int, once_max: int, more: int, used: int, day_max: int) -> None:
    if once > once_max:
        deny(
            reason, f"{what} above the limit per transaction", f"{once} usd_e6", f"at most {once_max} usd_e6"
        )
    if more and used + more > day_max:
        deny(
            reason,
            f"{what} above the limit of 24 h",
            f"{used} + {more} usd_e6",
            f"at most {day_max} usd_e6",
        )
