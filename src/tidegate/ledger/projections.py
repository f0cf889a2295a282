"""Tables that are folds of the journal: attempts (one row an intent) and PnL (one row a line).

They are written in the same commit as the records they come from, and hold nothing that the
records do not: ``rebuild`` makes them again and must find them equal. How records were
grouped into commits makes no difference to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, select

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
    def from_row(cls, row: Row[Any]) -> Attempt:
        """Return the typed row; numbers that the table keeps as text become integers."""
        columns = _columns(row)
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
    def from_row(cls, row: Row[Any]) -> ProfitLine:
        """Return the typed row; numbers that the table keeps as text become integers."""
        return msgspec.convert(_columns(row), cls, strict=False)

    def as_columns(self) -> dict[str, Any]:
        """Return the values as the table keeps them."""
        amounts = {"amount": str(self.amount), "cumulative": str(self.cumulative)}
        return {**msgspec.to_builtins(self), **amounts}


def project(connection: Connection, records: Sequence[Record]) -> None:
    """Fold ``records``, in order, into the projections, inside the caller's transaction."""
    tied = [record for record in records if record.correlation_id]
    if not tied:
        return
    before = _load_attempts(connection, {record.correlation_id for record in tied})
    now = dict(before)
    booked: list[ProfitLine] = []
    totals: dict[tuple[Any, ...], int] = {}
    for record in tied:
        attempt = now.get(record.correlation_id)
        if attempt is not None:
            now[record.correlation_id] = attempt.after(record)
        elif record.kind is RecordKind.INTENT:
            now[record.correlation_id] = _first(record)
        if record.kind is RecordKind.BOOKING and attempt is not None:
            booked += _lines(connection, record, attempt, totals)
    _store_attempts(connection, before, now)
    if booked:
        connection.execute(pnl_table.insert(), [line.as_columns() for line in booked])


def _columns(row: Row[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row._mapping.items()}


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


def _lines(
    connection: Connection, record: Record, attempt: Attempt, totals: dict[tuple[Any, ...], int]
) -> Iterable[ProfitLine]:
    """Return a booking's lines; ``totals`` carries running totals over the batch."""
    body = BookingBody.from_body(record.body)
    entries = [
        ("delta", change.token, change.symbol, change.decimals, change.amount) for change in body.deltas
    ]
    if body.gas_cost_wei:
        entries.append(("gas", ZERO_ADDRESS, "ETH", 18, -body.gas_cost_wei))
    entries.append(("value", "", "USD", 6, body.value_usd_e6))
    for line, (entry, token, symbol, decimals, amount) in enumerate(entries):
        account = (attempt.stage, attempt.desk, attempt.chain_id, entry, token)
        if account not in totals:
            totals[account] = _total_so_far(connection, account)
        totals[account] += amount
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
            cumulative=totals[account],
        )


_OF_INTENTS = select(attempts_table).where(
    attempts_table.c.intent_id.in_(bindparam("intents", expanding=True))
)
_LAST_TOTAL = (
    select(pnl_table.c.cumulative)
    .where(
        *(
            pnl_table.c[name] == bindparam(f"of_{name}")
            for name in ("stage", "desk", "chain_id", "entry", "token")
        )
    )
    .order_by(pnl_table.c.seq.desc(), pnl_table.c.line.desc())
    .limit(1)
)
_REPLACE_ATTEMPT = attempts_table.update().where(attempts_table.c.intent_id == bindparam("of_intent"))


def _load_attempts(connection: Connection, intents: set[str]) -> dict[str, Attempt]:
    rows = connection.execute(_OF_INTENTS, {"intents": sorted(intents)})
    return {row.intent_id: Attempt.from_row(row) for row in rows}


def _store_attempts(connection: Connection, before: dict[str, Attempt], now: dict[str, Attempt]) -> None:
    created = [attempt.as_columns() for intent, attempt in now.items() if intent not in before]
    changed = [
        {**attempt.as_columns(), "of_intent": intent}
        for intent, attempt in now.items()
        if intent in before and attempt is not before[intent]
    ]
    if created:
        connection.execute(attempts_table.insert(), created)
    if changed:
        connection.execute(_REPLACE_ATTEMPT, changed)


def _total_so_far(connection: Connection, account: tuple[Any, ...]) -> int:
    stage, desk, chain_id, entry, token = account
    row = connection.execute(
        _LAST_TOTAL,
        {
            "of_stage": str(stage),
            "of_desk": desk,
            "of_chain_id": chain_id,
            "of_entry": entry,
            "of_token": token,
        },
    ).first()
    return 0 if row is None else int(row[0])
