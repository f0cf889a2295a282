"""What a person can do about a refusal in a paper world, and where its record stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tidegate.app.remedies import REASONS
from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic import Strategy
from tidegate.model import Reason, format_units
from tidegate.venues import AddressBook, StateView

_ONE_WORLD = (
    "it needs a position, and each run starts a new paper world; to open one first, run both files in one "
    "command: tidegate strategy run FIRST.yaml SECOND.yaml, or on a devnet that stays: tidegate devnet up"
)
_NEED_A_POSITION = {"aave_v3.repay", "aave_v3.withdraw", "aave_v3.set_user_use_reserve_as_collateral"}
_STEP = re.compile(r"\bstep ([\w-]+)")
_SHORT_OF_FUNDS = re.compile(r"\bSTF\b|exceeds balance|insufficient ?balance", re.IGNORECASE)
_ANOTHER_MARKET = "try another market (--seed, --moves), or give the size in a blinds file (--blinds)"

_HINTS: dict[Reason, str] = {
    Reason.NO_OPPORTUNITY: _ANOTHER_MARKET,
    Reason.UNPROFITABLE: _ANOTHER_MARKET,
    Reason.BOUNDS: "see what the strategy may spend and must gain: tidegate strategy explain FILE",
    Reason.GUARD_FAILED: "see what each guard asks: tidegate strategy explain FILE",
    Reason.GAS_CAP: "see the strategy's `gas` block: max_gas, max_base_fee",
    Reason.FLASH_LIQUIDITY: "name another `provider`, raise `max_fee`, or borrow less",
}


def hint(reason: Reason) -> str:
    """Return what may help against a refusal: in paper what helps there, else what always does."""
    return _HINTS.get(reason) or REASONS[reason]


def hint_of_run(
    reason: Reason, detail: str, strategy: Strategy, book: AddressBook, view: StateView
) -> str | None:
    """Return what may help against the refusal of a run; a revert is advised on by the step that failed.

    Parameters
    ----------
    detail
        What the refusal says: it names the failing step, innermost last.
    view
        Where the executor's holdings are read.
    """
    if reason is not Reason.SIMULATION_REVERTED:
        return hint(reason)
    if _SHORT_OF_FUNDS.search(detail):
        holds = _holdings(strategy, book, view)
        return f"the executor holds {holds} of its own; the step moves more than it has by then"
    uses = dict(_uses(strategy.steps))
    failing = next((uses[name] for name in reversed(_STEP.findall(detail)) if name in uses), None)
    return _ONE_WORLD if failing in _NEED_A_POSITION else None


def _uses(steps: Iterable[object]) -> Iterator[tuple[str, str]]:
    """Yield the id and the action of every step that calls one, those inside others too."""
    for step in steps:
        if (use := getattr(step, "use", None)) is not None:
            yield getattr(step, "id", ""), use
        yield from _uses(getattr(step, "steps", ()))


def _holdings(strategy: Strategy, book: AddressBook, view: StateView) -> str:
    executor = book.executor(strategy.executor).address
    asked = encode_call("balanceOf(address)", executor)
    held = {
        symbol: (decode_output(("uint256",), view.call(token.address, asked))[0], token.decimals)
        for symbol, token in book.tokens.items()
    }
    told = [f"{format_units(amount, places)} {symbol}" for symbol, (amount, places) in held.items() if amount]
    return " and ".join(told) or "no token"


def where_to_look(intent_id: str | None) -> str:
    """Return the command that shows why; without an intent the decision is all that there is."""
    if intent_id is None:
        return "tidegate journal tail --kind decision"
    return f"tidegate journal show {intent_id}"
