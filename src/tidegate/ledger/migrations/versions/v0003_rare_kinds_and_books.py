"""The third layout: the index by kind holds the kinds that are rare; positions are kept by book.

An index over every kind cost each commit four pages. Positions are made anew and empty: whoever migrates
folds them from the records again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_IS_RARE = sa.text(
    "kind NOT IN ('authorisation', 'booking', 'bounds', 'confirmed', 'cursor', 'decision', 'event',"
    " 'finalised', 'guards', 'intent', 'limits', 'nonce', 'outcome', 'plan', 'receipt', 'sent',"
    " 'signature', 'simulation')"
)


def upgrade() -> None:
    """Make the index anew, smaller, and the positions with another key."""
    op.drop_index("journal_records_by_kind", "journal_records")
    op.create_index(
        "journal_records_by_kind",
        "journal_records",
        ["kind", "seq"],
        sqlite_where=_IS_RARE,
        postgresql_where=_IS_RARE,
    )
    op.drop_table("positions")
    op.create_table(
        "positions",
        sa.Column("book", sa.Text, primary_key=True, nullable=False),
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
