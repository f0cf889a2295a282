"""What the journal holds of breakers, and what a refusal by one says."""

from __future__ import annotations

import msgspec

from tidegate.ledger import BreakerBody, JournalReader
from tidegate.model import Denied, Reason
from tidegate.risk.breakers.breaker import Breaker
from tidegate.risk.breakers.step import MEASURED, State, Transition


class Masked(msgspec.Struct, frozen=True):
    """A breaker that masks an operation, and the level at which it does."""

    breaker: Breaker
    level: int
    code: str
    value: str

    def as_denied(self) -> Denied:
        """Return the refusal that names the breaker, its level and its measure."""
        breaker = self.breaker
        threshold = breaker.levels[self.level - 1].threshold
        return Denied(
            Reason.BREAKER,
            f"breaker {breaker.name} of {breaker.scope} is at level {self.level} ({self.code})",
            found=f"{breaker.input} {self.value or 'unknown'}",
            allowed=f"{'below' if breaker.side > 0 else 'above'} {threshold}, or an exit",
            fix=f"wait until it steps down; if latched: tidegate resume --scope {breaker.scope} "
            f'--breaker {breaker.name} --reason "..." --evidence "..."',
        )


def read_states(journal: JournalReader) -> dict[str, State]:
    """Return the newest state of every breaker that a journal knows, by scope and name.

    A hold begins anew: nobody looked while no process ran.
    """
    newest: dict[str, State] = {}
    for standing in journal.standing(BreakerBody.TOPIC):
        body = BreakerBody.from_body(standing.body)
        fields = {name: getattr(body, name) for name in State.__struct_fields__}
        newest[f"{body.scope}/{body.breaker}"] = State(**{**fields, "quiet_since_ms": None})
    return newest


def body_of(breaker: Breaker, state: State, transition: Transition | None) -> BreakerBody:
    """Return the record of a round: the state after it, and how it came there."""
    fields = {name: getattr(state, name) for name in State.__struct_fields__}
    moved = transition or Transition(MEASURED, state.level, state.level)
    return BreakerBody(
        breaker=breaker.name,
        scope=breaker.scope,
        code=moved.code,
        previous=moved.previous,
        **fields,
    )
