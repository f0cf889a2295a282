"""Endpoints in quarantine, as the ledger has them, and a person's word that one may be asked anew."""

from __future__ import annotations

from tidegate.ledger import EndpointBody, Journal, JournalReader
from tidegate.model import RecordKind
from tidegate.risk.stops.order import ResumeNote

ACTOR = "resume"
RELEASED = "released"


def quarantined(journal: JournalReader) -> tuple[EndpointBody, ...]:
    """Return the endpoints that stand in quarantine."""
    return tuple(EndpointBody.from_body(one.body) for one in journal.standing(EndpointBody.TOPIC))


def let_go(journal: Journal, note: ResumeNote) -> EndpointBody | None:
    """Write that a person lets go of an endpoint; return its quarantine, None if it is in none.

    Raises
    ------
    Unavailable
        If it can not be written; then it stays in quarantine.
    """
    found = next((body for body in quarantined(journal) if body.name == note.endpoint), None)
    if found is None:
        return None
    body = EndpointBody(
        chain=found.chain,
        chain_id=found.chain_id,
        endpoint=found.endpoint,
        state="cooling",
        cause=RELEASED,
        detail=f"{note.reason} (evidence: {note.evidence})",
        who=note.who,
    )
    journal.append(RecordKind.ENDPOINT, body, actor=ACTOR)
    return found
