"""The run report: what it says, that it stands alone, and how it looks in a real browser."""
