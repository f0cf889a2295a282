"""The second layout: attempts and PnL know whose account it was; positions, and what stands by name.

Projections are made anew and empty: whoever migrates folds them from the records again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the projections anew, wider, and add two."""
    op.drop_table("attempts")
    op.drop_table("pnl")
    op.create_table(
        "attempts",
        sa.Column("intent_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("desk", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("notional_usd_e6", sa.Text, nullable=False),
        sa.Column("states", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
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
    op.create_index("attempts_by_block", "attempts", ["chain_id", "block_number"])
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
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("decimals", sa.Integer, nullable=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("cumulative", sa.Text, nullable=False),
    )
    op.create_index("pnl_by_account", "pnl", ["stage", "desk", "chain_id", "entry", "token", "seq", "line"])
    op.create_table(
        "positions",
        sa.Column("stage", sa.Text, primary_key=True, nullable=False),
        sa.Column("desk", sa.Text, primary_key=True, nullable=False),
        sa.Column("chain_id", _KEY, primary_key=True, autoincrement=False),
        sa.Column("account", sa.Text, primary_key=True, nullable=False),
        sa.Column("token", sa.Text, primary_key=True, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("decimals", sa.Integer, nullable=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("opened_seq", sa.BigInteger, nullable=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "standing",
        sa.Column("topic", sa.Text, primary_key=True, nullable=False),
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("standing_by_seq", "standing", ["topic", "seq"])
