"""The worst that a strategy can do, in tokens: what its bounds, its gas and its limits let go at most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.wording import in_token, written
from tidegate.desks.atomic.review.rules.lending import HEALTH_GUARD
from tidegate.model import Placement, format_units
from tidegate.venues import NATIVE, ActionKind

_POSITIONS = frozenset({ActionKind.SUPPLY, ActionKind.WITHDRAW, ActionKind.BORROW})


def worst_case(scene: Scene, moved: tuple[str, ...], decimals_of: Mapping[str, int]) -> Iterator[str]:
    """Yield what a run may cost at most, whether it lands or reverts, and what an hour of runs may.

    Parameters
    ----------
    moved
        The tokens whose balance a step may change.
    """
    strategy = scene.strategy
    floors = dict.fromkeys(moved, 0) | {bound.token: bound.minimum for bound in strategy.bounds}
    runs = strategy.limits.max_runs_per_hour
    for token, floor in floors.items():
        if floor < 0:
            hour = in_token(-floor * runs, token, decimals_of)
            yield (
                f"A run that lands takes {in_token(-floor, token, decimals_of)} from the executor, "
                f"the {runs} of an hour {hour}."
            )
    kept = [token for token, floor in floors.items() if floor >= 0]
    if kept:
        yield f"Of {' and '.join(kept)} a run that lands takes nothing from the executor."
    gas = strategy.gas
    price_wei = gas.max_base_fee_wei + gas.priority_fee_wei
    cost = format_units(gas.max_gas * price_wei, 18)
    yield (
        f"Whether it lands or reverts it costs the operator up to {cost} {NATIVE} of gas: {gas.max_gas:,} at "
        f"{format_units(price_wei, 9)} gwei. A run that reverts costs nothing else."
    )
    yield from _positions(scene, decimals_of)
    yield (
        f"After {format_units(strategy.limits.max_loss_per_day_usd_e6, 6)} USD lost in a day nothing more is "
        "sent; what the executor itself may lose of a token in a run and a day is in its policy."
    )


def _positions(scene: Scene, decimals_of: Mapping[str, int]) -> Iterator[str]:
    """Yield what the balance lines do not see: what stands on a lending market."""
    steps = [(step, spec) for step, spec in scene.action_steps() if spec.kind in _POSITIONS]
    for venue in dict.fromkeys(step.use.partition(".")[0] for step, _ in steps):
        kept = [
            written(guard.parameters["min"], decimals_of) if "min" in guard.parameters else "1.2"
            for step, _ in steps
            for guard in scene.guards_of(step)
            if guard.name == HEALTH_GUARD and Placement.IN in guard.placements
        ]
        holds = (
            f"the chain itself holds its health factor at {max(kept)} or more when the run ends"
            if kept
            else "nothing on chain holds its health factor"
        )
        yield f"What is supplied and owed on {venue} is no balance: {holds}; later prices may still take it."
