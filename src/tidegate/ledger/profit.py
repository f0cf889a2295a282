"""The projection ``pnl``: one row a line of a booking, with running totals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from tidegate.ledger.attempts import Attempt
from tidegate.ledger.bodies import BookingBody
from tidegate.ledger.records import Record
from tidegate.ledger.schema import pnl_table
from tidegate.ledger.store import Prepared
from tidegate.model import ZERO_ADDRESS, Stage


class ProfitLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a booking.

    ``entry`` is ``delta`` (a balance change), ``gas`` (what was paid for gas, negative, in the
    chain's coin: the zero address) or ``value`` (what both are worth together, in millionths of a
    dollar). ``account`` is whose balance changed; of a value nobody's. ``amount`` is in base units of
    ``token``; ``cumulative`` the running total of this entry and token over the desk, on its chain and
    in its stage, this line included.
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
    account: str
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


class ProfitFold:
    """Folds bookings into lines; remembers the running totals, which nobody else writes."""

    def __init__(self) -> None:
        self._totals: dict[tuple[Any, ...], int] = {}
        self._booked: list[dict[str, Any]] = []

    def forget(self) -> None:
        """Read totals from the table again when they are next needed."""
        self._totals.clear()
        self._booked.clear()

    def take(
        self, connection: Connection, record: Record, body: BookingBody, attempt: Attempt
    ) -> list[ProfitLine]:
        """Fold one booking of an intent and return its lines."""
        lines = list(self._lines(connection, record, body, attempt))
        self._booked += [line.as_columns() for line in lines]
        return lines

    def write(self, connection: Connection) -> None:
        """Write what was taken since the last time."""
        if self._booked:
            _ADD_LINE.run(connection, self._booked)
            self._booked.clear()

    def _lines(
        self, connection: Connection, record: Record, body: BookingBody, attempt: Attempt
    ) -> Iterator[ProfitLine]:
        for number, (entry, account, token, symbol, decimals, amount) in enumerate(_entries(body, attempt)):
            key = (str(attempt.stage), attempt.desk, attempt.chain_id, entry, token)
            if key not in self._totals:
                self._totals[key] = _total_so_far(connection, key)
            self._totals[key] += amount
            yield ProfitLine(
                seq=record.seq,
                line=number,
                at_ms=record.at_ms,
                intent_id=attempt.intent_id,
                desk=attempt.desk,
                subject=attempt.subject,
                stage=attempt.stage,
                chain_id=attempt.chain_id,
                entry=entry,
                account=account,
                token=token,
                symbol=symbol,
                decimals=decimals,
                amount=amount,
                cumulative=self._totals[key],
            )


def _entries(body: BookingBody, attempt: Attempt) -> Iterator[tuple[str, str, str, str, int, int]]:
    for change in body.deltas:
        account = change.account or attempt.account
        yield "delta", account, change.token, change.symbol, change.decimals, change.amount
    if body.gas_cost_wei:
        yield "gas", attempt.sender, ZERO_ADDRESS, "ETH", 18, -body.gas_cost_wei
    yield "value", "", "", "USD", 6, body.value_usd_e6


_TOTAL_OF = ("stage", "desk", "chain_id", "entry", "token")
_LAST_TOTAL = Prepared(
    select(pnl_table.c.cumulative)
    .where(*(pnl_table.c[name] == bindparam(f"of_{name}") for name in _TOTAL_OF))
    .order_by(pnl_table.c.seq.desc(), pnl_table.c.line.desc())
    .limit(1)
)
_ADD_LINE = Prepared(pnl_table.insert())


def _total_so_far(connection: Connection, key: tuple[Any, ...]) -> int:
    named = {f"of_{name}": part for name, part in zip(_TOTAL_OF, key, strict=True)}
    columns = _LAST_TOTAL.first(connection, named)
    return 0 if columns is None else int(columns["cumulative"])
