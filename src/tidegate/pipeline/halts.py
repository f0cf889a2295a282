"""Halts of a chain or a desk after a divergence or tampering: durable, lifted by a person alone.

A halted key is the sender's own matter; here stand ``chain:ID`` and ``desk:NAME``.
"""

from __future__ import annotations

import msgspec

from tidegate.ledger import HaltBody, Journal
from tidegate.model import Denied, Operation, Reason, RecordKind
from tidegate.risk import Place, Scope

ACTOR = "street"


class Halt(msgspec.Struct, frozen=True):
    """A halt in force."""

    body: HaltBody

    def as_denied(self) -> Denied:
        """Return the refusal that says what halted it."""
        return Denied(
            Reason.HALTED,
            f"{self.body.scope} is halted",
            found=self.body.detail,
            allowed="exits, until a person has looked and resumed it",
            fix=f'tidegate resume --scope {self.body.scope} --reason "..." --evidence "..."',
        )


class HaltBook:
    """The halts of desks and chains, as the ledger has them. Keeps ``StopsPort``."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._halts: dict[str, HaltBody] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read what stands in the ledger anew: after a record that somebody else wrote."""
        found = (HaltBody.from_body(one.body) for one in self._journal.standing(HaltBody.TOPIC))
        self._halts = {body.scope: body for body in found if not body.scope.startswith("key:")}

    def in_force(self) -> tuple[HaltBody, ...]:
        """Return every halt in force."""
        return tuple(self._halts.values())

    def halt(self, scope: str, detail: str) -> None:
        """Halt a desk or chain: in force at once, and durable when this returns."""
        body = HaltBody(scope=scope, who=ACTOR, detail=detail)
        self._halts[scope] = body
        self._journal.append(RecordKind.HALT, body, actor=ACTOR)

    def lift(self, scope: str, *, who: str, why: str) -> None:
        """Lift a halt, for a person; over only once that is on disk."""
        if scope not in self._halts:
            return
        body = HaltBody(scope=scope, who=who, detail=why, lifted=True)
        self._journal.append(RecordKind.HALT, body, actor=ACTOR)
        del self._halts[scope]

    def blocking(self, place: Place, operation: Operation) -> Halt | None:
        """Return the halt that covers the place; an exit is never blocked."""
        if operation.is_exit:
            return None
        covering = (body for body in self._halts.values() if Scope.parse(body.scope).covers(place))
        return next((Halt(body) for body in covering), None)
