"""The halt of one key on one chain: durable, seen by every later start, lifted by a person alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tidegate.chain.nonces import ACTOR, Appends
from tidegate.ledger import HaltBody, Record, Standing
from tidegate.model import Denied, Reason, RecordKind


class HaltJournal(Appends, Protocol):
    """The ledger, as far as halts are read from it."""

    def standing(self, topic: str) -> list[Standing]:
        """Return what stands of a topic."""
        ...

    def records(self, kind: RecordKind | None = None) -> Iterator[Record]:
        """Yield the records of a kind, oldest first."""
        ...


class KeyHalt:
    """Whether a key is halted, and what people have explained of it.

    Attributes
    ----------
    scope
        ``key:CHAIN:ACCOUNT``.
    body
        The halt in force, None without one.
    explained_below
        Below this nonce a person has answered for whatever the chain says; 0 if nobody has.
    """

    def __init__(self, journal: HaltJournal, scope: str) -> None:
        self._journal = journal
        self.scope = scope
        self.body: HaltBody | None = None
        self.explained_below = 0

    def recall(self) -> None:
        """Take up what the ledger says: a restart lifts nothing, and forgets no word of a person."""
        halts = (HaltBody.from_body(one.body) for one in self._journal.standing(HaltBody.TOPIC))
        self.body = next((one for one in halts if one.scope == self.scope), None)
        told = (HaltBody.from_body(record.body) for record in self._journal.records(kind=RecordKind.HALT))
        self.explained_below = max(
            (one.explained_below for one in told if one.scope == self.scope), default=0
        )

    def halt(self, detail: str) -> None:
        """Halt the key, unless it is: durable when this returns."""
        if self.body is None:
            body = HaltBody(scope=self.scope, who=ACTOR, detail=detail)
            self._journal.append(RecordKind.HALT, body, actor=ACTOR)
            self.note(body)

    def note(self, body: HaltBody) -> None:
        """Take note of a halt whose record is written."""
        self.body = body

    def lift(self, *, who: str, why: str, explained_below: int) -> None:
        """Lift the halt, for a person; over only once that is on disk."""
        body = HaltBody(scope=self.scope, who=who, detail=why, lifted=True, explained_below=explained_below)
        self._journal.append(RecordKind.HALT, body, actor=ACTOR)
        self.body, self.explained_below = None, explained_below

    def as_denied(self) -> Denied | None:
        """Return the refusal that says what halted the key; None if nothing did."""
        if self.body is None:
            return None
        return Denied(
            Reason.HALTED,
            f"{self.scope} is halted",
            found=self.body.detail,
            allowed="exits, until a person has looked and resumed it",
            fix=f'tidegate resume --scope {self.scope} --reason "..." --evidence "..."',
        )
