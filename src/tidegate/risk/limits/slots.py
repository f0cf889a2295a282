"""Where an intent stands in a limit: in which scopes, adding how much, and whether there is room."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tidegate.model import Denied, Intent, Plan, Reason, format_usd
from tidegate.risk.limits.meter import Tally, total
from tidegate.risk.limits.rows import Limit, Measure, Over

GWEI = 10**9


class Slot(msgspec.Struct, frozen=True):
    """A limit in one of the scopes of an intent, how much the intent would add to it, and what is counted."""

    limit: Limit
    scope: str
    allowed: int
    adding: int
    tally: Tally


def at_worst(plan: Plan) -> dict[Measure, int]:
    """Return what a plan may lose, and pay for gas: its limit at its highest price, rounded up."""
    return {
        Measure.LOSS: plan.at_risk_usd_e6,
        Measure.GAS: -(-plan.gas_at_worst_wei // GWEI),
    }


def exceeds(slot: Slot, used: int) -> bool:
    """Say whether the limit has no room for what the slot would add to ``used``."""
    match slot.limit.measure:
        case Measure.FAILED_SHARE:
            return used > slot.allowed
        case Measure.EXPOSURE if slot.adding <= 0:
            return False
        case _:
            return used + max(1, slot.adding) > slot.allowed


def scopes_of(limit: Limit, intent: Intent) -> Iterator[tuple[str, int]]:
    """Yield the scopes of ``limit`` that the intent touches, with the exposure that it adds there."""
    desk = f"desk:{intent.desk}"
    match limit.over:
        case Over.GLOBAL:
            yield "global", 0
        case Over.DESK:
            yield desk, total(item.change_usd_e6 for item in intent.exposures)
        case Over.CHAIN:
            yield f"chain:{intent.chain_id}", 0
        case Over.STRATEGY:
            yield f"strategy:{intent.subject}", 0
        case Over.VENUE:
            yield from ((f"venue:{venue}", 0) for venue in dict.fromkeys(intent.venues))
        case Over.TOKEN:
            yield from ((f"token:{token}", 0) for token in dict.fromkeys(intent.tokens))
        case Over.DESK_TOKEN:
            for token in dict.fromkeys(item.token for item in intent.exposures):
                changes = (item.change_usd_e6 for item in intent.exposures if item.token == token)
                yield f"{desk},token:{token}", total(changes)
        case Over.DESK_VENUE:
            for venue in dict.fromkeys(item.venue for item in intent.exposures):
                changes = (item.change_usd_e6 for item in intent.exposures if item.venue == venue)
                yield f"{desk},venue:{venue}", total(changes)


def adding_of(limit: Limit, intent: Intent, change: int) -> int:
    """Return how much the intent adds to a limit, before there is a plan."""
    match limit.measure:
        case Measure.NOTIONAL:
            return max(
                1, intent.notional_usd_e6
            )  # where nothing may move, an intent that says 0 may not either
        case Measure.EXPOSURE:
            return change
        case Measure.ORDERS | Measure.OPEN_INTENTS | Measure.OPEN_TRANSACTIONS:
            return 1
        case _:
            return 0


def no_room(slot: Slot, used: int) -> Denied:
    """Return the refusal: which limit, where, the figures, and what to do."""
    name, own = slot.limit.name, slot.limit.over is Over.STRATEGY
    shown = format_usd if name.endswith("_usd_e6") else str
    where = slot.scope.removeprefix("strategy:") if own else slot.scope
    fails = slot.limit.measure in {Measure.FAILED_SHARE, Measure.FAILED_STREAK}
    forgive = f", or, once it is known why: tidegate resume --scope {slot.scope} --breaker failed_share"
    more = f", and {shown(slot.adding)} more" if slot.adding > 1 else ""
    return Denied(
        Reason.LIMIT,
        f"{name.removesuffix('_usd_e6')} of {where} has no room",
        found=f"{shown(used)} used{more}",
        allowed=shown(slot.allowed),
        fix="wait until it rolls off, or raise it under `limits` "
        + ("in the strategy file" if own else "in tidegate.toml")
        + (f'{forgive} --reason "..." --evidence "..."' if fails else ""),
    )
