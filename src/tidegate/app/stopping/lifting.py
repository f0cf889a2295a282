"""What a person ends from another process: notes that the running process acts on at its next beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tidegate.model import Unavailable
from tidegate.risk.stops.order import ResumeNote

if TYPE_CHECKING:
    from tidegate.risk import BreakerBook, StopFolder


class DeskHalts(Protocol):
    """Halts of desks and chains (``pipeline.HaltBook``)."""

    def lift(self, scope: str, *, who: str, why: str) -> None:
        """Lift the halt of a scope, if there is one."""
        ...


class KeyHalts(Protocol):
    """The halt of one key (``chain.Sender``)."""

    @property
    def scope(self) -> str:
        """Return ``key:CHAIN:ACCOUNT``."""
        ...

    async def lift(self, *, who: str, why: str) -> None:
        """Lift the halt of the key, if there is one."""
        ...


async def take_notes(
    folder: StopFolder, *, breakers: BreakerBook, halts: DeskHalts, keys: tuple[KeyHalts, ...] = ()
) -> None:
    """Act on notes of people who resumed a breaker, or lifted a halt. Stops take their own notes.

    A key's halt is lifted only while the chain answers; until then its note waits.
    """
    breakers.take_notes(folder)
    lift_halts(folder, halts)
    for path, note in folder.notes():
        for key in keys:
            if note.halt == key.scope:
                try:
                    await key.lift(who=note.who, why=_why(note))
                except Unavailable:
                    continue
                folder.discard_note(path)


def lift_halts(folder: StopFolder, halts: DeskHalts) -> None:
    """Lift the halts of desks and chains that people's notes name."""
    for path, note in folder.notes():
        if note.halt and not note.halt.startswith("key:"):
            halts.lift(note.halt, who=note.who, why=_why(note))
            folder.discard_note(path)


def _why(note: ResumeNote) -> str:
    return f"{note.reason} (evidence: {note.evidence})"


def note_for(
    *,
    scope: str,
    who: str,
    reason: str,
    evidence: str,
    at_ms: int,
    stop_id: str = "",
    breaker: str = "",
    halt: str = "",
    endpoint: str = "",
) -> ResumeNote:
    """Return a person's note; exactly one of ``stop_id`` and what follows it says what it ends."""
    return ResumeNote(
        scope=scope,
        who=who,
        reason=reason,
        evidence=evidence,
        at_ms=at_ms,
        stop_id=stop_id,
        breaker=breaker,
        halt=halt,
        endpoint=endpoint,
    )
