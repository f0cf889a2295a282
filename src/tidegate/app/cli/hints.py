"""What a person can do about a refusal in a paper world, and where its record stands."""

from __future__ import annotations

from tidegate.model import Reason

_ONE_WORLD = (
    "if it rests on an earlier run: each run starts a new paper world; run several files in order in one "
    "command to carry state over: tidegate strategy run FIRST.yaml SECOND.yaml"
)
_ANOTHER_MARKET = "try another market (--seed, --moves), or give the size in a blinds file (--blinds)"

_HINTS: dict[Reason, str] = {
    Reason.NO_OPPORTUNITY: _ANOTHER_MARKET,
    Reason.UNPROFITABLE: _ANOTHER_MARKET,
    Reason.SIMULATION_REVERTED: _ONE_WORLD,
    Reason.BOUNDS: "see what the strategy may spend and must gain: tidegate strategy explain FILE",
    Reason.GUARD_FAILED: "see what each guard asks: tidegate strategy explain FILE",
    Reason.GAS_CAP: "see the strategy's `gas` block: max_gas, max_base_fee",
    Reason.FLASH_LIQUIDITY: "name another `provider`, raise `max_fee`, or borrow less",
}


def hint(reason: Reason) -> str | None:
    """Return what may help against a refusal; None where no general advice is true."""
    return _HINTS.get(reason)


def where_to_look(intent_id: str | None) -> str:
    """Return the command that shows why; without an intent the decision is all that there is."""
    if intent_id is None:
        return "tidegate journal tail --kind decision"
    return f"tidegate journal show {intent_id}"
