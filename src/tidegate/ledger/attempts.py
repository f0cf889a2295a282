"""The projection ``attempts``: one row an intent, what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from tidegate.ledger.bodies import (
    IntentBody,
    NonceBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    SentBody,
    SignatureBody,
)
from tidegate.ledger.body import Body
from tidegate.ledger.records import Record
from tidegate.ledger.schema import attempts_table
from tidegate.ledger.store import Prepared
from tidegate.model import Operation, OutcomeKind, Reason, RecordKind, Stage


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one intent.

    ``states`` are the kinds of its records in order; ``account`` is what its plan calls (the desk's
    account on the chain), ``sender`` who signs and pays the gas; ``transaction_hash`` is empty until
    it was signed, ``outcome`` None until there is one. Times in milliseconds since the Unix epoch.
    """

    intent_id: str
    desk: str
    subject: str
    chain_id: int
    stage: Stage
    notional_usd_e6: int
    states: tuple[str, ...]
    first_seq: int
    intent_at_ms: int
    operation: Operation = Operation.OPEN
    plan_digest: str = ""
    account: str = ""
    sender: str = ""
    transaction_hash: str = ""
    nonce: int | None = None
    outcome: OutcomeKind | None = None
    reason: Reason | None = None
    detail: str = ""
    block_number: int | None = None
    gas_used: int = 0
    gas_cost_wei: int = 0
    sent_at_ms: int | None = None
    settled_at_ms: int | None = None

    @classmethod
    def from_columns(cls, columns: dict[str, Any]) -> Attempt:
        """Return the typed row; numbers that the table keeps as text become integers."""
        return msgspec.convert({**columns, "states": columns["states"].split(",")}, cls, strict=False)

    def as_columns(self) -> dict[str, Any]:
        """Return the values as the table keeps them."""
        return {
            **msgspec.to_builtins(self),
            "states": ",".join(self.states),
            "notional_usd_e6": str(self.notional_usd_e6),
            "gas_cost_wei": str(self.gas_cost_wei),
        }

    def after(self, record: Record, body: Body | None) -> Attempt:
        """Return the row as it stands after one more record of its intent."""
        states = (*self.states, record.kind.value)
        changes = _BY_BODY.get(type(body)) if body is not None else None
        if changes is not None:
            return msgspec.structs.replace(self, states=states, **changes(record, body))
        if record.kind is RecordKind.WITHDRAWN:
            return msgspec.structs.replace(self, states=states, **_WITHDRAWN)
        return msgspec.structs.replace(self, states=states)


def attempt_exists(connection: Connection, intent_id: str) -> bool:
    """Say whether the table has a row of an intent."""
    return _EXISTS.first(connection, {"of_intent": intent_id}) is not None


class AttemptsFold:
    """Folds the records of intents; remembers the rows of the newest ones, which nobody else writes."""

    def __init__(self) -> None:
        self._now: dict[str, Attempt] = {}
        self._created: set[str] = set()
        self._changed: set[str] = set()
        self._moved: set[str] = set()

    def forget(self) -> None:
        """Read rows from the table again when they are next needed."""
        self._now.clear()
        self._clear()

    def find(self, connection: Connection, intent_id: str) -> Attempt | None:
        """Return the row of an intent as it stands, with what was taken and not yet written."""
        if intent_id not in self._now:
            columns = _OF_INTENT.first(connection, {"of_intent": intent_id})
            if columns is None:
                return None
            self._now[intent_id] = Attempt.from_columns(columns)
        return self._now[intent_id]

    def take(self, connection: Connection, record: Record, body: Body | None) -> Attempt | None:
        """Fold one record of an intent; return its attempt, or None if no intent has that id."""
        intent_id = record.correlation_id
        before = self.find(connection, intent_id)
        if before is not None:
            attempt = before.after(record, body)
            self._changed.add(intent_id)
            if (attempt.outcome, attempt.block_number) != (before.outcome, before.block_number):
                self._moved.add(intent_id)
        elif isinstance(body, IntentBody):
            attempt = _first(record, body)
            self._created.add(intent_id)
        else:
            return None
        self._now[intent_id] = attempt
        return attempt

    def write(self, connection: Connection) -> None:
        """Write what was taken since the last time."""
        if self._created:
            rows = [self._now[intent_id].as_columns() for intent_id in sorted(self._created)]
            _ADD.run(connection, rows)
        self._update(connection, _UPDATE, self._changed - self._created - self._moved)
        self._update(connection, _MOVE, self._moved - self._created)
        self._clear()
        if len(self._now) > _REMEMBERED:
            self._now.clear()

    def _update(self, connection: Connection, statement: Prepared, intent_ids: set[str]) -> None:
        if intent_ids:
            wanted = sorted(intent_ids)
            rows = [{**self._now[intent_id].as_columns(), "of_intent": intent_id} for intent_id in wanted]
            statement.run(connection, rows)

    def _clear(self) -> None:
        self._created.clear()
        self._changed.clear()
        self._moved.clear()


def _first(record: Record, body: IntentBody) -> Attempt:
    intent = body.intent
    return Attempt(
        intent_id=record.correlation_id,
        desk=intent.desk,
        subject=intent.subject,
        chain_id=intent.chain_id,
        stage=body.stage,
        notional_usd_e6=intent.notional_usd_e6,
        states=(record.kind.value,),
        first_seq=record.seq,
        intent_at_ms=record.at_ms,
        operation=intent.operation,
    )


_Changes = dict[str, Any]


def _planned(_: Record, body: PlanBody) -> _Changes:
    return {"plan_digest": body.digest, "account": body.to}


def _reserved(_: Record, body: NonceBody) -> _Changes:
    return {"nonce": body.nonce, "sender": body.account}


def _signed(_: Record, body: SignatureBody) -> _Changes:
    return {"transaction_hash": body.hash, "nonce": body.nonce, "sender": body.sender}


def _sent(record: Record, body: SentBody) -> _Changes:
    return {"transaction_hash": body.hash, "sent_at_ms": record.at_ms}


def _included(_: Record, body: ReceiptBody) -> _Changes:
    return {
        "transaction_hash": body.hash,
        "block_number": body.block_number,
        "gas_used": body.gas_used,
        "gas_cost_wei": body.gas_cost_wei,
    }


def _ended(record: Record, body: OutcomeBody) -> _Changes:
    settled = record.at_ms if body.kind.is_final else None
    return {"outcome": body.kind, "reason": body.reason, "detail": body.detail, "settled_at_ms": settled}


_BY_BODY: dict[type[Body], Callable[[Record, Any], _Changes]] = {
    PlanBody: _planned,
    NonceBody: _reserved,
    SignatureBody: _signed,
    SentBody: _sent,
    ReceiptBody: _included,
    OutcomeBody: _ended,
}
_WITHDRAWN: _Changes = {
    "block_number": None,
    "outcome": None,
    "reason": None,
    "detail": "",
    "settled_at_ms": None,
}
"""What a reorg changes: it takes the block away, and what it decided."""

_REMEMBERED = 4_096
_OF_INTENT = Prepared(select(attempts_table).where(attempts_table.c.intent_id == bindparam("of_intent")))
_EXISTS = Prepared(
    select(attempts_table.c.intent_id).where(attempts_table.c.intent_id == bindparam("of_intent"))
)
_ADD = Prepared(attempts_table.insert())
_OF_INTENT_ALONE = {"desk", "subject", "chain_id", "stage", "notional_usd_e6", "operation"}
_FOR_LIFE = _OF_INTENT_ALONE | {"intent_id", "intent_at_ms", "first_seq"}
_INDEXED = {"outcome", "block_number"}


def _updating(without: set[str]) -> Prepared:
    columns = [column.name for column in attempts_table.columns if column.name not in without]
    is_it = attempts_table.c.intent_id == bindparam("of_intent")
    return Prepared(attempts_table.update().where(is_it).values({name: bindparam(name) for name in columns}))


# A store writes an index again for each of its columns that is set, also to what it was.
_MOVE = _updating(_FOR_LIFE)
_UPDATE = _updating(_FOR_LIFE | _INDEXED)
