"""Layouts of the ledger, each with the way to it from the one before; run by Alembic, forward only."""
