"""The append-only, hash-chained journal and what is read out of it."""
