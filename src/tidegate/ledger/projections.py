"""Tables that are folds of the journal, written in the same commit as the records they come from.

============= ==================================================================================
table         one row
============= ==================================================================================
attempts      an intent: what became of it
pnl           a line of a booking, with running totals
positions     what an account of a desk holds of a token by the books
standing      the newest record of a topic by name: cursors, leases, halts, stops, breakers, …
============= ==================================================================================

They hold nothing that the records do not: ``rebuild`` makes them again and must find them equal.
How records were grouped into commits makes no difference to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from tidegate.ledger.attempts import Attempt, AttemptsFold
from tidegate.ledger.bodies import (
    BookingBody,
    IntentBody,
    NonceBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    SentBody,
    SignatureBody,
)
from tidegate.ledger.body import Body, StandingBody
from tidegate.ledger.positions import PositionsFold
from tidegate.ledger.profit import ProfitFold
from tidegate.ledger.records import Record
from tidegate.ledger.standing import StandingFold
from tidegate.ledger.states import STANDING_BODIES, ReconciliationBody
from tidegate.model import RecordKind

_OF_AN_INTENT: tuple[type[Body], ...] = (
    IntentBody,
    PlanBody,
    NonceBody,
    SignatureBody,
    SentBody,
    ReceiptBody,
    OutcomeBody,
    BookingBody,
)
PROJECTED: dict[RecordKind, type[Body]] = {body.KIND: body for body in (*_OF_AN_INTENT, *STANDING_BODIES)}
"""Kinds whose body a projection reads; the journal checks the form of these as it takes them."""


class Projector:
    """Folds records into the projections, in the transaction that adds the records.

    It remembers rows and totals, which nobody else writes; after a transaction that failed it must
    be told to ``forget``.
    """

    def __init__(self) -> None:
        self._attempts = AttemptsFold()
        self._profit = ProfitFold()
        self._positions = PositionsFold()
        self._standing = StandingFold()
        self._folds = (self._attempts, self._profit, self._positions, self._standing)

    def forget(self) -> None:
        """Read rows and totals from the tables again when they are next needed."""
        for fold in self._folds:
            fold.forget()

    def attempt(self, connection: Connection, intent_id: str) -> Attempt | None:
        """Return the attempt of an intent as the tables have it."""
        return self._attempts.find(connection, intent_id)

    def project(
        self, connection: Connection, records: Sequence[Record], bodies: Mapping[int, Body] | None = None
    ) -> None:
        """Fold ``records``, in order, into the tables.

        Parameters
        ----------
        bodies
            Typed bodies by seq, where the caller has them already; the others are read from the records.

        Raises
        ------
        ValueError
            If a record has not the form of its kind.
        """
        for record in records:
            self._take(connection, record, _body_of(record, bodies or {}))
        for fold in self._folds:
            fold.write(connection)

    def _take(self, connection: Connection, record: Record, body: Body | None) -> None:
        if isinstance(body, StandingBody):
            self._standing.take(record, body)
            if isinstance(body, ReconciliationBody):
                self._positions.reconcile(connection, record, body)
        if not record.correlation_id:
            return
        attempt = self._attempts.take(connection, record, body)
        if attempt is not None and isinstance(body, BookingBody):
            lines = self._profit.take(connection, record, body, attempt)
            self._positions.book(connection, lines)


def _body_of(record: Record, bodies: Mapping[int, Body]) -> Body | None:
    if record.kind not in PROJECTED:
        return None
    return bodies.get(record.seq) or PROJECTED[record.kind].from_body(record.body)
