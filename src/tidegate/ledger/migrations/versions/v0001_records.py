"""The first layout: records, their head, attempts and PnL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables in an empty store."""
    op.create_table("ledger_schema", sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))
    op.create_table(
        "journal_records",
        sa.Column("seq", _KEY, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("actor", "kind", "correlation_id", "causation_id", "body", "prev_hash", "hash")
        ),
    )
    op.create_index("journal_records_by_correlation", "journal_records", ["correlation_id", "seq"])
    op.create_index("journal_records_by_kind", "journal_records", ["kind", "seq"])
    op.create_table(
        "journal_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("intent_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("desk", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("notional_usd_e6", sa.Text, nullable=False),
        sa.Column("states", sa.Text, nullable=False),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("transaction_hash", sa.Text, nullable=False),
        sa.Column("nonce", sa.BigInteger, nullable=True),
        sa.Column("outcome", sa.Text, nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("block_number", sa.BigInteger, nullable=True),
        sa.Column("gas_used", sa.BigInteger, nullable=False),
        sa.Column("gas_cost_wei", sa.Text, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("intent_at_ms", sa.BigInteger, nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger, nullable=True),
        sa.Column("settled_at_ms", sa.BigInteger, nullable=True),
    )
    op.create_index("attempts_by_outcome", "attempts", ["outcome", "first_seq"])
    op.create_table(
        "pnl",
        sa.Column("seq", _KEY, primary_key=True, autoincrement=False),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("intent_id", sa.Text, nullable=False),
        sa.Column("desk", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("decimals", sa.Integer, nullable=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("cumulative", sa.Text, nullable=False),
    )
    op.create_index("pnl_by_account", "pnl", ["stage", "desk", "chain_id", "entry", "token", "seq", "line"])
