"""After a start: what an earlier process left open is found, and taken up or ended.

Without signed bytes nothing can have left: the intent ends as denied (``abandoned``). With
signed bytes only the chain knows: the run is adopted and followed, never signed anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.ledger import Journal, OutcomeBody, RecoveryBody
from tidegate.model import OutcomeKind, Reason, RecordKind
from tidegate.pipeline.run import Run, read_run
from tidegate.pipeline.street import Street


def recover(street: Street, journal: Journal, open_intents: Iterable[str]) -> list[Run]:
    """Take up or end every open intent; return the runs that the street now follows."""
    adopted = []
    for intent_id in open_intents:
        run = read_run(journal.records(correlation_id=intent_id))
        if run is None or run.outcome is not None:
            continue
        if run.may_have_left:
            body = RecoveryBody(
                found=_how_far(run),
                chain_says="not asked yet",
                done="followed: the chain decides",
            )
            street.adopt(run)
            adopted.append(run)
            journal.append(body.KIND, body.to_body(), actor="recovery", correlation_id=intent_id)
            continue
        body = RecoveryBody(found=_how_far(run), chain_says="nothing was signed", done="ended: abandoned")
        journal.append(body.KIND, body.to_body(), actor="recovery", correlation_id=intent_id)
        outcome = OutcomeBody(
            kind=OutcomeKind.DENIED, reason=Reason.ABANDONED, detail=Reason.ABANDONED.meaning
        )
        journal.append(outcome.KIND, outcome.to_body(), actor="recovery", correlation_id=intent_id)
    return adopted


def _how_far(run: Run) -> str:
    for kind in (RecordKind.SENT, RecordKind.SIGNATURE, RecordKind.NONCE, RecordKind.PLAN):
        if kind in run.written:
            return kind.value
    return RecordKind.INTENT.value
