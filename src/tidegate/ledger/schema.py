"""The ledger's tables, the same on SQLite and PostgreSQL, and the version of their layout.

Amounts are decimal text wherever they may pass 63 bits; whoever adds them up adds integers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    inspect,
    select,
    text,
)

from tidegate.ledger.records import GENESIS_HASH
from tidegate.model import ConfigError, RecordKind, Tampered

SCHEMA_VERSION = 3
"""The layout that this release writes. A newer one is refused, an older one migrated; both by name."""

EVERYWHERE = frozenset(
    {
        RecordKind.EVENT,
        RecordKind.DECISION,
        RecordKind.INTENT,
        RecordKind.LIMITS,
        RecordKind.PLAN,
        RecordKind.GUARDS,
        RecordKind.SIMULATION,
        RecordKind.BOUNDS,
        RecordKind.AUTHORISATION,
        RecordKind.NONCE,
        RecordKind.SIGNATURE,
        RecordKind.SENT,
        RecordKind.RECEIPT,
        RecordKind.CONFIRMED,
        RecordKind.FINALISED,
        RecordKind.OUTCOME,
        RecordKind.BOOKING,
        RecordKind.CURSOR,
    }
)
"""Kinds that every run or every block writes: one is near wherever one looks, so none is indexed.

An index over them would cost each commit as many pages as it has kinds, more than its records do.
"""
IS_RARE = text("kind NOT IN (" + ", ".join(f"'{kind}'" for kind in sorted(EVERYWHERE)) + ")")
"""What the index by kind holds; a query finds the index by saying the same."""

metadata = MetaData()

# SQLite keeps rows in order of the key, and counts it in 63 bits, only when it says INTEGER.
_Key = BigInteger().with_variant(Integer, "sqlite")


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=options.pop("nullable", False), **options)


def _integer(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, nullable=options.pop("nullable", False), **options)


schema_table = Table(
    "ledger_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False)
)

records_table = Table(
    "journal_records",
    metadata,
    Column("seq", _Key, primary_key=True, autoincrement=False),
    _integer("at_ms"),
    _text("actor"),
    _text("kind"),
    _text("correlation_id"),
    _text("causation_id"),
    _text("body"),
    _text("prev_hash"),
    _text("hash"),
    Index("journal_records_by_correlation", "correlation_id", "seq"),
    Index("journal_records_by_kind", "kind", "seq", sqlite_where=IS_RARE, postgresql_where=IS_RARE),
)

head_table = Table(
    "journal_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _integer("seq"),
    _text("hash"),
)
"""One row: the newest record. A tail that was cut off is seen against it."""

attempts_table = Table(
    "attempts",
    metadata,
    _text("intent_id", primary_key=True),
    _text("desk"),
    _text("subject"),
    _integer("chain_id"),
    _text("stage"),
    _text("notional_usd_e6"),
    _text("states"),
    _text("operation"),
    _text("plan_digest"),
    _text("account"),
    _text("sender"),
    _text("transaction_hash"),
    _integer("nonce", nullable=True),
    _text("outcome", nullable=True),
    _text("reason", nullable=True),
    _text("detail"),
    _integer("block_number", nullable=True),
    _integer("gas_used"),
    _text("gas_cost_wei"),
    _integer("first_seq"),
    _integer("intent_at_ms"),
    _integer("sent_at_ms", nullable=True),
    _integer("settled_at_ms", nullable=True),
    Index("attempts_by_outcome", "outcome", "first_seq"),
    Index("attempts_by_block", "chain_id", "block_number"),
)

pnl_table = Table(
    "pnl",
    metadata,
    Column("seq", _Key, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    _integer("at_ms"),
    _text("intent_id"),
    _text("desk"),
    _text("subject"),
    _text("stage"),
    _integer("chain_id"),
    _text("entry"),
    _text("account"),
    _text("token"),
    _text("symbol"),
    Column("decimals", Integer, nullable=False),
    _text("amount"),
    _text("cumulative"),
    Index("pnl_by_account", "stage", "desk", "chain_id", "entry", "token", "seq", "line"),
)

positions_table = Table(
    "positions",
    metadata,
    _text("book", primary_key=True),
    _text("desk", primary_key=True),
    Column("chain_id", _Key, primary_key=True, autoincrement=False),
    _text("account", primary_key=True),
    _text("token", primary_key=True),
    _text("symbol"),
    Column("decimals", Integer, nullable=False),
    _text("amount"),
    _integer("opened_seq", nullable=True),
    _integer("seq"),
)

standing_table = Table(
    "standing",
    metadata,
    _text("topic", primary_key=True),
    _text("name", primary_key=True),
    _integer("seq"),
    _integer("at_ms"),
    _text("kind"),
    _text("body"),
    Index("standing_by_seq", "topic", "seq"),
)

revision_table = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic notes the migration that was run last; always that of the layout's version."""

PROJECTIONS = (attempts_table, pnl_table, positions_table, standing_table)
"""Tables that are folds of the journal and can be made again from it."""


def create(connection: Connection) -> None:
    """Create every table in an empty store, the layout's version and the head of no records."""
    metadata.create_all(connection)
    connection.execute(schema_table.insert(), {"version": SCHEMA_VERSION})
    connection.execute(revision_table.insert(), {"version_num": revision_of(SCHEMA_VERSION)})
    connection.execute(head_table.insert(), {"id": 1, "seq": 0, "hash": GENESIS_HASH})


def revision_of(version: int) -> str:
    """Return Alembic's name of the migration that leads to a layout."""
    return f"{version:04}"


def read_version(connection: Connection, where: str) -> int | None:
    """Return the layout of the ledger that a store holds; None when it is empty.

    Raises
    ------
    ConfigError
        If it is something else, or a ledger of a newer release.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if schema_table.name not in tables:
        raise ConfigError(
            f"{where} is not a ledger",
            found=f"tables {', '.join(sorted(tables)[:5])}",
            allowed="an empty file or database, or a ledger that Tidegate wrote",
            fix="name another with --ledger",
        )
    version = connection.execute(select(schema_table.c.version)).scalar()
    if not isinstance(version, int) or version > SCHEMA_VERSION or version < 1:
        raise ConfigError(
            f"{where} has ledger schema {version}, this release reads schema {SCHEMA_VERSION}",
            code="ledger_schema",
            found=f"schema {version}",
            allowed=f"schema {SCHEMA_VERSION}",
            fix="run the Tidegate release that wrote it, or a newer one",
        )
    return version


def check_version(connection: Connection, where: str) -> bool:
    """Return whether the store holds a ledger of this release's layout; False when it is empty.

    Raises
    ------
    ConfigError
        If it is something else, or a ledger of another layout.
    Tampered
        If it holds more or less than a ledger's tables.
    """
    version = read_version(connection, where)
    if version is None:
        return False
    if version < SCHEMA_VERSION:
        raise ConfigError(
            f"{where} has ledger schema {version}, this release reads schema {SCHEMA_VERSION}",
            code="ledger_schema",
            found=f"schema {version}, of an older release",
            allowed=f"schema {SCHEMA_VERSION}",
            fix="stop what writes to it, then: tidegate journal migrate (it makes a copy first)",
        )
    refuse_other_objects(connection, where)
    return True


def refuse_other_objects(connection: Connection, where: str) -> None:
    """Raise ``Tampered`` unless the store holds our tables and indexes and nothing else.

    A trigger could remove records while we write, a view could stand in a table's place.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    found = _objects_of_sqlite(connection) if is_sqlite else _objects_of_postgres(connection)
    if found != _OBJECTS:
        differences = [
            f"{'extra' if one in found else 'missing'} {one[0]} {one[1]}"
            for one in sorted(found ^ _OBJECTS, reverse=True)
        ]
        raise Tampered(
            f"{where} has other tables, indexes, triggers or views than a journal",
            code="journal_tampered",
            found=", ".join(differences[:5]),
            allowed=f"the {len(_OBJECTS)} that Tidegate makes",
            fix="keep it as evidence, and compare with a backup or an export from before",
        )


def _objects_of_sqlite(connection: Connection) -> set[tuple[str, str, str]]:
    stored = connection.exec_driver_sql("SELECT type, name, tbl_name FROM sqlite_master").all()
    # SQLite keeps names that begin so for tables and indexes of its own.
    return {
        (row[0], row[1], row[2])
        for row in stored
        if row[0] in {"trigger", "view"} or not row[1].startswith("sqlite_")
    }


def _objects_of_postgres(connection: Connection) -> set[tuple[str, str, str]]:
    """Return what lies in the schema, without the indexes that a primary key brings along."""
    stored = connection.execute(text(_POSTGRES_OBJECTS)).all()
    return {(row[0], row[1], row[2]) for row in stored}


_POSTGRES_OBJECTS = """
SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'i' THEN 'index' WHEN 'v' THEN 'view' ELSE 'other' END,
       c.relname, coalesce(t.relname, c.relname)
  FROM pg_class c
  LEFT JOIN pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_class t ON t.oid = i.indrelid
 WHERE c.relnamespace = current_schema()::regnamespace
   AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid)
UNION ALL
SELECT 'trigger', g.tgname, c.relname
  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
 WHERE c.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal
UNION ALL
SELECT 'rule', r.rulename, c.relname
  FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
"""

_OBJECTS = {("table", table.name, table.name) for table in metadata.tables.values()} | {
    ("index", str(index.name), table.name) for table in metadata.tables.values() for index in table.indexes
}
