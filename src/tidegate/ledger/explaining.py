"""A person says why books and chain differ: exactly that difference is taken into the books."""

from __future__ import annotations

import msgspec

from tidegate.ledger.journal import Journal
from tidegate.ledger.reader import JournalReader
from tidegate.ledger.reconcile import DIFFERENT
from tidegate.ledger.records import Record
from tidegate.ledger.states import ReconciliationBody
from tidegate.model import ConfigError, RecordKind

EXPLAINED = "explained"


def explain(journal: Journal, seq: int, *, explanation: str, person: str) -> Record:
    """Take the differences that a record found into the books, because a person says why they are there.

    Raises
    ------
    ConfigError
        If the record is no difference, or not the newest word on that desk and chain; or nothing is said.
    """
    difference = _newest_difference(journal, seq)
    if not explanation.strip() or not person.strip():
        raise ConfigError(
            "a difference is explained by a person, in words",
            found=f"person {person!r}, explanation {explanation!r}",
            fix="--reason 'who moved what, and why'",
        )
    body = msgspec.structs.replace(
        difference, verdict=EXPLAINED, explains=seq, explanation=explanation.strip(), person=person.strip()
    )
    record = journal.append(body.KIND, body, actor=f"person:{person.strip()}")
    journal.flush()
    return record


def _newest_difference(journal: JournalReader, seq: int) -> ReconciliationBody:
    record = next(iter(journal.records(kind=RecordKind.RECONCILIATION, after=seq - 1, limit=1)), None)
    if record is None or record.seq != seq:
        raise _not_explained(seq, "no comparison of books and chain")
    body = ReconciliationBody.from_body(record.body)
    if body.verdict != DIFFERENT:
        raise _not_explained(seq, f"a comparison whose verdict is {body.verdict}")
    (newest,) = [one for one in journal.standing(body.TOPIC) if one.name in body.names]
    if newest.seq != seq:
        raise _not_explained(seq, f"an older one: seq {newest.seq} is the newest, {newest.body['verdict']}")
    return body


def _not_explained(seq: int, found: str) -> ConfigError:
    return ConfigError(
        f"seq {seq} is not a difference that waits for an explanation",
        code="not_a_difference",
        found=found,
        allowed="the newest comparison of a desk on a chain, if it found them different",
        fix="tidegate journal tail --kind reconciliation",
    )
