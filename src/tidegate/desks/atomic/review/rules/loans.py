"""Flash loans: a gain that the chain demands, an asset that comes back, a pool that is not locked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.scene import Scene, list_items
from tidegate.desks.atomic.language.syntax import ActionStep, FlashStep, Literal, Word, walk
from tidegate.desks.atomic.review.rules.lending import HEALTH_GUARD
from tidegate.model import Placement
from tidegate.venues import ActionKind

_TOKENS_OF_A_POOL = 2
_POSITION = frozenset({ActionKind.SUPPLY, ActionKind.BORROW, ActionKind.REPAY, ActionKind.WITHDRAW})


def loans_are_bounded(scene: Scene) -> Iterable[Finding]:
    """ATM105: with a flash loan some bound must be positive or net of gas.

    A run that opens, moves or lightens a position on a lending market gains nothing by design. There
    the cap on what may be spent (a bound of the asset) together with a health factor checked on chain
    takes the place of the gain.
    """
    bounds = scene.strategy.bounds
    if any(bound.minimum > 0 or bound.net_of_gas for bound in bounds):
        return
    for flash in scene.flash_steps():
        if scene.places[flash.id].around or _changes_a_guarded_position(scene, flash):
            continue
        place = bounds[0].at("min") if bounds else flash.position
        found = ", ".join(f"{bound.token} {bound.minimum} base units" for bound in bounds) or "no bound"
        yield Finding(
            "ATM105",
            place,
            f"the flash loan {flash.id} has no bound that demands a gain",
            found,
            "a bound with min above 0, or net_of_gas: true",
            f"add {{token: {flash.asset}, min: 0.01 {flash.asset}, net_of_gas: true}} to bounds",
        )


def _changes_a_guarded_position(scene: Scene, flash: FlashStep) -> bool:
    lending = [
        step
        for step, spec in scene.action_steps()
        if spec.kind in _POSITION and flash in scene.places[step.id].around
    ]
    guarded = all(
        any(
            guard.name == HEALTH_GUARD and Placement.IN in guard.placements for guard in scene.guards_of(step)
        )
        for step in lending
    )
    capped = any(bound.token == flash.asset for bound in scene.strategy.bounds)
    return bool(lending) and guarded and capped


def loans_come_back(scene: Scene) -> Iterable[Finding]:
    """ATM105: what a scope spends of the borrowed asset, some step of it must bring back.

    A scope that spends the asset and never receives it can only repay out of the executor's own
    holdings; that is meant only where a bound lets that token be spent.
    """
    for flash in scene.flash_steps():
        inside = [step for step in walk(flash.steps) if isinstance(step, ActionStep)]
        if any(step.use not in scene.actions for step in inside):
            continue
        spent = next((step for step in inside if scene.spent_token(step) == flash.asset), None)
        returned = any(flash.asset in scene.given_tokens(step) for step in inside)
        may_spend = any(bound.token == flash.asset and bound.minimum < 0 for bound in scene.strategy.bounds)
        if spent is not None and not returned and not may_spend:
            yield Finding(
                "ATM105",
                flash.position,
                f"nothing in {flash.id} brings back the {flash.asset} that {spent.id} spends",
                f"no step of the scope gives {flash.asset}",
                f"a step that gives at least ${flash.id}.repay of {flash.asset}",
                f"add a step that buys, withdraws or borrows {flash.asset}",
            )


def flash_pools_are_not_swapped(scene: Scene) -> Iterable[Finding]:
    """ATM122: a Uniswap v3 pool that lends is locked until it is repaid.

    A named pool is recognised by its tokens and fee in its name; ``auto`` never takes such a pool. A swap
    by a path may touch the pool of any two of its tokens at any of its fees.
    """
    for flash in scene.flash_steps():
        for provider in flash.providers:
            if not provider.startswith("uniswap_v3"):
                continue
            parts = set(re.split(r"[^A-Za-z0-9]+", provider.lower()))
            for step in walk(flash.steps):
                if isinstance(step, ActionStep) and _touches(step, parts):
                    yield Finding(
                        "ATM122",
                        flash.at("provider"),
                        f"the pool that lends to {flash.id} is locked, and {step.id} swaps in it",
                        provider,
                        "auto, or a lender that no step of the scope swaps in",
                        "write provider: auto",
                    )


def _touches(step: ActionStep, pool: set[str]) -> bool:
    """Say whether a swap may go through a pool, given by the parts of its name."""
    if not step.use.startswith("uniswap_v3."):
        return False
    tokens, fees = set[str](), set[str]()
    for name, value in step.inputs.items():
        for item in list_items(value):
            if isinstance(item, Word):
                tokens.add(item.text.lower())
            elif isinstance(item, Literal) and name.startswith("fee"):
                fees.add(str(item.base_units))
    return len(tokens & pool) >= _TOKENS_OF_A_POOL and bool(fees & pool)
