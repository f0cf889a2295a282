"""The projection ``positions``: what the books say that each account of a desk holds.

A position begins at the amount that a reconciliation counted on the chain (``opened``), moves with
every booking, and is moved by hand only through a reconciliation that a person explained. Before it
was counted for the first time it holds what was booked, and ``opened_seq`` is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from tidegate.ledger.book import book_of, stages_of
from tidegate.ledger.profit import ProfitLine
from tidegate.ledger.records import Record
from tidegate.ledger.schema import attempts_table, pnl_table, positions_table
from tidegate.ledger.states import ReconciliationBody
from tidegate.ledger.store import Prepared, columns_of
from tidegate.model import Stage

_Key = tuple[str, str, int, str, str]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds of a token by our books, in base units.

    ``book`` is ``live`` for canary and production, which share their accounts, else the stage's name.
    ``seq`` is the record that moved it last, ``opened_seq`` the one that counted it first.
    """

    book: str
    desk: str
    chain_id: int
    account: str
    token: str
    symbol: str
    decimals: int
    amount: int
    opened_seq: int | None
    seq: int

    @classmethod
    def from_columns(cls, columns: dict[str, Any]) -> Position:
        """Return the typed row; the amount, which the table keeps as text, becomes an integer."""
        return msgspec.convert(columns, cls, strict=False)

    def as_columns(self) -> dict[str, Any]:
        """Return the values as the table keeps them."""
        return {**msgspec.to_builtins(self), "amount": str(self.amount)}


class PositionsFold:
    """Folds bookings and reconciliations; remembers the rows, which nobody else writes."""

    def __init__(self) -> None:
        self._now: dict[_Key, Position] = {}
        self._stored: set[_Key] = set()
        self._changed: set[_Key] = set()

    def forget(self) -> None:
        """Read rows from the table again when they are next needed."""
        self._now.clear()
        self._stored.clear()
        self._changed.clear()

    def book(self, connection: Connection, lines: Sequence[ProfitLine]) -> None:
        """Move the positions by the lines of a booking."""
        for line in lines:
            if line.entry == "value":
                continue
            key = (book_of(line.stage), line.desk, line.chain_id, line.account, line.token)
            self._move(connection, key, line.symbol, line.decimals, line.amount, seq=line.seq)

    def reconcile(self, connection: Connection, record: Record, body: ReconciliationBody) -> None:
        """Take the differences of a reconciliation into the books, if it does that."""
        if not body.changes_books:
            return
        for item in body.counted:
            key = (book_of(body.stage), body.desk, body.chain_id, item.account, item.token)
            self._move(
                connection,
                key,
                item.symbol,
                item.decimals,
                item.difference,
                seq=record.seq,
                opens=body.verdict == "opened",
            )

    def write(self, connection: Connection) -> None:
        """Write what was moved since the last time."""
        created = sorted(self._changed - self._stored)
        if created:
            _ADD.run(connection, [self._now[key].as_columns() for key in created])
        replaced = sorted(self._changed & self._stored)
        if replaced:
            _REPLACE.run(connection, [{**self._now[key].as_columns(), **_named(key)} for key in replaced])
        self._stored |= self._changed
        self._changed.clear()

    def _move(
        self,
        connection: Connection,
        key: _Key,
        symbol: str,
        decimals: int,
        amount: int,
        *,
        seq: int,
        opens: bool = False,
    ) -> None:
        before = self._find(connection, key)
        book, desk, chain_id, account, token = key
        opened_seq = None if before is None else before.opened_seq
        self._now[key] = Position(
            book=book,
            desk=desk,
            chain_id=chain_id,
            account=account,
            token=token,
            symbol=symbol,
            decimals=decimals,
            amount=amount + (0 if before is None else before.amount),
            opened_seq=seq if opens and opened_seq is None else opened_seq,
            seq=seq,
        )
        self._changed.add(key)

    def _find(self, connection: Connection, key: _Key) -> Position | None:
        if key not in self._now:
            columns = _OF_KEY.first(connection, _named(key))
            if columns is None:
                return None
            self._now[key] = Position.from_columns(columns)
            self._stored.add(key)
        return self._now[key]


def positions_at(
    connection: Connection, stage: Stage, desk: str, chain_id: int, block_number: int
) -> dict[tuple[str, str], Position]:
    """Return a desk's positions by (account, token) as the stage's books had them at a block.

    What was booked for later blocks is taken off again: the chain is asked about that block alone.
    """
    columns = positions_table.c
    rows = connection.execute(
        select(positions_table).where(
            columns.book == book_of(stage), columns.desk == desk, columns.chain_id == chain_id
        )
    ).all()
    found = {(row.account, row.token): Position.from_columns(columns_of(row)) for row in rows}
    for line in _booked_after(connection, stage, desk, chain_id, block_number):
        key = (line.account, line.token)
        position = found[key]
        found[key] = msgspec.structs.replace(position, amount=position.amount - int(line.amount))
    return found


def _booked_after(
    connection: Connection, stage: Stage, desk: str, chain_id: int, block_number: int
) -> Sequence[Any]:
    attempts, lines = attempts_table.c, pnl_table.c
    later = connection.execute(
        select(attempts.intent_id, attempts.first_seq).where(
            attempts.chain_id == chain_id, attempts.block_number > block_number
        )
    ).all()
    if not later:
        return ()
    intents = {row.intent_id for row in later}
    rows = connection.execute(
        select(lines.intent_id, lines.account, lines.token, lines.amount).where(
            lines.seq > min(row.first_seq for row in later),
            lines.stage.in_([one.value for one in stages_of(book_of(stage))]),
            lines.desk == desk,
            lines.chain_id == chain_id,
            lines.entry != "value",
        )
    ).all()
    return [row for row in rows if row.intent_id in intents]


_KEYS = ("book", "desk", "chain_id", "account", "token")
_IS_KEY = [positions_table.c[name] == bindparam(f"of_{name}") for name in _KEYS]
_OF_KEY = Prepared(select(positions_table).where(*_IS_KEY))
_ADD = Prepared(positions_table.insert())
_REPLACE = Prepared(
    positions_table.update()
    .where(*_IS_KEY)
    .values(
        {column.name: bindparam(column.name) for column in positions_table.columns if not column.primary_key}
    )
)


def _named(key: _Key) -> dict[str, Any]:
    return {f"of_{name}": part for name, part in zip(_KEYS, key, strict=True)}
