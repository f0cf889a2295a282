"""Swaps: a price limit on each, a sane one, and price guards that the chain itself checks."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.syntax import ActionStep, Literal, OutputRef, StepNode, Unit
from tidegate.model import Placement
from tidegate.venues import ActionKind

SLIPPAGE_MAX_BPS = 300
PRICE_GUARDS = frozenset({"oracle_sanity", "twap_sanity", "price_range"})
_GIVES = frozenset({ActionKind.SWAP, ActionKind.WITHDRAW, ActionKind.BORROW, ActionKind.WRAP})


def swaps_have_a_slippage_rule(scene: Scene) -> Iterable[Finding]:
    """ATM101: each swap has ``slippage``, or a slippage guard covers it."""
    for step, spec in scene.action_steps():
        if spec.kind is ActionKind.SWAP and scene.slippage_bps_of(step) is None:
            yield Finding(
                "ATM101",
                step.position,
                f"the swap {step.id} has no slippage rule",
                "no slippage",
                f"1 to {SLIPPAGE_MAX_BPS} bps",
                "add slippage: 30 bps",
            )


def slippage_is_sane(scene: Scene) -> Iterable[Finding]:
    """ATM106, ATM107: no slippage can not execute; a large one needs a written reason."""
    for step, _ in scene.action_steps():
        if step.slippage_bps == 0:
            yield Finding(
                "ATM106",
                step.at("slippage"),
                f"the swap {step.id} allows no slippage: any other trade before it reverts the run",
                "0 bps",
                f"1 to {SLIPPAGE_MAX_BPS} bps",
                "allow a little, such as 5 bps; the bounds keep the profit",
            )
        elif (step.slippage_bps or 0) > SLIPPAGE_MAX_BPS and not step.accept_slippage:
            yield Finding(
                "ATM107",
                step.at("slippage"),
                f"the swap {step.id} allows much slippage",
                f"{step.slippage_bps} bps",
                f"1 to {SLIPPAGE_MAX_BPS} bps",
                "lower it, or write accept_slippage: with the reason",
            )


def price_guards_stand_on_chain(scene: Scene) -> Iterable[Finding]:
    """W202: a price that is judged only before sending can have moved when the run executes."""
    for guard, _ in scene.all_guards():
        if guard.name in PRICE_GUARDS and Placement.IN not in guard.placements:
            yield Finding(
                "W202",
                guard.position,
                f"{guard.name} judges the price only off chain",
                f"place: [{', '.join(guard.placements)}]",
                "in among the placements",
                "add in: place: [pre, in]",
            )


def outputs_are_piped(scene: Scene) -> Iterable[Finding]:
    """W201: a fixed amount right after a step that gives that token leaves dust, or reverts."""
    before: ActionStep | None = None
    for place in scene.places.values():
        step = place.step
        if before is not None and _same_scope(scene, before, step) and isinstance(step, ActionStep):
            yield from _literal_after(scene, before, step)
        before = step if isinstance(step, ActionStep) and step.use in scene.actions else None


def _same_scope(scene: Scene, first: StepNode, second: StepNode) -> bool:
    return scene.places[first.id].around == scene.places[second.id].around


def _literal_after(scene: Scene, before: ActionStep, step: ActionStep) -> Iterable[Finding]:
    spec = scene.actions.get(step.use)
    if spec is None or spec.spends is None or scene.actions[before.use].kind not in _GIVES:
        return
    amount = step.inputs.get(spec.spends.amount)
    if not isinstance(amount, Literal) or amount.unit is not Unit.TOKEN:
        return
    for name in scene.actions[before.use].outputs:
        reference = OutputRef(before.id, name, amount.position)
        if name != "amount_in" and scene.output_token(reference) == amount.token:
            yield Finding(
                "W201",
                amount.position,
                f"{step.id} spends a fixed amount of what {before.id} has just given",
                f"a literal amount of {amount.token}",
                f"${before.id}.{name}",
                f"write ${before.id}.{name}: more leaves dust, less reverts",
            )
            return
