"""Tables that are folds of the journal: attempts (one row an intent) and PnL (one row a line).

They are written in the same commit as the records they come from, and hold nothing that the
records do not: ``rebuild`` makes them again and must find them equal. How records were
grouped into commits makes no difference to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from tidegate.ledger.bodies import (
    Body,
    BookingBody,
    IntentBody,
    OutcomeBody,
    PlanBody,
    ReceiptBody,
    SentBody,
    SignatureBody,
)
from tidegate.ledger.records import Record
from tidegate.ledger.schema import attempts_table, pnl_table
from tidegate.ledger.store import Prepared
from tidegate.model import ZERO_ADDRESS, OutcomeKind, Reason, RecordKind, Stage

PROJECTED: dict[RecordKind, type[Body]] = {
    body.KIND: body
    for body in (IntentBody, PlanBody, SignatureBody, SentBody, ReceiptBody, OutcomeBody, BookingBody)
}
"""Kinds whose body a projection reads; the journal checks the form of these as it takes them."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one intent.

    ``states`` are the kinds of its records in order, ``transaction_hash`` is empty until it was
    signed, ``outcome`` None until there is one. Times in milliseconds since the Unix epoch.
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
    plan_digest: str = ""
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

    def after(self, record: Record) -> Attempt:
        """Return the row as it stands after one more record of its intent."""
        changes = _attempt_changes(record)
        return msgspec.structs.replace(self, states=(*self.states, record.kind.value), **changes)


class ProfitLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a booking.

    ``entry`` is ``delta`` (a balance change), ``gas`` (what was paid for gas, negative, in the
    chain's coin: the zero address) or ``value`` (what both are worth together, in millionths of a
    dollar). ``amount`` is in base units of ``token``; ``cumulative`` the running total of this
    entry and token over the desk, on its chain and in its stage, this line included.
    """

    seq: int
    line: int
    at_ms: int
    intent_id: str
    desk: str
    subject: str
    stage: Stage
    chain_id: int
    entry: str
    token: str
    symbol: str
    decimals: int
    amount: int
    cumulative: int

    @classmethod
    def from_columns(cls, columns: dict[str, Any]) -> ProfitLine:
        """Return the typed row; numbers that the table keeps as text become integers."""
        return msgspec.convert(columns, cls, strict=False)

    def as_columns(self) -> dict[str, Any]:
        """Return the values as the table keeps them."""
        amounts = {"amount": str(self.amount), "cumulative": str(self.cumulative)}
        return {**msgspec.to_builtins(self), **amounts}


class Projector:
    """Folds records into the projections, in the transaction that adds the records.

    It remembers the rows of the newest runs and the running totals, which nobody else writes;
    after a transaction that failed it must be told to ``forget``.
    """

    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}
        self._totals: dict[tuple[Any, ...], int] = {}

    def forget(self) -> None:
        """Read rows and totals from the tables again when they are next needed."""
        self._attempts.clear()
        self._totals.clear()

    def project(self, connection: Connection, records: Sequence[Record]) -> None:
        """Fold ``records``, in order, into the tables."""
        tied = [record for record in records if record.correlation_id]
        if not tied:
            return
        self._load(connection, {record.correlation_id for record in tied})
        now = self._attempts
        created: set[str] = set()
        changed: set[str] = set()
        booked: list[dict[str, Any]] = []
        for record in tied:
            intent = record.correlation_id
            attempt = now.get(intent)
            if attempt is not None:
                now[intent] = attempt.after(record)
                changed.add(intent)
                if record.kind is RecordKind.BOOKING:
                    booked += [line.as_columns() for line in self._lines(connection, record, attempt)]
            elif record.kind is RecordKind.INTENT:
                now[intent] = _first(record)
                created.add(intent)
        if created:
            _ADD_ATTEMPT.run(connection, [now[intent].as_columns() for intent in sorted(created)])
        if changed - created:
            rows = [{**now[intent].as_columns(), "of_intent": intent} for intent in sorted(changed - created)]
            _REPLACE_ATTEMPT.run(connection, rows)
        if booked:
            _ADD_LINE.run(connection, booked)

    def _load(self, connection: Connection, intents: set[str]) -> None:
        if len(self._attempts) > _REMEMBERED:
            self._attempts.clear()
        for intent in intents - self._attempts.keys():
            columns = _OF_INTENT.first(connection, {"of_intent": intent})
            if columns is not None:
                self._attempts[intent] = Attempt.from_columns(columns)

    def _lines(self, connection: Connection, record: Record, attempt: Attempt) -> Iterator[ProfitLine]:
        body = BookingBody.from_body(record.body)
        entries = [
            ("delta", change.token, change.symbol, change.decimals, change.amount) for change in body.deltas
        ]
        if body.gas_cost_wei:
            entries.append(("gas", ZERO_ADDRESS, "ETH", 18, -body.gas_cost_wei))
        entries.append(("value", "", "USD", 6, body.value_usd_e6))
        for line, (entry, token, symbol, decimals, amount) in enumerate(entries):
            account = (str(attempt.stage), attempt.desk, attempt.chain_id, entry, token)
            if account not in self._totals:
                self._totals[account] = _total_so_far(connection, account)
            self._totals[account] += amount
            yield ProfitLine(
                seq=record.seq,
                line=line,
                at_ms=record.at_ms,
                intent_id=attempt.intent_id,
                desk=attempt.desk,
                subject=attempt.subject,
                stage=attempt.stage,
                chain_id=attempt.chain_id,
                entry=entry,
                token=token,
                symbol=symbol,
                decimals=decimals,
                amount=amount,
                cumulative=self._totals[account],
            )


def _first(record: Record) -> Attempt:
    body = IntentBody.from_body(record.body)
    return Attempt(
        intent_id=record.correlation_id,
        desk=body.intent.desk,
        subject=body.intent.subject,
        chain_id=body.intent.chain_id,
        stage=body.stage,
        notional_usd_e6=body.intent.notional_usd_e6,
        states=(record.kind.value,),
        first_seq=record.seq,
        intent_at_ms=record.at_ms,
    )


def _attempt_changes(record: Record) -> dict[str, Any]:
    match record.kind:
        case RecordKind.PLAN:
            return {"plan_digest": PlanBody.from_body(record.body).digest}
        case RecordKind.SIGNATURE:
            signature = SignatureBody.from_body(record.body)
            return {"transaction_hash": signature.hash, "nonce": signature.nonce}
        case RecordKind.SENT:
            return {"transaction_hash": SentBody.from_body(record.body).hash, "sent_at_ms": record.at_ms}
        case RecordKind.RECEIPT:
            receipt = ReceiptBody.from_body(record.body)
            return {
                "transaction_hash": receipt.hash,
                "block_number": receipt.block_number,
                "gas_used": receipt.gas_used,
                "gas_cost_wei": receipt.gas_used * receipt.effective_gas_price_wei,
            }
        case RecordKind.OUTCOME:
            outcome = OutcomeBody.from_body(record.body)
            settled = record.at_ms if outcome.kind.is_final else None
            return {
                "outcome": outcome.kind,
                "reason": outcome.reason,
                "detail": outcome.detail,
                "settled_at_ms": settled,
            }
        case _:
            return {}


_REMEMBERED = 4_096
_ACCOUNT = ("stage", "desk", "chain_id", "entry", "token")
_OF_INTENT = Prepared(select(attempts_table).where(attempts_table.c.intent_id == bindparam("of_intent")))
_LAST_TOTAL = Prepared(
    select(pnl_table.c.cumulative)
    .where(*(pnl_table.c[name] == bindparam(f"of_{name}") for name in _ACCOUNT))
    .order_by(pnl_table.c.seq.desc(), pnl_table.c.line.desc())
)
_ADD_LINE = Prepared(pnl_table.insert())
_ADD_ATTEMPT = Prepared(attempts_table.insert())
_REPLACE_ATTEMPT = Prepared(
    attempts_table.update()
    .where(attempts_table.c.intent_id == bindparam("of_intent"))
    .values(
        {column.name: bindparam(column.name) for column in attempts_table.columns if not column.primary_key}
    )
)


def _total_so_far(connection: Connection, account: tuple[Any, ...]) -> int:
    named = {f"of_{name}": part for name, part in zip(_ACCOUNT, account, strict=True)}
    columns = _LAST_TOTAL.first(connection, named)
    return 0 if columns is None else int(columns["cumulative"])
